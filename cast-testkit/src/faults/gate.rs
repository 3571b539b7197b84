//! Calls that are held until a test releases them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use cast_core::ports::{Call, Interceptor, Operation, Reply};
use tokio::sync::watch;

use crate::waiting::{PATIENCE, within};

/// Holds calls until they are released.
///
/// Closed [before](Moment::Before), it makes a port slow: callers pile up, and nothing has happened.
/// Closed [after](Moment::After), the operation has happened and its caller has no reply yet: the
/// moment to drop the caller, as a crash does.
#[derive(Debug, Default)]
pub struct Gate {
    state: watch::Sender<State>,
}

/// When a call is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// It has not happened yet.
    Before,
    /// It has happened, and its caller has no reply yet.
    After,
}

type Place = (Operation, Moment);

#[derive(Debug, Default)]
struct State {
    closed: BTreeSet<Place>,
    waiting: BTreeMap<Place, usize>,
    /// How many calls may pass although it is closed.
    passes: BTreeMap<Place, usize>,
}

impl Gate {
    /// A gate that is open everywhere.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Holds the calls of an operation from now on.
    pub fn close(&self, operation: Operation, moment: Moment) {
        self.state.send_modify(|state| {
            state.closed.insert((operation, moment));
        });
    }

    /// Releases the calls of an operation, those that wait included.
    pub fn open(&self, operation: Operation, moment: Moment) {
        self.state.send_modify(|state| {
            state.closed.remove(&(operation, moment));
            state.passes.remove(&(operation, moment));
        });
    }

    /// Releases `count` calls, those that wait first, and stays closed.
    pub fn let_through(&self, operation: Operation, moment: Moment, count: usize) {
        self.state.send_modify(|state| {
            *state.passes.entry((operation, moment)).or_default() += count;
        });
    }

    /// How many calls are held.
    pub fn waiting(&self, operation: Operation, moment: Moment) -> usize {
        self.state.borrow().waiting_at((operation, moment))
    }

    /// Waits until at least `count` calls are held.
    ///
    /// # Panics
    ///
    /// When fewer are held after 20 seconds.
    pub async fn until_waiting(&self, operation: Operation, moment: Moment, count: usize) {
        let mut state = self.state.subscribe();
        let enough = state.wait_for(|now| now.waiting_at((operation, moment)) >= count);
        let what = format_args!("{count} calls held at the gate, {moment:?} {operation}");
        let enough = within(PATIENCE, what, enough).await;
        drop(enough.expect("the gate outlives the wait"));
    }

    async fn pass(&self, place: Place) {
        let mut state = self.state.subscribe();
        if self.try_pass(place) {
            return;
        }
        let _waiting = Waiting::at(self, place);
        while !self.try_pass(place) {
            state.changed().await.expect("the gate outlives the wait");
        }
    }

    fn try_pass(&self, place: Place) -> bool {
        let mut passed = false;
        self.state.send_if_modified(|state| {
            let closed = state.closed.contains(&place);
            let pass = state
                .passes
                .get_mut(&place)
                .filter(|left| closed && **left > 0);
            passed = !closed || pass.is_some();
            pass.map(|left| *left -= 1).is_some()
        });
        passed
    }
}

impl State {
    fn waiting_at(&self, place: Place) -> usize {
        self.waiting.get(&place).copied().unwrap_or(0)
    }
}

/// Counts a call as waiting, until it passes or is dropped.
struct Waiting<'a> {
    gate: &'a Gate,
    place: Place,
}

impl<'a> Waiting<'a> {
    fn at(gate: &'a Gate, place: Place) -> Self {
        gate.state
            .send_modify(|state| *state.waiting.entry(place).or_default() += 1);
        Self { gate, place }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.gate.state.send_modify(|state| {
            if let Some(waiting) = state.waiting.get_mut(&self.place) {
                *waiting -= 1;
            }
        });
    }
}

impl Interceptor for Gate {
    async fn around<R: Reply>(&self, call: Call<'_, R>, run: impl Future<Output = R> + Send) -> R {
        let operation = call.operation;
        self.pass((operation, Moment::Before)).await;
        let reply = run.await;
        // A batch whose reader gives up here would be lost.
        if operation != Operation::Next {
            self.pass((operation, Moment::After)).await;
        }
        reply
    }
}
