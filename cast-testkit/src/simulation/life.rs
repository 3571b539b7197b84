//! Whether a process lives, stands still, or is dead.

use std::{
    collections::VecDeque,
    future::pending,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use crate::faults::{Moment, Operation};

/// One life of a process: it ends with a crash, and a restart begins another.
///
/// What a dead process was doing is never finished: its calls and its sleeps end no more.
#[derive(Default)]
pub(super) struct Life {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    now: Now,
    /// What is to happen when an operation is reached.
    traps: VecDeque<Trap>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Now {
    #[default]
    Running,
    Frozen,
    Dead,
}

/// Where a process is to die or to freeze.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trap {
    pub(super) operation: Operation,
    pub(super) moment: Moment,
    pub(super) then: Then,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Die { restart_after: Duration },
    Freeze { lasts: Duration },
}

impl Life {
    pub(super) fn now(&self) -> Now {
        self.state().now
    }

    pub(super) fn is_dead(&self) -> bool {
        self.now() == Now::Dead
    }

    /// Waits while the process stands still; for ever if it is dead.
    pub(super) async fn pass(&self) {
        loop {
            match self.now() {
                Now::Running => return,
                Now::Frozen => self.changed.notified().await,
                Now::Dead => pending().await,
            }
        }
    }

    /// Waits for its end.
    pub(super) async fn ended(&self) {
        while !self.is_dead() {
            self.changed.notified().await;
        }
    }

    pub(super) fn kill(&self) {
        self.become_now(Now::Dead);
    }

    pub(super) fn freeze(&self) {
        if self.now() == Now::Running {
            self.become_now(Now::Frozen);
        }
    }

    pub(super) fn thaw(&self) {
        if self.now() == Now::Frozen {
            self.become_now(Now::Running);
        }
    }

    pub(super) fn set_trap(&self, trap: Trap) {
        self.state().traps.push_back(trap);
    }

    pub(super) fn clear_traps(&self) {
        self.state().traps.clear();
    }

    /// The trap at this point, if there is one; it is there no more.
    pub(super) fn spring(&self, operation: Operation, moment: Moment) -> Option<Then> {
        let mut state = self.state();
        let mut traps = state.traps.iter();
        let at = traps.position(|trap| trap.operation == operation && trap.moment == moment)?;
        state.traps.remove(at).map(|trap| trap.then)
    }

    fn become_now(&self, now: Now) {
        self.state().now = now;
        self.changed.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
