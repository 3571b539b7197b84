//! The messages of the real program: one voice, with the flag, the host and what to do.

use serde_json::json;

use crate::support::{Process, SOON, Server, program, run};

/// All that a process has written to standard error, as soon as it contains `word`.
async fn said(process: &Process, word: &str) -> String {
    cast_testkit::eventually(SOON, word, || async {
        let said = process.said();
        said.contains(word).then_some(said)
    })
    .await
}

#[tokio::test]
async fn a_fatal_error_is_shown_whatever_the_log_filters() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let off = ["serve", "--log", "off", "--listen", &address];
    let (code, _, stderr) = run(program(&off)).await;
    let expected = format!("error: another process listens at {address}: ");
    assert_eq!(
        (code, stderr.starts_with(&expected)),
        (Some(1), true),
        "{stderr}"
    );

    let json = [&off[..], &["--log-format", "json"]].concat();
    let (code, _, stderr) = run(program(&json)).await;
    let line: serde_json::Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!(
        (code, &line["level"]),
        (Some(1), &json!("ERROR")),
        "{stderr}"
    );
    assert!(
        line["message"].as_str().unwrap().contains("--listen"),
        "{stderr}"
    );
}

#[tokio::test]
async fn a_setting_that_is_found_wrong_late_is_reported_as_a_wrong_flag_is() {
    let (code, stdout, stderr) = run(program(&["serve", "--ticket-ttl", "1s"])).await;
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.starts_with("error: --ticket-ttl "), "{stderr}");
    assert!(
        stderr.ends_with("For more information, try '--help'.\n"),
        "{stderr}"
    );
}

#[tokio::test]
async fn a_misspelt_level_of_the_log_is_an_error_with_a_hint() {
    let (code, _, stderr) = run(program(&["serve", "--log", "inof"])).await;
    assert_eq!(code, Some(2));
    assert!(
        stderr.contains("'--log <FILTER>': \"inof\" is no level: did you mean info?"),
        "{stderr}"
    );
}

#[tokio::test]
async fn serve_shows_where_it_is_where_the_data_is_and_how_many_votes_tickets_allow() {
    let tickets = [
        "--ticket-uses",
        "500",
        "--ticket-period",
        "5s",
        "--ticket-ttl",
        "5s",
    ];
    let process = Process::serve(&tickets).await;
    let url = process.url();
    let stderr = said(&process, "bench --url").await;
    for words in [
        &format!("\n{url}/graphql\n"),
        "in memory: votes are lost when this process ends\n",
        "at most 100 votes a second on average: 500 votes every 5s",
        // As it was started, so that it can be typed as it is shown.
        &format!("{} demo --url {url}\n", env!("CARGO_BIN_EXE_cast-server")),
        &format!("{} bench --url {url}\n", env!("CARGO_BIN_EXE_cast-server")),
        "generated a temporary ticket key",
    ] {
        assert!(stderr.contains(words), "{words:?} is not in {stderr}");
    }
    // It is not a terminal: no colour.
    assert!(!stderr.contains('\u{1b}'), "{stderr:?}");
}

#[tokio::test]
async fn a_json_log_has_no_banner() {
    let process = Process::serve(&["--log-format", "json"]).await;
    let said = said(&process, "ready").await;
    assert!(said.lines().all(|line| line.starts_with('{')), "{said}");
}

#[tokio::test]
async fn colour_is_for_terminals_and_can_be_forced_and_refused() {
    let wrong = ["serve", "--ticket-ttl", "1s"];
    let mut forced = program(&wrong);
    forced.env("CLICOLOR_FORCE", "1");
    let (_, _, stderr) = run(forced).await;
    assert!(stderr.contains("\u{1b}["), "{stderr:?}");
    let mut refused = program(&wrong);
    refused.env("NO_COLOR", "1");
    let (_, _, stderr) = run(refused).await;
    assert!(stderr.starts_with("error: "), "{stderr:?}");
}

#[tokio::test]
async fn each_shell_gets_a_script_that_completes_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, script, stderr) = run(program(&["completions", shell])).await;
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{shell}");
        for word in ["vote-consumer", "ticket-uses", "completions"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[tokio::test]
async fn a_syntax_error_is_one_sentence_with_its_place() {
    let server = Server::start().await;
    for (query, place) in [
        ("{", "line 1, column 2"),
        ("{ cas { ticket }", "line 1, column "),
        ("query {\n  query(username: \"a\" {\n}", "line 2, column "),
        ("nonsense", "line 1, column 1"),
    ] {
        let reply = server.client.post(&json!({ "query": query })).await;
        assert_eq!(reply.code(), "GRAPHQL_PARSE_FAILED");
        let message = reply.body["errors"][0]["message"].as_str().unwrap();
        let begin = format!("Syntax error at {place}");
        assert!(message.starts_with(&begin), "{query}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}
