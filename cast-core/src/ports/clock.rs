//! Time, as something that is asked for.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::Timestamp;

/// Tells the time and waits. The only way by which time comes into CAST, so that a test can hold it.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The wall clock's time. It may jump, forward or back.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment. It never goes back; for measuring how long something took.
    fn monotonic(&self) -> Duration;

    /// Waits until [`monotonic`](Self::monotonic) has grown by `duration`. May be dropped.
    async fn sleep(&self, duration: Duration);
}
