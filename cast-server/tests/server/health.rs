//! `health`, the real program: health checks of other processes.

use tokio::net::TcpListener;

use crate::support::{Process, SOON, health, program, run, timed};

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
