//! The clock: the only way in which time enters CAST.

use std::time::Duration;

use async_trait::async_trait;

use super::time::Timestamp;

/// Gives the time, and waits. CAST asks nothing else for the time, so a test that holds the clock holds
/// every deadline, pause and period.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The wall clock's time. It may jump, forward or back.
    fn now(&self) -> Timestamp;

    /// Time since a fixed moment in the past. It never goes back: for measuring durations.
    fn monotonic(&self) -> Duration;

    /// Waits until [`monotonic`](Self::monotonic) has grown by `duration`. The future may be dropped at
    /// any moment.
    async fn sleep(&self, duration: Duration);
}
