//! Every hop has a deadline.
//!
//! The time is that of a [`Clock`]: a test that holds the clock holds the deadlines too.

use std::{future::Future, time::Duration};

use crate::ports::{Clock, PortError};

/// Waits for a call of a port, but no longer than `limit`; then drops it, and what it did is not known.
pub async fn within<T>(
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

/// Waits for `call`, but no longer than `limit`; then drops it: `None`.
///
/// A call that is ready at once makes no timer, and counts as in time whatever the limit.
///
/// ```
/// use std::time::Duration;
///
/// use cast_adapters::system::SystemClock;
/// use cast_core::deadline::in_time;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let limit = Duration::from_millis(1);
/// assert_eq!(in_time(&SystemClock, limit, async { 7 }).await, Some(7));
/// assert_eq!(in_time(&SystemClock, limit, std::future::pending::<()>()).await, None);
/// # }
/// ```
pub async fn in_time<T>(
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
