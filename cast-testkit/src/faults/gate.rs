//! Operations that are held until a test lets them go.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use tokio::sync::watch;

use super::{Call, Fault, Intercept, Late, Operation};

/// Holds operations until they are let go.
///
/// Closed [before](Moment::Before), it makes a port slow: callers pile up, and nothing has happened.
/// Closed [after](Moment::After), what was asked for has happened and its caller does not know yet:
/// the moment to drop the caller, as a crash does.
#[derive(Debug, Default)]
pub struct Gate {
    state: watch::Sender<State>,
}

/// When an operation is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// It has not happened yet.
    Before,
    /// It has happened, and its caller has not been told.
    After,
}

type Place = (Operation, Moment);

#[derive(Debug, Default)]
struct State {
    closed: BTreeSet<Place>,
    waiting: BTreeMap<Place, usize>,
    /// How many may pass though it is closed.
    passes: BTreeMap<Place, usize>,
}

impl Gate {
    /// A gate that is open everywhere.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Holds an operation from now on.
    pub fn close(&self, operation: Operation, moment: Moment) {
        self.state.send_modify(|state| {
            state.closed.insert((operation, moment));
        });
    }

    /// Lets go of an operation, and of all that wait for it.
    pub fn open(&self, operation: Operation, moment: Moment) {
        self.state.send_modify(|state| {
            state.closed.remove(&(operation, moment));
            state.passes.remove(&(operation, moment));
        });
    }

    /// Lets `count` calls pass, those that wait first, and stays closed.
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
    pub async fn until_waiting(&self, operation: Operation, moment: Moment, count: usize) {
        let mut state = self.state.subscribe();
        let enough = state
            .wait_for(|now| now.waiting_at((operation, moment)) >= count)
            .await;
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

/// Counts who waits, until it goes on or gives up.
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

#[async_trait]
impl Intercept for Gate {
    async fn before(&self, call: Call) -> Fault {
        self.pass((call.operation, Moment::Before)).await;
        Fault::None
    }

    async fn after(&self, call: Call) {
        self.pass((call.operation, Moment::After)).await;
    }

    fn hold(&self, _: Call, _: Late) {}
}
