//! What the README says is true: its commands run, and print what it shows.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

#[path = "support/blocks.rs"]
mod blocks;

use blocks::blocks;

const README: &str = include_str!("../../README.md");

/// A server that ends with the test.
struct Server(Child);

impl Server {
    /// Ctrl-C, and waits for the graceful shutdown.
    fn interrupt(mut self) {
        let id = self.0.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status();
        assert!(sent.expect("kill is there").success());
        assert!(self.0.wait().expect("it ends").success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_vote_that_is_cast_with_curl_is_in_the_tally() {
    let serve = blocks(README, "sh")[0];
    assert_eq!(
        serve.trim(),
        "cargo run --release -p cast-server --no-default-features -- serve"
    );
    let folder = tempfile::TempDir::new().expect("a folder");
    let data = folder.path().join("cast-data");
    let serve = ["--listen", "127.0.0.1:0", "--data-dir"];
    let serve = [&serve[..], &[data.to_str().expect("UTF-8")]].concat();
    let (server, url) = started(&serve);
    let script = blocks(README, "sh")[1].replace("http://127.0.0.1:8000", &url);
    let shown: String = blocks(README, "json")[0].split_whitespace().collect();
    // A period may end between fetching the ticket and voting with it, and the vote is refused.
    let printed = (0..10)
        .map(|_| run(&script))
        .find(|printed| !printed.contains("Ticketexpired"));
    assert_eq!(printed.as_ref(), Some(&shown));

    // "Ctrl-C […] Start it again with the same command, and the last query still answers 1."
    server.interrupt();
    let (_server, again) = started(&serve);
    let function = script
        .lines()
        .next()
        .expect("graphql()")
        .replace(&url, &again);
    let query = script.lines().last().expect("the query");
    let answer = shown.lines().last().map_or_else(String::new, |all| {
        all[all.rfind("{\"data\"").expect("an answer")..].to_owned()
    });
    // A vote of the last moment before Ctrl-C is folded in the first moments after the start.
    let last = (0..500)
        .map(|_| run(&format!("{function}\n{query}")))
        .find(|last| *last == answer);
    assert_eq!(last, Some(answer));
}

#[test]
fn the_settings_that_it_shows_are_taken() {
    let name = format!("readme-{}.toml", std::process::id());
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let settings = blocks(README, "toml")[0];
    assert!(settings.contains("ticket-uses = 50"), "{settings}");
    let on_a_free_port = settings.replace("127.0.0.1:9000", "127.0.0.1:0");
    assert_ne!(settings, on_a_free_port);
    std::fs::write(&file, on_a_free_port).expect("a file");
    let config = file.to_str().expect("text");
    let (_server, url) = started(&["--in-memory", "--config", config]);
    let ask = format!(
        "curl -s {url}/graphql -H 'content-type: application/json' \
         -d '{{\"query\":\"{{ cas {{ remainingUsage }} }}\"}}'"
    );
    assert_eq!(run(&ask), "{\"data\":{\"cas\":{\"remainingUsage\":50}}}");
    let _ = std::fs::remove_file(file);
}

/// A server that serves, and its URL.
fn started(args: &[&str]) -> (Server, String) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_cast-server"))
        .arg("serve")
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map(Server)
        .expect("started");
    let stdout = server.0.stdout.take().expect("a pipe");
    let line = BufReader::new(stdout)
        .lines()
        .next()
        .expect("a line")
        .expect("text");
    let url = line.split_whitespace().nth(2).expect("listening on URL");
    (server, url.to_owned())
}

/// What a script prints, without white space.
fn run(script: &str) -> String {
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .output();
    let output = output.expect("bash and curl are there");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .collect()
}
