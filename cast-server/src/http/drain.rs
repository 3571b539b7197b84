//! When a server ends: what its connections may still take.

use std::{sync::OnceLock, time::Duration};

use cast_core::ports::Clock;

/// The share of a drain that is left to clients: whoever neither sends nor reads for so long is
/// cut off, and does not make the drain fail for all others.
const CLIENTS_SHARE: u32 = 4;

/// Tells connections that the server drains.
#[derive(Debug)]
pub(super) struct Drain {
    grace: Duration,
    /// When the wait for clients ends, by the monotonic clock, once it drains.
    deadline: OnceLock<Duration>,
}

impl Drain {
    /// A drain that may take so long, and has not begun.
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            grace: timeout / CLIENTS_SHARE,
            deadline: OnceLock::new(),
        }
    }

    /// It begins. Whoever wakes the connections does so behind this.
    pub(super) fn begin(&self, clock: &dyn Clock) {
        let _ = self.deadline.set(clock.monotonic() + self.grace);
    }

    /// Until when clients are waited for; `None` while the server serves.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.deadline.get().copied()
    }
}
