//! `health`, the real program: health checks of other processes.

use tokio::net::TcpListener;

use crate::support::{Process, SOON, program, run, timed};

async fn health(args: &[&str]) -> (Option<i32>, String, String) {
    let all: Vec<_> = ["health"].iter().chain(args).copied().collect();
    run(program(&all)).await
}

#[tokio::test]
async fn a_server_that_is_ready_is_a_success_that_says_so() {
    let process = Process::serve(&[]).await;
    for path in ["/livez", "/readyz", "", "/"] {
        let url = format!("{}{path}", process.url());
        let (code, stdout, stderr) = health(&["--url", &url]).await;
        assert_eq!((code, &*stdout, &*stderr), (Some(0), "ok\n", ""), "{path}");
    }
}

/// As the health check of an image does, whose process may listen elsewhere.
#[tokio::test]
async fn a_process_that_listens_elsewhere_is_asked_there() {
    let process = Process::serve(&[]).await;
    let port = process.url().rsplit(':').next().unwrap().to_owned();
    let mut command = program(&["health"]);
    command.env("CAST_LISTEN", format!("0.0.0.0:{port}"));
    assert_eq!(run(command).await.0, Some(0));
    let mut command = program(&["health"]);
    command.env("CAST_LISTEN", "127.0.0.1:1");
    let (code, _, stderr) = run(command).await;
    assert_eq!(code, Some(1), "{stderr}");
}

/// An address of this machine where nothing listens.
async fn unused_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

/// The roles that wait, each with URLs where nothing listens.
const WAITING: [(&str, &[&str]); 2] = [
    (
        "vote-consumer",
        &[
            "--counter-url",
            "redis://127.0.0.1:1",
            "--bus-url",
            "kafka://127.0.0.1:1/votes",
            "--store-url",
            "postgres://127.0.0.1:1/cast",
        ],
    ),
    (
        "ticket-generator",
        &["--tickets-url", "redis://127.0.0.1:1"],
    ),
];

#[tokio::test]
async fn a_server_that_waits_is_a_failure_that_names_what_it_waits_for() {
    let address = unused_address().await;
    let (role, urls) = WAITING[0];
    let mut command = program(&[role, "--listen", &address]);
    command.args(urls);
    let _process = Process::launch(command);
    let ready = format!("http://{address}/readyz");
    until_live(&address).await;
    cast_testkit::eventually(SOON, "the names of what is missing", || async {
        let (code, stdout, stderr) = health(&["--url", &ready]).await;
        assert_eq!((code, &*stdout), (Some(1), ""));
        let head = format!("error: {ready}: not ready\n");
        assert!(stderr.starts_with(&head), "{stderr}");
        let servers = [
            "log (kafka://127.0.0.1:1)",
            "store (postgres://127.0.0.1:1)",
        ];
        servers
            .iter()
            .all(|name| stderr.contains(name))
            .then_some(())
    })
    .await;
}

async fn until_live(address: &str) {
    let url = format!("http://{address}/livez");
    cast_testkit::eventually(SOON, "life", || async {
        (health(&["--url", &url]).await.0 == Some(0)).then_some(())
    })
    .await;
}

/// The image's health check is `health --live`: it must not fail while another server is away.
#[tokio::test]
async fn a_role_that_waits_is_live_and_not_ready() {
    for (role, urls) in WAITING {
        let address = unused_address().await;
        let mut command = program(&[role]);
        let ring = format!("1:{}", "0f".repeat(32));
        command.args(urls).env("CAST_TICKET_SECRET", ring);
        command.env("CAST_LISTEN", &address);
        let _process = Process::launch(command);
        until_live(&address).await;
        for (args, code) in [(&["health", "--live"][..], 0), (&["health"], 1)] {
            let mut command = program(args);
            command.env("CAST_LISTEN", &address);
            let ended = run(command).await;
            assert_eq!(ended.0, Some(code), "{role} {args:?} {ended:?}");
        }
    }
}

#[tokio::test]
async fn a_refused_connection_is_a_failure_and_so_is_silence() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/livez", listener.local_addr().unwrap());
    // The system accepts the connection, and no process answers.
    let args = ["--url", &*url, "--timeout", "200ms"];
    let ((code, stdout, stderr), took) = timed(health(&args)).await;
    assert_eq!((code, &*stdout), (Some(1), ""));
    assert!(stderr.contains("200ms"), "{stderr}");
    assert!(took < SOON / 2, "{took:?}");
    drop(listener);
    let (code, stdout, stderr) = health(&["--url", &url]).await;
    assert_eq!((code, &*stdout), (Some(1), ""));
    assert!(stderr.contains("refused"), "{stderr}");
}

#[tokio::test]
async fn a_url_and_live_are_a_wrong_command_line() {
    let (code, _, stderr) = health(&["--live", "--url", "http://127.0.0.1:1"]).await;
    assert_eq!(code, Some(2), "{stderr}");
}

#[tokio::test]
async fn a_url_without_a_scheme_is_a_wrong_command_line() {
    let (code, stdout, stderr) = health(&["--url", "127.0.0.1:8000"]).await;
    assert_eq!((code, &*stdout), (Some(2), ""));
    assert!(stderr.contains("http://HOST:PORT"), "{stderr}");
}
