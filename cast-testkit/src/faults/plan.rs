//! Which call fails, and how.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    sync::Arc,
};

use cast_core::{
    domain::Clock,
    ports::{Call, Interceptor, Operation, Reply},
};
use parking_lot::Mutex;

use super::{
    fault::{Fault, HeldCall},
    odds::Odds,
};
use crate::seed::Seed;

/// Decides which call fails, and how: by a script, by a permanent fault, or by a seed and odds, in
/// this order. Counts the faults that it injected.
pub struct FaultPlan {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    script: HashMap<Operation, VecDeque<Fault>>,
    permanent: HashMap<Operation, Fault>,
    random: Option<(Seed, Odds)>,
    calls: HashMap<Operation, u64>,
    injected: BTreeMap<(Operation, &'static str), u64>,
    held: VecDeque<(Operation, HeldCall)>,
}

impl FaultPlan {
    /// A plan without faults yet. Delays are by `clock`.
    pub fn quiet(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            state: Mutex::default(),
        })
    }

    /// A plan with random faults.
    pub fn seeded(clock: Arc<dyn Clock>, seed: Seed, odds: Odds) -> Arc<Self> {
        let plan = Self::quiet(clock);
        plan.randomly(seed, odds);
        plan
    }

    /// Injects random faults from now on, into calls that have neither a scripted nor a permanent one.
    pub fn randomly(&self, seed: Seed, odds: Odds) {
        self.state.lock().random = Some((seed, odds));
    }

    /// Injects a fault into the next call of an operation that has no scripted fault yet.
    pub fn next(&self, operation: Operation, fault: Fault) {
        let mut state = self.state.lock();
        let script = state.script.entry(operation).or_default();
        script.push_back(fault);
    }

    /// Injects a fault into every call of an operation, until [`clear`](Self::clear).
    pub fn always(&self, operation: Operation, fault: Fault) {
        self.state.lock().permanent.insert(operation, fault);
    }

    /// Ends all faults: scripted, permanent and random ones. Calls that are held back stay so.
    pub fn clear(&self) {
        let mut state = self.state.lock();
        state.script.clear();
        state.permanent.clear();
        state.random = None;
    }

    /// Carries out all calls that are held back; returns how many they were.
    pub async fn deliver_held(&self) -> usize {
        let held = std::mem::take(&mut self.state.lock().held);
        let count = held.len();
        for (_, late) in held {
            late.await;
        }
        count
    }

    /// How often each fault was injected, by operation and [name](Fault::name).
    pub fn injected(&self) -> BTreeMap<(Operation, &'static str), u64> {
        self.state.lock().injected.clone()
    }

    /// How often a fault was injected, over all operations.
    pub fn injected_in_all(&self, fault: Fault) -> u64 {
        let injected = self.injected();
        let of = injected
            .iter()
            .filter(|((_, name), _)| *name == fault.name());
        of.map(|(_, count)| count).sum()
    }

    fn decide(&self, operation: Operation) -> Fault {
        let mut state = self.state.lock();
        let calls = state.calls.entry(operation).or_default();
        let nth = *calls;
        *calls += 1;
        let scripted = state
            .script
            .get_mut(&operation)
            .and_then(VecDeque::pop_front);
        let fault = scripted
            .or_else(|| state.permanent.get(&operation).copied())
            .or_else(|| {
                let (seed, odds) = state.random.as_ref()?;
                Some(odds.draw(*seed, operation, nth))
            })
            .unwrap_or(Fault::None);
        if fault != Fault::None {
            let injected = &mut state.injected;
            *injected.entry((operation, fault.name())).or_default() += 1;
        }
        fault
    }

    fn hold(&self, operation: Operation, call: HeldCall) {
        self.state.lock().held.push_back((operation, call));
    }

    /// Carries out the oldest call of an operation that is held back.
    async fn deliver(&self, operation: Operation) {
        let held = {
            let mut state = self.state.lock();
            let at = state.held.iter().position(|(of, _)| *of == operation);
            at.and_then(|at| state.held.remove(at))
        };
        if let Some((_, late)) = held {
            late.await;
        }
    }
}

impl Interceptor for FaultPlan {
    async fn around<R: Reply>(&self, call: Call<'_, R>, run: impl Future<Output = R> + Send) -> R {
        let operation = call.operation;
        let fault = self.decide(operation);
        if let Fault::Delayed(delay) = fault {
            self.clock.sleep(delay).await;
        }
        let hold = |late| self.hold(operation, late);
        fault
            .carry_out(call, run, hold, self.deliver(operation))
            .await
    }
}

/// A table of the injected faults.
impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((operation, fault), count) in self.injected() {
            writeln!(f, "{operation:<22} {fault:<24} {count:>9}")?;
        }
        Ok(())
    }
}
