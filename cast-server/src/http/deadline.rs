//! Waiting for no longer than one is willing to.

use std::{future::Future, time::Duration};

use cast_core::ports::Clock;

/// Waits for `work`, but no longer than `limit`; then drops it.
pub(crate) async fn within<T>(
    clock: &dyn Clock,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        // Inside a block, so that no timer is made for work that is done at once.
        () = async { clock.sleep(limit).await } => None,
    }
}
