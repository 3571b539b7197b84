//! Calls of the client that block, away from the threads that must not.

use std::{io, panic::resume_unwind, thread};

/// Runs a call that ends by itself within some seconds.
///
/// If the future is dropped, the call goes on, and its result is dropped with it.
pub(super) async fn run<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(call).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // Only a runtime that shuts down ends it: nobody will poll this again.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Runs a call that may take long, on a thread that nobody waits for: not even a runtime that shuts
/// down, which waits for the calls of [`run`].
///
/// On a machine that has no thread left, what the call holds is dropped here and now.
pub(super) fn leave(name: &str, call: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(call);
    if let Err(error) = &spawned {
        tracing::warn!(%error, name, "there is no thread left for a client of Kafka");
    }
    spawned.map(drop)
}
