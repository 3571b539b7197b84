//! Deadlines. Every call of a port has one.
//!
//! The time is that of a [`Clock`]: a test that holds the clock holds the deadlines too.

use std::time::Duration;

use crate::{
    domain::Clock,
    ports::{Operation, PortError, Ports},
};

/// Waits for a call of a port, at most for `limit`. Then it drops the call, whose outcome is unknown.
pub async fn within<T>(
    clock: &dyn Clock,
    limit: Duration,
    operation: Operation,
    call: impl Future<Output = Result<T, PortError>>,
) -> Result<T, PortError> {
    let result = in_time(clock, limit, call).await;
    result.unwrap_or_else(|| Err(passed(operation, limit)))
}

impl Ports {
    /// Waits for a call of one of these ports, as [`within`] does.
    pub(crate) async fn within<T>(
        &self,
        limit: Duration,
        operation: Operation,
        call: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, PortError> {
        within(&*self.clock, limit, operation, call).await
    }
}

/// Waits for `call`, at most for `limit`. Then it drops the call and returns `None`.
///
/// A call that is ready at once needs no timer, and is in time whatever the limit.
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
pub(crate) fn passed(operation: Operation, limit: Duration) -> PortError {
    PortError::outcome_unknown(operation.name(), format!("no answer within {limit:?}"))
}
