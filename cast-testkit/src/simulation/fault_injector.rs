//! Between a process and its ports: delays, faults, and the points at which the process crashes or
//! freezes.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cast_core::{
    domain::Clock as _,
    ports::{Call, Interceptor, Operation, Reply},
};

use super::{
    coverage::RareState, instance::ProcessInstance, process_state::ProcessFault, world::World,
};
use crate::{
    entropy::{SeededEntropy, mix},
    faults::{Fault, HeldCall, Moment},
};

/// How long a call may be held back, in ms.
const LONGEST_HELD_MS: u64 = 3_000;

tokio::task_local! {
    /// How many calls of a task had a fault or have not returned, for a task that asks for it.
    pub(super) static UNSUCCESSFUL_CALLS: Arc<AtomicU64>;
}

/// Injects the faults of a history into the calls of one process.
pub(super) struct FaultInjector {
    pub(super) world: Arc<World>,
    pub(super) instance: Arc<ProcessInstance>,
    /// Crashes or freezes the process.
    pub(super) fail_process: Box<dyn Fn(ProcessFault) + Send + Sync>,
}

impl FaultInjector {
    /// The randomness of one call: it depends on which call of the process it is, and on nothing else.
    fn random(&self, operation: Operation, nth: u64) -> SeededEntropy {
        let call = (operation as u64) << 32 ^ nth;
        SeededEntropy::new(mix(self.instance.seed(self.world.seed) ^ mix(call)))
    }

    async fn delay(&self, random: &SeededEntropy) {
        let jitter_us = self.world.setup.jitter_us;
        if jitter_us == 0 {
            return;
        }
        let us = match random.below(20) {
            0..=9 => return,
            10..=18 => random.below(jitter_us),
            _ => random.below(8 * jitter_us),
        };
        self.world.clock.sleep(Duration::from_micros(us)).await;
    }

    /// Passes a point at which the process may be frozen, crash or freeze.
    async fn pass(&self, operation: Operation, moment: Moment) {
        let state = &self.instance.state;
        state.running().await;
        if let Some(fault) = state.take_fault_at(operation, moment) {
            if let (ProcessFault::Crash { .. }, Some(reached)) = (fault, point(operation, moment)) {
                self.world.reached(reached);
            }
            (self.fail_process)(fault);
            state.running().await;
        }
    }

    fn trace(&self, operation: Operation, what: &'static str, fault: Fault) {
        let instance = &self.instance;
        let code = code(what) ^ mix(code(fault.name()) ^ (operation as u64));
        self.world.trace(instance.number() ^ code, || {
            let fault = match fault {
                Fault::None => String::new(),
                fault => format!(" [{}]", fault.name()),
            };
            format!("{instance} {what} {operation}{fault}")
        });
    }

    /// Decides what becomes of a call, and waits until it is to happen.
    async fn before(&self, operation: Operation) -> Fault {
        if !self.world.count_call() {
            pending::<()>().await;
        }
        let nth = self.instance.count_call(operation);
        // Most tasks do not ask for it.
        let _ = UNSUCCESSFUL_CALLS.try_with(|calls| calls.fetch_add(1, Ordering::Relaxed));
        self.pass(operation, Moment::Before).await;
        let random = self.random(operation, nth);
        self.delay(&random).await;
        let fault = self.world.fault_of(operation, random.below(100));
        self.trace(operation, "calls", fault);
        if let Fault::Delayed(delay) = fault {
            if operation == Operation::Publish {
                self.world.reached(RareState::SlowLog);
            }
            self.world.clock.sleep(delay).await;
        }
        self.instance.state.running().await;
        fault
    }

    /// Waits between a call and its reply.
    async fn after(&self, operation: Operation) {
        self.trace(operation, "has done", Fault::None);
        self.pass(operation, Moment::After).await;
        let nth = self.instance.calls(operation);
        self.delay(&self.random(operation, mix(nth))).await;
        self.instance.state.running().await;
    }

    /// Has a call that is held back happen later.
    fn hold(&self, operation: Operation, call: HeldCall) {
        let nth = self.instance.calls(operation);
        let ms = self.random(operation, mix(nth + 1)).below(LONGEST_HELD_MS) + 1;
        let world = Arc::clone(&self.world);
        world.held.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            world.clock.sleep(Duration::from_millis(ms)).await;
            world.trace(operation as u64, || format!("{operation} happens late"));
            call.await;
            world.held.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

impl Interceptor for FaultInjector {
    async fn around<R: Reply>(&self, call: Call<'_, R>, run: impl Future<Output = R> + Send) -> R {
        let operation = call.operation;
        let fault = self.before(operation).await;
        let hold = |late| self.hold(operation, late);
        let reply = fault.carry_out(call, run, hold, self.after(operation));
        let reply = reply.await;
        if fault == Fault::None {
            let _ = UNSUCCESSFUL_CALLS.try_with(|calls| calls.fetch_sub(1, Ordering::Relaxed));
        }
        reply
    }
}

/// A number for a word.
fn code(word: &str) -> u64 {
    let letters = word.bytes();
    letters.fold(0, |code, letter| mix(code ^ u64::from(letter)))
}

/// The rare state that a crash at this point is.
const fn point(operation: Operation, moment: Moment) -> Option<RareState> {
    use Operation as O;
    use RareState as S;
    let is_before = matches!(moment, Moment::Before);
    Some(match (operation, is_before) {
        (O::Redeem, true) => S::ApiDiedBeforeRedeem,
        (O::Redeem, false) | (O::Publish, true) => S::ApiDiedAfterRedeem,
        (O::Publish, false) | (O::Record, true) => S::ApiDiedAfterPublish,
        (O::Record, false) => S::ApiDiedAfterRecord,
        (O::Apply, true) => S::ConsumerDiedBeforeApply,
        (O::Apply, false) | (O::Reconcile, true) => S::ConsumerDiedAfterApply,
        (O::Reconcile, false) | (O::Commit, true) => S::ConsumerDiedAfterReconcile,
        (O::Commit, false) => S::ConsumerDiedAfterCommit,
        (O::PublishTicket, _) => S::GeneratorDied,
        _ => return None,
    })
}
