//! What blocks its thread, away from the threads that must not be blocked.

use std::process::Command;

use tokio::task::spawn_blocking;

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
pub(super) fn run(mut command: Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("cannot run {command:?}: {e}"));
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
