//! The drain: when a server stops, and how long its clients are waited for.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use cast_core::domain::Clock;
use tokio_util::sync::CancellationToken;

/// The share of the drain's time that is left to clients: one that neither sends nor reads for so long
/// is cut off, so that the drain does not time out for all others.
const CLIENTS_SHARE: u32 = 4;
/// The share for which an idle connection is kept open: its client's next request may be on its way, and
/// would be lost with the connection.
const LAST_CALL_SHARE: u32 = 20;

/// The state of a server's drain, shared by its connections.
pub(super) struct Drain {
    clock: Arc<dyn Clock>,
    grace: Duration,
    last_call: Duration,
    /// When the wait for clients ends, by the monotonic clock, once the drain has begun.
    deadline: OnceLock<Duration>,
    begun: CancellationToken,
}

impl Drain {
    /// A drain that has not begun, and may take `timeout`.
    pub(super) fn new(clock: Arc<dyn Clock>, timeout: Duration) -> Self {
        Self {
            clock,
            grace: timeout / CLIENTS_SHARE,
            last_call: timeout / LAST_CALL_SHARE,
            deadline: OnceLock::new(),
            begun: CancellationToken::new(),
        }
    }

    /// Begins the drain; further calls change nothing.
    pub(super) fn begin(&self) {
        let deadline = self.clock.monotonic() + self.grace;
        // In this order: a task that wakes up reads the deadline.
        if self.deadline.set(deadline).is_ok() {
            self.begun.cancel();
        }
    }

    /// Waits until the drain begins.
    pub(super) async fn begun(&self) {
        self.begun.cancelled().await;
    }

    /// Waits as long as an idle connection is kept open.
    pub(super) async fn last_call(&self) {
        self.clock.sleep(self.last_call).await;
    }

    /// Until when clients are waited for; `None` before the drain begins.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.deadline.get().copied()
    }
}
