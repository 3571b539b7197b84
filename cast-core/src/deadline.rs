//! Every hop has a deadline.

use std::{future::Future, time::Duration};

use crate::ports::{Clock, PortError};

/// Waits for `call`, but no longer than `limit`; then drops it, and what it did is not known.
pub(crate) async fn within<T>(
    clock: &dyn Clock,
    limit: Duration,
    operation: &'static str,
    call: impl Future<Output = Result<T, PortError>>,
) -> Result<T, PortError> {
    match in_time(clock, limit, call).await {
        Some(result) => result,
        None => Err(passed(operation, limit)),
    }
}

/// Waits for `call`, but no longer than `limit`.
pub(crate) async fn in_time<T>(
    clock: &dyn Clock,
    limit: Duration,
    call: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        result = call => Some(result),
        // Inside a block, so that no timer is made for a call that is ready at once.
        () = async { clock.sleep(limit).await } => None,
    }
}

/// The error of a call that was dropped at its deadline.
pub(crate) fn passed(operation: &'static str, limit: Duration) -> PortError {
    PortError::outcome_unknown(operation, format!("no answer within {limit:?}"))
}
