//! What stands between a process and its ports: delays, faults, and traps.

use std::{
    future::pending,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;

use super::{
    coverage::RareState,
    life::Then,
    process::{Body, Processes},
    world::World,
};
use crate::{
    entropy::{SeededEntropy, mix},
    faults::{Call, Fault, Intercept, Late, Moment, Operation},
};

/// How long a call may be held back, in ms.
const LONGEST_HELD_MS: u64 = 3_000;

tokio::task_local! {
    /// How the calls of a task went, for a task that wants to know.
    pub(super) static WATCHED: Arc<Watch>;
}

#[derive(Default)]
pub(super) struct Watch {
    started: AtomicU64,
    /// Those that nothing was done to.
    clean: AtomicU64,
    finished: AtomicU64,
}

impl Watch {
    /// Whether nothing was done to any of the calls, and each came to its end.
    pub(super) fn all_went_well(&self) -> bool {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        of(&self.started) == of(&self.clean) && of(&self.started) == of(&self.finished)
    }
}

fn watch(count: impl FnOnce(&Watch) -> &AtomicU64) {
    // Most tasks do not want to know.
    let _ = WATCHED.try_with(|watch| count(watch).fetch_add(1, Ordering::Relaxed));
}

pub(super) struct Gremlin {
    pub(super) world: Arc<World>,
    pub(super) body: Arc<Body>,
    pub(super) processes: Weak<Processes>,
}

impl Gremlin {
    /// The dice of one call: they depend on which call of the process it is, and on nothing else.
    fn dice(&self, operation: Operation, nth: u64) -> SeededEntropy {
        let call = (operation as u64) << 32 ^ nth;
        SeededEntropy::new(mix(self.body.dice_of(self.world.seed) ^ mix(call)))
    }

    async fn delay(&self, dice: &SeededEntropy) {
        let jitter_us = self.world.setup.jitter_us;
        if jitter_us == 0 {
            return;
        }
        let us = match dice.below(20) {
            0..=9 => return,
            10..=18 => dice.below(jitter_us),
            _ => dice.below(8 * jitter_us),
        };
        self.world.clock.pause(Duration::from_micros(us)).await;
    }

    /// Comes by a point where the process may stand still, or be trapped.
    async fn pass(&self, operation: Operation, moment: Moment) {
        self.body.life.pass().await;
        if let Some(then) = self.body.life.spring(operation, moment) {
            if let Some(processes) = self.processes.upgrade() {
                self.trap(&processes, operation, moment, then);
            }
            self.body.life.pass().await;
        }
    }

    fn trap(&self, processes: &Arc<Processes>, operation: Operation, moment: Moment, then: Then) {
        match then {
            Then::Die { restart_after } => {
                if let Some(state) = point(operation, moment) {
                    self.world.reached(state);
                }
                processes.die(&self.body, restart_after);
            }
            Then::Freeze { lasts } => processes.freeze(&self.body, lasts),
        }
    }

    fn note(&self, operation: Operation, what: &'static str, fault: Fault) {
        let body = &self.body;
        let code = code(what) ^ mix(code(fault.name()) ^ (operation as u64));
        self.world.note(body.number() ^ code, || {
            let fault = match fault {
                Fault::None => String::new(),
                fault => format!(" [{}]", fault.name()),
            };
            format!("{body} {what} {operation}{fault}")
        });
    }
}

/// A number for a word.
fn code(word: &str) -> u64 {
    let letters = word.bytes();
    letters.fold(0, |code, letter| mix(code ^ u64::from(letter)))
}

/// The rare state that a death at this point is.
const fn point(operation: Operation, moment: Moment) -> Option<RareState> {
    use Operation as O;
    use RareState as S;
    let is_before = matches!(moment, Moment::Before);
    Some(match (operation, is_before) {
        (O::Redeem, true) => S::DoorDiedBeforeRedeem,
        (O::Redeem, false) | (O::Publish, true) => S::DoorDiedAfterRedeem,
        (O::Publish, false) | (O::Record, true) => S::DoorDiedAfterPublish,
        (O::Record, false) => S::DoorDiedAfterRecord,
        (O::Apply, true) => S::ConsumerDiedBeforeApply,
        (O::Apply, false) | (O::Reconcile, true) => S::ConsumerDiedAfterApply,
        (O::Reconcile, false) | (O::Commit, true) => S::ConsumerDiedAfterReconcile,
        (O::Commit, false) => S::ConsumerDiedAfterCommit,
        (O::PublishTicket, _) => S::GeneratorDied,
        _ => return None,
    })
}

#[async_trait]
impl Intercept for Gremlin {
    async fn before(&self, call: Call) -> Fault {
        if !self.world.count_call() {
            pending::<()>().await;
        }
        let operation = call.operation;
        let nth = self.body.calls(operation).fetch_add(1, Ordering::Relaxed);
        watch(|watch| &watch.started);
        self.pass(operation, Moment::Before).await;
        let dice = self.dice(operation, nth);
        self.delay(&dice).await;
        let fault = self.world.fault_of(operation, dice.below(100));
        self.note(operation, "calls", fault);
        if fault == Fault::None {
            watch(|watch| &watch.clean);
        }
        if let Fault::Delayed(delay) = fault {
            if operation == Operation::Publish {
                self.world.reached(RareState::SlowLog);
            }
            self.world.clock.pause(delay).await;
        }
        self.body.life.pass().await;
        fault
    }

    async fn after(&self, call: Call) {
        let operation = call.operation;
        self.note(operation, "has done", Fault::None);
        self.pass(operation, Moment::After).await;
        let nth = self.body.calls(operation).load(Ordering::Relaxed);
        self.delay(&self.dice(operation, mix(nth))).await;
        self.body.life.pass().await;
        watch(|watch| &watch.finished);
    }

    fn hold(&self, call: Call, late: Late) {
        let operation = call.operation;
        let nth = self.body.calls(operation).load(Ordering::Relaxed);
        let ms = self.dice(operation, mix(nth + 1)).below(LONGEST_HELD_MS) + 1;
        let world = Arc::clone(&self.world);
        world.held.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            world.clock.pause(Duration::from_millis(ms)).await;
            world.note(operation as u64, || format!("late comes {operation}"));
            late.await;
            world.held.fetch_sub(1, Ordering::Relaxed);
        });
    }
}
