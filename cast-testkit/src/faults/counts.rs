//! How often ports are called.

use std::{collections::BTreeMap, fmt, sync::Arc};

use cast_core::ports::{Call, Interceptor, Operation, Reply};
use parking_lot::Mutex;

/// Counts the calls of ports, and the items in them.
///
/// Group commit is visible here: under load the number of ballots grows, and the number of calls does not.
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
    /// All counts are 0.
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

    /// Sets all counts to 0.
    pub fn reset(&self) {
        self.counted.lock().clear();
    }

    fn of(&self, operation: Operation) -> Counted {
        self.counted
            .lock()
            .get(&operation)
            .copied()
            .unwrap_or_default()
    }
}

impl Interceptor for Counts {
    async fn around<R: Reply>(&self, call: Call<'_, R>, run: impl Future<Output = R> + Send) -> R {
        {
            let mut counted = self.counted.lock();
            let of = counted.entry(call.operation).or_default();
            of.calls += 1;
            of.items += call.items as u64;
        }
        run.await
    }
}

/// A table of the counts.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<22} {:>9} {:>9}", "operation", "calls", "items")?;
        for (operation, Counted { calls, items }) in self.counted.lock().iter() {
            writeln!(f, "{operation:<22} {calls:>9} {items:>9}")?;
        }
        Ok(())
    }
}
