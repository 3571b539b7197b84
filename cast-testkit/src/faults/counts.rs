//! How often ports are called.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use super::{Call, Fault, Intercept, Late, Operation};

/// Counts calls of ports, and how much they were about.
///
/// Group commit shows here: under load the ballots grow, and the calls do not.
#[derive(Debug, Default)]
pub struct Counts {
    counted: Mutex<BTreeMap<Operation, Counted>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    calls: u64,
    items: u64,
}

impl Counts {
    /// Nothing counted yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// How often an operation was called.
    pub fn calls(&self, operation: Operation) -> u64 {
        self.of(operation).calls
    }

    /// How many claims, ballots, or candidates' votes an operation was called with.
    pub fn items(&self, operation: Operation) -> u64 {
        self.of(operation).items
    }

    /// Begins to count anew.
    pub fn reset(&self) {
        self.counted().clear();
    }

    fn of(&self, operation: Operation) -> Counted {
        self.counted().get(&operation).copied().unwrap_or_default()
    }

    fn counted(&self) -> MutexGuard<'_, BTreeMap<Operation, Counted>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Intercept for Counts {
    async fn before(&self, call: Call) -> Fault {
        let mut counted = self.counted();
        let of = counted.entry(call.operation).or_default();
        of.calls += 1;
        of.items += call.items as u64;
        Fault::None
    }

    async fn after(&self, _: Call) {}

    fn hold(&self, _: Call, _: Late) {}
}

/// A table of what was counted.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<16} {:>9} {:>9}", "operation", "calls", "items")?;
        for (operation, Counted { calls, items }) in self.counted().iter() {
            writeln!(f, "{operation:<16} {calls:>9} {items:>9}")?;
        }
        Ok(())
    }
}
