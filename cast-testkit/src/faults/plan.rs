//! Which call fails, and how.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use cast_core::ports::Clock;

use super::{Call, Intercept, Late, Odds, Operation};
use crate::seed::Seed;

/// What becomes of a call: whether it happens, and whether its caller is told.
///
/// | | told | not told: an error | not told: silence |
/// |---|---|---|---|
/// | **happens** | `None` | `DoneButUntold` | `DoneInSilence` |
/// | **does not** | `Refused` | `Lost` | `LostInSilence` |
///
/// Silence lasts until the caller drops the call. Besides, a call may be late, happen twice, or
/// happen after others that were called later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It happens, and the caller is told.
    None,
    /// It happens, and the caller is told that the outcome is unknown.
    DoneButUntold,
    /// It happens, and the caller hears nothing.
    DoneInSilence,
    /// It does not happen, and the caller is told so: unavailable.
    Refused,
    /// It does not happen, and the caller is told that the outcome is unknown.
    Lost,
    /// It does not happen, and the caller hears nothing.
    LostInSilence,
    /// It happens after some time, and the caller is told.
    Delayed(Duration),
    /// It happens twice, and the caller is told of the first time.
    Twice,
    /// The caller is told that the outcome is unknown; it happens after a later call of the same
    /// operation, or when the plan [delivers](FaultPlan::deliver_held) it.
    HeldBack,
}

impl Fault {
    /// Its name, in counts of what fired.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::DoneButUntold => "done but untold",
            Self::DoneInSilence => "done in silence",
            Self::Refused => "refused",
            Self::Lost => "lost",
            Self::LostInSilence => "lost in silence",
            Self::Delayed(_) => "delayed",
            Self::Twice => "twice",
            Self::HeldBack => "held back",
        }
    }
}

/// Decides which call fails, and how: by a script, by standing orders, or by a seed and odds, in this
/// order. Counts what fired.
pub struct FaultPlan {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    script: HashMap<Operation, VecDeque<Fault>>,
    standing: HashMap<Operation, Fault>,
    dice: Option<(Seed, Odds)>,
    calls: HashMap<Operation, u64>,
    fired: BTreeMap<(Operation, &'static str), u64>,
    held: VecDeque<(Operation, Late)>,
}

impl FaultPlan {
    /// A plan without faults yet. Delays are by `clock`.
    pub fn quiet(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            state: Mutex::default(),
        })
    }

    /// A plan that throws dice.
    pub fn seeded(clock: Arc<dyn Clock>, seed: Seed, odds: Odds) -> Arc<Self> {
        let plan = Self::quiet(clock);
        plan.throw(seed, odds);
        plan
    }

    /// Throws dice from now on, for calls that neither the script nor standing orders are about.
    pub fn throw(&self, seed: Seed, odds: Odds) {
        self.state().dice = Some((seed, odds));
    }

    /// Has the next call of an operation, behind those that have their fault already, end so.
    pub fn next(&self, operation: Operation, fault: Fault) {
        self.state()
            .script
            .entry(operation)
            .or_default()
            .push_back(fault);
    }

    /// Has every call of an operation end so, until [`heal`](Self::heal).
    pub fn always(&self, operation: Operation, fault: Fault) {
        self.state().standing.insert(operation, fault);
    }

    /// Ends all faults: script, standing orders and dice. What is held back stays so.
    pub fn heal(&self) {
        let mut state = self.state();
        state.script.clear();
        state.standing.clear();
        state.dice = None;
    }

    /// Has everything happen now that was held back; returns how much it was.
    pub async fn deliver_held(&self) -> usize {
        let held = std::mem::take(&mut self.state().held);
        let count = held.len();
        for (_, late) in held {
            late.await;
        }
        count
    }

    /// How often each fault has fired, by operation and [name](Fault::name).
    pub fn fired(&self) -> BTreeMap<(Operation, &'static str), u64> {
        self.state().fired.clone()
    }

    /// How often a fault has fired, over all operations.
    pub fn fired_in_all(&self, fault: Fault) -> u64 {
        let fired = self.fired();
        let of = fired.iter().filter(|((_, name), _)| *name == fault.name());
        of.map(|(_, count)| count).sum()
    }

    fn decide(&self, operation: Operation) -> Fault {
        let mut state = self.state();
        let nth = state.calls.entry(operation).or_default();
        let this = *nth;
        *nth += 1;
        let scripted = state
            .script
            .get_mut(&operation)
            .and_then(VecDeque::pop_front);
        let fault = scripted
            .or_else(|| state.standing.get(&operation).copied())
            .or_else(|| {
                let (seed, odds) = state.dice.as_ref()?;
                Some(odds.throw(*seed, operation, this))
            })
            .unwrap_or(Fault::None);
        if fault != Fault::None {
            *state.fired.entry((operation, fault.name())).or_default() += 1;
        }
        fault
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Intercept for FaultPlan {
    async fn before(&self, call: Call) -> Fault {
        let fault = self.decide(call.operation);
        if let Fault::Delayed(delay) = fault {
            self.clock.sleep(delay).await;
        }
        fault
    }

    async fn after(&self, call: Call) {
        let late = {
            let mut state = self.state();
            let waiting = state
                .held
                .iter()
                .position(|(held, _)| *held == call.operation);
            waiting.and_then(|at| state.held.remove(at))
        };
        if let Some((_, late)) = late {
            late.await;
        }
    }

    fn hold(&self, call: Call, late: Late) {
        self.state().held.push_back((call.operation, late));
    }
}

/// A table of what fired.
impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((operation, fault), count) in self.fired() {
            writeln!(f, "{operation:<16} {fault:<16} {count:>9}")?;
        }
        Ok(())
    }
}
