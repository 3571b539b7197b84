//! Runs blocking calls of the client outside of the async threads.

use std::{io, panic::resume_unwind, thread};

/// Runs a call that ends by itself within some seconds.
///
/// If the future is dropped, the call continues, and its result is dropped with it.
pub(super) async fn run<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(call).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // Only a runtime that shuts down cancels it, and then this future is not polled again.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Runs a call that may take long on a thread of its own. A runtime that shuts down waits for the calls
/// of [`run`], and not for this one.
///
/// If the machine has no thread left, the call is dropped at once, with what it holds.
pub(super) fn detach(name: &str, call: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(call);
    if let Err(error) = &spawned {
        tracing::warn!(%error, name, "could not start a thread to close a Kafka client");
    }
    spawned.map(drop)
}
