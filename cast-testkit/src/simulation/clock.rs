//! The clock of a process, on the virtual time of its history.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cast_core::domain::{Clock, Timestamp};

use super::process_state::ProcessState;
use crate::clock::ManualClock;

/// The clock of one process: its wall clock may be off, and no task wakes while the process is frozen.
pub(super) struct ProcessClock {
    pub(super) clock: Arc<ManualClock>,
    pub(super) state: Arc<ProcessState>,
    /// How far its wall clock is ahead, in ms.
    pub(super) skew_ms: i64,
}

#[async_trait]
impl Clock for ProcessClock {
    fn now(&self) -> Timestamp {
        let skew = Duration::from_millis(self.skew_ms.unsigned_abs());
        let now = self.clock.now();
        if self.skew_ms < 0 {
            now.minus(skew)
        } else {
            now.plus(skew)
        }
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    async fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration).await;
        self.state.running().await;
    }
}
