//! A clock that stands still until a test moves it.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use cast_core::domain::{Clock, Timestamp};
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use crate::waiting::{PATIENCE, within};

/// A clock that stands still until a test moves it.
///
/// It starts on 22 November 2025 at 15:40 UTC, which is the beginning of a period of two seconds.
///
/// ```
/// use std::time::Duration;
///
/// use cast_core::domain::Clock;
/// use cast_testkit::ManualClock;
///
/// let clock = ManualClock::new();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(2));
/// assert_eq!(clock.now().since(before), Duration::from_secs(2));
/// ```
#[derive(Debug)]
pub struct ManualClock {
    state: Mutex<State>,
    sleepers: watch::Sender<usize>,
}

#[derive(Debug)]
struct State {
    monotonic: Duration,
    /// What the wall clock shows when `monotonic` is zero.
    epoch: Timestamp,
    /// By deadline, then by arrival: the order in which they wake.
    sleeping: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
    arrivals: u64,
}

impl ManualClock {
    /// What the wall clock shows at first.
    pub const START: Timestamp = Timestamp::from_unix_ms(1_763_826_000_000);

    /// A clock at its [start](Self::START).
    pub fn new() -> Self {
        let state = State {
            monotonic: Duration::ZERO,
            epoch: Self::START,
            sleeping: BTreeMap::new(),
            arrivals: 0,
        };
        Self {
            state: Mutex::new(state),
            sleepers: watch::Sender::new(0),
        }
    }

    /// Lets `duration` pass, and wakes the tasks that slept until then, in the order of their deadlines.
    ///
    /// Each is woken at its own deadline; none runs before this returns.
    pub fn advance(&self, duration: Duration) {
        let mut state = self.state.lock();
        let target = state.monotonic + duration;
        while let Some(due) = state.sleeping.first_entry() {
            let deadline = due.key().0;
            if deadline > target {
                break;
            }
            // A task that gave up in the meantime has dropped the other end.
            let _ = due.remove().send(());
            state.monotonic = deadline;
        }
        state.monotonic = target;
        self.tell_sleepers(&state);
    }

    /// Lets time pass up to the next deadline of a sleeper, if there is one no later than `limit`
    /// from now; returns how much it was.
    pub fn advance_to_next_sleeper(&self, limit: Duration) -> Option<Duration> {
        let step = {
            let state = self.state.lock();
            let (deadline, _) = state.sleeping.first_key_value()?.0;
            deadline.saturating_sub(state.monotonic)
        };
        (step <= limit).then(|| {
            self.advance(step);
            step
        })
    }

    /// Sets the wall clock alone, forward or back, as an operator or a time server would.
    pub fn jump(&self, to: Timestamp) {
        let mut state = self.state.lock();
        state.epoch = to.minus(state.monotonic);
    }

    /// How many tasks are asleep.
    pub fn sleepers(&self) -> usize {
        self.state.lock().sleeping.len()
    }

    /// Waits until at least `count` tasks are asleep, so that a test moves time only when they are.
    ///
    /// # Panics
    ///
    /// When fewer are asleep after 20 seconds.
    pub async fn until_sleepers(&self, count: usize) {
        let mut sleepers = self.sleepers.subscribe();
        let enough = sleepers.wait_for(|now| *now >= count);
        let enough = within(PATIENCE, format_args!("{count} sleeping tasks"), enough).await;
        enough.expect("the clock outlives the wait");
    }

    fn tell_sleepers(&self, state: &State) {
        self.sleepers.send_replace(state.sleeping.len());
    }

    fn fall_asleep(&self, duration: Duration) -> (Asleep<'_>, oneshot::Receiver<()>) {
        let (wake, woken) = oneshot::channel();
        let mut state = self.state.lock();
        let key = (state.monotonic + duration, state.arrivals);
        state.arrivals += 1;
        state.sleeping.insert(key, wake);
        self.tell_sleepers(&state);
        drop(state);
        (Asleep { clock: self, key }, woken)
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let state = self.state.lock();
        state.epoch.plus(state.monotonic)
    }

    fn monotonic(&self) -> Duration {
        self.state.lock().monotonic
    }

    async fn sleep(&self, duration: Duration) {
        if duration.is_zero() {
            return;
        }
        let (_asleep, woken) = self.fall_asleep(duration);
        woken.await.expect("a sleeper is removed only to be woken");
    }
}

/// Forgets a sleeper whose future was dropped.
struct Asleep<'a> {
    clock: &'a ManualClock,
    key: (Duration, u64),
}

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        let mut state = self.clock.state.lock();
        if state.sleeping.remove(&self.key).is_some() {
            self.clock.tell_sleepers(&state);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::mpsc;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn sleepers_wake_in_the_order_of_their_deadlines() {
        let clock = Arc::new(ManualClock::new());
        let (woke, mut order) = mpsc::unbounded_channel();
        for seconds in [3, 1, 2] {
            let (clock, woke) = (Arc::clone(&clock), woke.clone());
            tokio::spawn(async move {
                clock.sleep(seconds * SECOND).await;
                woke.send(seconds).expect("the test waits");
            });
        }
        clock.until_sleepers(3).await;
        clock.advance(2 * SECOND);
        assert_eq!([order.recv().await, order.recv().await], [Some(1), Some(2)]);
        assert!(order.try_recv().is_err(), "the third sleeps on");
        assert_eq!(clock.advance_to_next_sleeper(SECOND), Some(SECOND));
        assert_eq!(order.recv().await, Some(3));
    }

    #[tokio::test]
    async fn a_sleeper_that_gave_up_is_forgotten() {
        let clock = ManualClock::new();
        tokio::select! {
            biased;
            () = clock.sleep(SECOND) => panic!("no task moved the clock"),
            () = clock.until_sleepers(1) => (),
        }
        assert_eq!(clock.sleepers(), 0);
        assert_eq!(clock.advance_to_next_sleeper(9 * SECOND), None);
    }

    #[test]
    fn a_jump_moves_the_wall_clock_alone() {
        let clock = ManualClock::new();
        clock.advance(5 * SECOND);
        clock.jump(Timestamp::from_unix_ms(7_000));
        assert_eq!(clock.monotonic(), 5 * SECOND);
        clock.advance(SECOND);
        assert_eq!(clock.now(), Timestamp::from_unix_ms(8_000));
    }
}
