//! No ticket, key, document or query string in the log, at any level.

use serde_json::json;

use crate::support::{Process, VOTE, one_vote, program, run};

/// A secret that nothing else looks like.
const SECRET: &str = "5ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2";

#[tokio::test]
async fn nothing_that_a_voter_sends_is_logged() {
    for format in ["text", "json"] {
        let ring = format!("7:{SECRET}");
        let args = [
            "--log",
            "trace",
            "--log-format",
            format,
            "--ticket-secret",
            &ring,
        ];
        let process = Process::serve(&args).await;
        let client = process.client();
        let ticket = client.ticket().await;
        let mut vote = one_vote(&ticket, "logged-candidate");
        vote["voterUsername"] = json!("logged-voter");
        client.vote(vote.clone()).await;
        vote["ticket"] = json!("0".repeat(64));
        client.vote(vote.clone()).await;
        vote["voteCount"] = json!([0]);
        client.vote(vote.clone()).await;
        client.ask("{ logged-document", json!({"t": ticket})).await;
        client.ask(VOTE, json!({"ticket": [ticket]})).await;
        let in_query = format!("/graphql?query={{cas{{ticket}}}}&logged-parameter={ticket}");
        client.get(&in_query).await;
        client.get(&format!("/{ticket}?{ticket}")).await;
        let request = client.http.get(client.graphql_url());
        let request = request
            .header("x-request-id", &ticket)
            .header("logged-header", &ticket);
        client.send(request).await;
        let request = client
            .http
            .post(client.graphql_url())
            .body(format!("logged-body {ticket}"));
        client
            .send(request.header("content-type", "application/json"))
            .await;
        process.signal("TERM").await;
        let ended = process.ended().await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let log = ended.stderr.to_lowercase();
        assert!(log.contains("request_id"), "it logs at all: {log}");
        for word in [&*ticket, SECRET, &"0".repeat(64), "logged-"] {
            assert!(!log.contains(word), "{word} is in the log: {log}");
        }
    }
}

#[tokio::test]
async fn every_line_of_the_json_log_is_an_object() {
    let process = Process::serve(&["--log-format", "json", "--log", "debug"]).await;
    process.client().ticket().await;
    process.signal("TERM").await;
    let log = process.ended().await.stderr;
    assert!(log.lines().count() > 3);
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect(line);
        assert!(
            line["timestamp"].is_string() && line["level"].is_string(),
            "{line}"
        );
    }
}

#[tokio::test]
async fn neither_help_nor_an_error_shows_a_secret() {
    let folder = tempdir("secrets");
    let file = folder.join("cast.toml");
    let url = format!("redis://:{SECRET}@host/0");
    let write = |text: String| std::fs::write(&file, text).unwrap();
    let mut outputs = Vec::new();
    let broken = format!("1:{}", &SECRET[1..]);
    for args in [
        &["serve", "--ticket-secret", SECRET][..],
        &["serve", "--ticket-secret", &broken],
        &["serve", "--store-url", &url],
        &["serve", "--ticket-secert", SECRET],
        &["serve", "--help"],
    ] {
        let mut command = program(args);
        if args.last() == Some(&"--help") {
            command
                .env("CAST_TICKET_SECRET", SECRET)
                .env("CAST_STORE_URL", &url);
        }
        outputs.push((args.join(" "), run(command).await));
    }
    for text in [
        format!("ticket-secret = \"{SECRET}\""),
        format!("ticket-secret = \"{SECRET}\nlisten = 1"),
        format!("ticket-secret = [\"{SECRET}\"]"),
        format!("bus-url = \"{url}\""),
    ] {
        write(text.clone());
        let mut command = program(&["serve"]);
        command.current_dir(&folder);
        outputs.push((text.clone(), run(command).await));
        let mut command = program(&["serve", "--help"]);
        command.current_dir(&folder);
        outputs.push((text, run(command).await));
    }
    let key_file = folder.join("keys");
    std::fs::write(&key_file, format!("x:{SECRET}")).unwrap();
    let path = key_file.display().to_string();
    outputs.push((
        path.clone(),
        run(program(&["serve", "--ticket-secret-file", &path])).await,
    ));
    for (what, (code, stdout, stderr)) in outputs {
        assert!(matches!(code, Some(0 | 2)), "{code:?} {stderr}");
        let is_clean = !stdout.contains(&SECRET[..16]) && !stderr.contains(&SECRET[..16]);
        assert!(is_clean, "after {what}: {stdout}{stderr}");
    }
}

/// A folder of this test's own.
pub(crate) fn tempdir(name: &str) -> std::path::PathBuf {
    let name = format!("{name}-{}", cast_testkit::servers::random_name());
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
