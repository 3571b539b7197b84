//! Time that passes only when nothing else can happen.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use async_trait::async_trait;
use cast_core::domain::{Clock, Timestamp};
use parking_lot::Mutex;

use super::process_state::ProcessState;
use crate::clock::ManualClock;

/// The time of one history. It stands still while any task is ready; the runtime moves it to the next
/// deadline when none is.
#[derive(Default)]
pub(super) struct VirtualClock {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    now: Duration,
    /// By deadline, then by arrival: the order in which they wake.
    sleeping: BTreeMap<(Duration, u64), Waker>,
    arrivals: u64,
}

impl VirtualClock {
    /// Sleeps until so long after the beginning.
    pub(super) fn until(&self, deadline: Duration) -> Sleep<'_> {
        Sleep {
            clock: self,
            deadline,
            arrival: None,
        }
    }

    /// Sleeps for so long.
    pub(super) fn pause(&self, duration: Duration) -> Sleep<'_> {
        self.until(self.elapsed() + duration)
    }

    /// How long the history lasts by now.
    pub(super) fn elapsed(&self) -> Duration {
        self.state.lock().now
    }

    /// Moves on to the next deadline, and wakes the tasks that slept until then. Returns false if none
    /// did.
    pub(super) fn wake_next(&self) -> bool {
        let mut state = self.state.lock();
        let Some((&(deadline, _), _)) = state.sleeping.first_key_value() else {
            return false;
        };
        state.now = deadline;
        let later = state.sleeping.split_off(&(deadline, u64::MAX));
        let due = std::mem::replace(&mut state.sleeping, later);
        drop(state);
        due.into_values().for_each(Waker::wake);
        true
    }
}

#[async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        ManualClock::START.plus(self.elapsed())
    }

    fn monotonic(&self) -> Duration {
        self.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        self.pause(duration).await;
    }
}

/// A task that sleeps.
pub(super) struct Sleep<'a> {
    clock: &'a VirtualClock,
    deadline: Duration,
    /// Orders sleepers with the same deadline, once it sleeps.
    arrival: Option<u64>,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.state.lock();
        if state.now >= self.deadline {
            return Poll::Ready(());
        }
        let arrival = self.arrival.unwrap_or(state.arrivals);
        if self.arrival.is_none() {
            state.arrivals += 1;
        }
        let key = (self.deadline, arrival);
        state.sleeping.insert(key, context.waker().clone());
        drop(state);
        self.arrival = Some(arrival);
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        if let Some(arrival) = self.arrival {
            let mut state = self.clock.state.lock();
            state.sleeping.remove(&(self.deadline, arrival));
        }
    }
}

/// The clock of one process: its wall clock may be off, and no task wakes while the process is frozen.
pub(super) struct ProcessClock {
    pub(super) clock: Arc<VirtualClock>,
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
        self.clock.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        self.clock.pause(duration).await;
        self.state.running().await;
    }
}
