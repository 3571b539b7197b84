//! When a server ends: who is told, and what its clients may still take.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use cast_core::ports::Clock;
use tokio_util::sync::CancellationToken;

/// The share of a drain that is left to clients: whoever neither sends nor reads for so long is
/// cut off, and does not make the drain fail for all others.
const CLIENTS_SHARE: u32 = 4;
/// The share of a drain for which a connection that is silent is kept: its client's next request may
/// be on its way, and would be lost with the connection.
const LAST_CALL_SHARE: u32 = 20;

/// Tells connections that the server drains.
pub(crate) struct Drain {
    clock: Arc<dyn Clock>,
    grace: Duration,
    last_call: Duration,
    /// When the wait for clients ends, by the monotonic clock, once it drains.
    deadline: OnceLock<Duration>,
    begun: CancellationToken,
}

impl Drain {
    /// A drain that may take so long, and has not begun.
    pub(crate) fn new(clock: Arc<dyn Clock>, timeout: Duration) -> Self {
        Self {
            clock,
            grace: timeout / CLIENTS_SHARE,
            last_call: timeout / LAST_CALL_SHARE,
            deadline: OnceLock::new(),
            begun: CancellationToken::new(),
        }
    }

    /// It begins.
    pub(crate) fn begin(&self) {
        let deadline = self.clock.monotonic() + self.grace;
        // In this order: whoever is woken looks at the deadline.
        if self.deadline.set(deadline).is_ok() {
            self.begun.cancel();
        }
    }

    /// Waits for its beginning.
    pub(crate) async fn begun(&self) {
        self.begun.cancelled().await;
    }

    /// Waits as long as a connection that is silent is kept.
    pub(crate) async fn last_call(&self) {
        self.clock.sleep(self.last_call).await;
    }

    /// Until when clients are waited for; `None` while the server serves.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.deadline.get().copied()
    }
}
