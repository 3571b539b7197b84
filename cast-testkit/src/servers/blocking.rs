//! What blocks its thread, away from the threads that must not be blocked.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Command, Stdio},
    time::Duration,
};

use tokio::task::spawn_blocking;

/// How long a look at whether a server answers may take.
const LOOK_DEADLINE: Duration = Duration::from_secs(1);

/// What a server answers to a request, until it closes the connection. Blocks for a moment.
pub(super) fn ask(address: &SocketAddr, request: &str) -> std::io::Result<String> {
    let mut link = TcpStream::connect_timeout(address, LOOK_DEADLINE)?;
    link.set_read_timeout(Some(LOOK_DEADLINE))?;
    link.write_all(request.as_bytes())?;
    let mut answer = String::new();
    link.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Waits for `act` on a thread that may block, and panics as it does.
pub(super) async fn blocking<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(act).await {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

/// Runs a program to its end: what it wrote, without the last line's end. Blocks.
///
/// # Panics
///
/// When it fails, with what it said.
pub(super) fn run(command: Command) -> String {
    run_with_input(command, "")
}

/// Runs a program that reads all of its input before it writes much.
pub(super) fn run_with_input(mut command: Command, input: &str) -> String {
    let piped = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = piped
        .spawn()
        .unwrap_or_else(|e| panic!("cannot run {command:?}: {e}"));
    // One that ended before it read all says why.
    let _ = running
        .stdin
        .take()
        .map(|mut to| to.write_all(input.as_bytes()));
    let output = running.wait_with_output().expect("it is our child");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?} failed: {}\n{said}",
        output.status
    );
    String::from_utf8_lossy(&output.stdout)
        .trim_end_matches('\n')
        .to_owned()
}
