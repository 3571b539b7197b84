//! Whether a process runs, is frozen, or has crashed.

use std::{collections::VecDeque, future::pending, time::Duration};

use cast_core::ports::Operation;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::faults::Moment;

/// The state of one run of a process.
///
/// What a crashed process was doing is never finished: its calls and sleeps never return.
#[derive(Default)]
pub(super) struct ProcessState {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    now: Status,
    /// What is to happen when an operation is reached.
    fault_points: VecDeque<FaultPoint>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Status {
    #[default]
    Running,
    Frozen,
    Dead,
}

/// An operation at which a process is to crash or to freeze.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FaultPoint {
    pub(super) operation: Operation,
    pub(super) moment: Moment,
    pub(super) fault: ProcessFault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProcessFault {
    Crash { restart_after: Duration },
    Freeze { lasts: Duration },
}

impl ProcessState {
    pub(super) fn is_dead(&self) -> bool {
        self.status() == Status::Dead
    }

    /// Waits while the process is frozen; for ever if it has crashed.
    pub(super) async fn running(&self) {
        loop {
            match self.status() {
                Status::Running => return,
                Status::Frozen => self.changed.notified().await,
                Status::Dead => pending().await,
            }
        }
    }

    /// Waits until the process has ended.
    pub(super) async fn ended(&self) {
        while !self.is_dead() {
            self.changed.notified().await;
        }
    }

    /// What comes of a call to the process; `None` if it ends before.
    pub(super) async fn unless_ended<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = call => Some(done),
            () = self.ended() => None,
        }
    }

    pub(super) fn kill(&self) {
        self.set(Status::Dead);
    }

    pub(super) fn freeze(&self) {
        if self.status() == Status::Running {
            self.set(Status::Frozen);
        }
    }

    pub(super) fn thaw(&self) {
        if self.status() == Status::Frozen {
            self.set(Status::Running);
        }
    }

    pub(super) fn add_fault_point(&self, point: FaultPoint) {
        self.state.lock().fault_points.push_back(point);
    }

    pub(super) fn clear_fault_points(&self) {
        self.state.lock().fault_points.clear();
    }

    /// Takes the fault that is to happen at this point.
    pub(super) fn take_fault_at(
        &self,
        operation: Operation,
        moment: Moment,
    ) -> Option<ProcessFault> {
        let mut state = self.state.lock();
        let mut points = state.fault_points.iter();
        let at = points.position(|point| point.operation == operation && point.moment == moment)?;
        state.fault_points.remove(at).map(|point| point.fault)
    }

    fn status(&self) -> Status {
        self.state.lock().now
    }

    fn set(&self, now: Status) {
        self.state.lock().now = now;
        self.changed.notify_waiters();
    }
}
