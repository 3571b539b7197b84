//! What people see: the text, warnings, errors, usage.

use super::MANY_USES;
use crate::support::{Process, Server, program, run};

#[tokio::test]
async fn people_get_a_table() {
    let server = Process::serve(&[
        "--ticket-uses",
        "5",
        "--ticket-period",
        "1h",
        "--ticket-ttl",
        "2h",
    ])
    .await;
    let url = server.url();
    let (code, stdout, stderr) =
        run(program(&["bench", "--url", &url, "--duration", "300ms"])).await;
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let warning = "warning: the ticket here allows 5 votes for another 1h";
    assert!(stderr.starts_with(warning), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    for words in [
        url.as_str(),
        "--seed",
        "accepted     5 (",
        "TICKET_EXHAUSTED",
        "p99.9",
        "≤ ",
        "verdict      PASS: all 5 accepted votes show, each once",
        "tickets were used up",
    ] {
        assert!(stdout.contains(words), "{words:?} is not in {stdout}");
    }
    assert!(!stdout.contains('\u{1b}'), "no colour without a terminal");
}

#[tokio::test]
async fn what_tickets_allow_is_said_before_the_run() {
    let period = ["--ticket-period", "500ms", "--ticket-ttl", "500ms"];
    let server = Process::serve(&[&["--ticket-uses", "5"], &period[..]].concat()).await;
    let url = server.url();
    let args = ["bench", "--url", &url, "--duration", "300ms"];
    let (code, _, stderr) = run(program(&args)).await;
    assert_eq!(code, Some(0), "{stderr}");
    let warning = "warning: tickets here allow about 10 votes/s (5 uses every 500ms)";
    assert!(stderr.starts_with(warning), "{stderr}");
    assert!(stderr.contains("--ticket-uses 1000000"), "{stderr}");
    // A rate below, or tickets with many uses, need no warning.
    let (_, _, stderr) = run(program(&[&args[..], &["--rate", "9"]].concat())).await;
    assert_eq!(stderr, "");
    let server = Process::serve(&MANY_USES).await;
    let url = server.url();
    let args = ["bench", "--url", &url, "--duration", "300ms"];
    let (code, stdout, stderr) = run(program(&args)).await;
    assert_eq!((code, &*stderr), (Some(0), ""), "{stdout}");
}

#[tokio::test]
async fn wrong_usage_is_reported_and_ends_with_2() {
    const URL: [&str; 2] = ["--url", "http://127.0.0.1:1"];
    for (args, words) in [
        (&["--url", "https://h"][..], "TLS"),
        (&["--url", "127.0.0.1:8000"], "http://HOST:PORT"),
        (&[URL[0], URL[1], "--connections", "0"], "--connections"),
        (&[URL[0], URL[1], "--duration", "0s"], "longer than nothing"),
        (&[URL[0], URL[1], "--duration", "10"], "2s, 500ms"),
        (&[URL[0], URL[1], "--candidates", "0"], "--candidates"),
        (&[URL[0], URL[1], "--retry-fraction", "1.5"], "from 0 to 1"),
        (
            &[URL[0], URL[1], "--retry-fraction", "1", "--no-ballot-ids"],
            "--no-ballot-ids",
        ),
        (&[URL[0], URL[1], "--rate", "0"], "--rate"),
        (&[URL[0], URL[1], "--conections", "1"], "--connections"),
    ] {
        let (code, stdout, stderr) = run(program(&[&["bench"], args].concat())).await;
        assert_eq!((code, &*stdout), (Some(2), ""), "{args:?}");
        assert!(stderr.contains(words), "{words:?} is not in {stderr}");
    }
}

#[tokio::test]
async fn a_url_without_a_cast_behind_it_is_named_and_ends_with_1() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    drop(taken);
    let gone = format!("http://{address}");
    let server = Server::start().await;
    let elsewhere = format!("{}/elsewhere", server.client.url);
    for (url, words) in [(&gone, "refused"), (&elsewhere, "Not found: GraphQL is at")] {
        // The first of two is fine.
        let urls = format!("{},{url}", server.client.url);
        let (code, stdout, stderr) = run(program(&["bench", "--url", &urls])).await;
        assert_eq!((code, &*stdout), (Some(1), ""));
        for words in [url, words, "The command `serve` starts one"] {
            assert!(stderr.contains(words), "{words:?} is not in {stderr}");
        }
    }
}

#[tokio::test]
async fn its_flags_are_no_settings() {
    let mut command = program(&["bench", "--url", "http://127.0.0.1:1"]);
    command.env("CAST_CONNECTIONS", "1");
    let (code, _, stderr) = run(command).await;
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("CAST_CONNECTIONS"), "{stderr}");
    let (code, help, _) = run(program(&["bench", "--help"])).await;
    assert_eq!(code, Some(0));
    assert!(
        help.contains("--retry-fraction") && !help.contains("CAST_RETRY"),
        "{help}"
    );
}
