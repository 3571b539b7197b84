//! The clients in docs/CLIENTS.md, as they stand there.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use cast_testkit::servers::{has_program, random_name};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    blocks::blocks,
    rewriting_proxy::{RewritingProxy, vote_of},
    secrets::tempdir,
    support::{Client, Process, run},
};

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/CLIENTS.md");

/// The name of a program, and arguments with which it shows that it is there, and new enough.
type Needed = (&'static str, &'static [&'static str]);

struct Snippet {
    language: &'static str,
    file: &'static str,
    /// What runs it, first, and what else it needs.
    needs: &'static [Needed],
}

const CURL: Snippet = Snippet {
    language: "sh",
    file: "vote.sh",
    needs: &[("bash", &["--version"]), ("curl", &["--version"])],
};

const JAVASCRIPT: Snippet = Snippet {
    language: "js",
    file: "vote.mjs",
    needs: &[("node", &["--eval", "fetch"])],
};

const PYTHON: Snippet = Snippet {
    language: "python",
    file: "vote.py",
    needs: &[("python3", &["--version"])],
};

impl Snippet {
    /// Writes it down, to vote at this server. `None` if no program can run it.
    fn write(&self, url: &str) -> Option<Written> {
        let is_there = |(program, args): &Needed| has_program(program, args);
        if !self.needs.iter().all(is_there) {
            return None;
        }
        let document = std::fs::read_to_string(CLIENTS).unwrap();
        let [text] = blocks(&document, self.language)[..] else {
            panic!("one block of {}", self.language);
        };
        let here = text.replace("http://127.0.0.1:8000", url);
        assert_ne!(here, text);
        let path = tempdir("clients").join(self.file);
        std::fs::write(&path, here).unwrap();
        Some(Written {
            path,
            program: self.needs[0].0,
        })
    }
}

struct Written {
    path: PathBuf,
    program: &'static str,
}

impl Written {
    /// Votes for `name`: its exit code, what it prints and what it says.
    async fn vote(&self, name: &str) -> (Option<i32>, String, String) {
        let mut command = Command::new(self.program);
        command.arg(&self.path).arg(name).kill_on_drop(true);
        run(command).await
    }
}

/// What became of votes on their way: how often each was sent, and with what id.
type Ids = Arc<Mutex<Vec<String>>>;

/// A proxy that loses the answer to the first vote, and answers the second with OVERLOADED.
async fn troubled(server: &Client) -> (RewritingProxy, Ids) {
    let ids = Ids::default();
    let seen = Arc::clone(&ids);
    let rewrite = move |request: &Value, answer| {
        let Some(vote) = vote_of(request) else {
            return Some(answer);
        };
        let mut seen = seen.lock().unwrap();
        seen.push(vote["id"].as_str().unwrap().to_owned());
        let full = json!({"code": "OVERLOADED", "retryable": true});
        match seen.len() {
            1 => None,
            2 => Some(json!({"data": null, "errors": [{"message": "full", "extensions": full}]})),
            _ => Some(answer),
        }
    };
    (RewritingProxy::before(server, rewrite).await, ids)
}

async fn does_what_a_client_does(snippet: Snippet) {
    let server = Process::serve(&[]).await;
    let Some(client) = snippet.write(&server.url()) else {
        return;
    };
    for votes in 1..=2 {
        let (code, stdout, stderr) = client.vote("alice").await;
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
        assert_eq!(stdout, format!("alice: {votes}\n"));
    }

    let (troubled, ids) = troubled(&server.client()).await;
    let client = snippet.write(&troubled.url).expect("it was there");
    let name = random_name();
    let (code, stdout, stderr) = client.vote(&name).await;
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert_eq!(stdout, format!("{name}: 1\n"), "three tries are one vote");
    let tries = ids.lock().unwrap().clone();
    assert_eq!(tries.len(), 3, "{tries:?}");
    assert!(tries.iter().all(|id| *id == tries[0]), "{tries:?}");

    // The vote counts, and so a client that gets no tally has not failed: run again, it would vote twice.
    let hides_tallies = |request: &Value, answer| {
        let asks = request["query"].as_str().unwrap_or_default();
        (!asks.contains("tally(")).then_some(answer)
    };
    let silent = RewritingProxy::before(&server.client(), hides_tallies).await;
    let unheard = snippet.write(&silent.url).expect("it was there");
    let (code, stdout, stderr) = unheard.vote(&random_name()).await;
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(stdout.ends_with(": voted\n"), "{stdout}");

    // One byte more than a name has.
    let (code, stdout, stderr) = client.vote(&"x".repeat(65)).await;
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.contains("64"), "it says what is wrong: {stderr}");
    let tries = ids.lock().unwrap().len();
    assert_eq!(tries, 4, "what is refused for good is sent once");
}

#[tokio::test]
async fn the_client_with_curl_votes_once_whatever_happens_on_the_way() {
    does_what_a_client_does(CURL).await;
}

#[tokio::test]
async fn the_client_in_javascript_votes_once_whatever_happens_on_the_way() {
    does_what_a_client_does(JAVASCRIPT).await;
}

#[tokio::test]
async fn the_client_in_python_votes_once_whatever_happens_on_the_way() {
    does_what_a_client_does(PYTHON).await;
}
