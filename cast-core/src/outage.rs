//! Logging an outage once: when it begins, and when it is over.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;

use crate::{domain::Clock, ports::PortError};

/// An outage is over at the first success that comes so long after the last failure. An operation that
/// fails every other time is one outage, and not a thousand.
const QUIET: Duration = Duration::from_secs(1);

/// Whether one operation works, and since when it fails.
///
/// While a server is down, an operation may fail thousands of times a second for one reason. The first
/// failure is logged with its cause, and the end of the outage with the number of failures.
pub(crate) struct Outage {
    clock: Arc<dyn Clock>,
    /// The message to log: the effect of the outage.
    meaning: &'static str,
    /// Read before the lock is taken, so that a success costs next to nothing.
    lasts: AtomicBool,
    failures: Mutex<Option<Failures>>,
}

/// The failures of an outage that lasts. Times are of the monotonic clock.
#[derive(Debug)]
struct Failures {
    first: Duration,
    last: Duration,
    count: u64,
    /// A copy of the first error.
    error: PortError,
}

impl Outage {
    /// An operation that works so far. `meaning` is logged as the effect of its failure.
    pub(crate) fn new(clock: &Arc<dyn Clock>, meaning: &'static str) -> Self {
        Self {
            clock: Arc::clone(clock),
            meaning,
            lasts: AtomicBool::new(false),
            failures: Mutex::default(),
        }
    }

    /// Notes the result of the operation.
    pub(crate) fn note<T>(&self, result: &Result<T, PortError>) {
        match result {
            Ok(_) => self.worked(),
            Err(error) => self.failed(error),
        }
    }

    /// Notes that the operation failed.
    pub(crate) fn failed(&self, error: &PortError) {
        if self.is_first_failure(error) {
            tracing::warn!(error = error.chain(), "{}", self.meaning);
        }
    }

    /// Notes that the operation succeeded.
    pub(crate) fn worked(&self) {
        if self.lasts.load(Ordering::Relaxed)
            && let Some(Failures {
                first, last, count, ..
            }) = self.end()
        {
            let lasted = last.saturating_sub(first);
            tracing::info!(failures = count, ?lasted, "recovered: {}", self.meaning);
        }
    }

    /// The first error of the outage, while it lasts.
    pub(crate) fn lasting(&self) -> Option<PortError> {
        let failures = self.failures.lock();
        failures.as_ref().map(|failures| failures.error.copied())
    }

    fn is_first_failure(&self, error: &PortError) -> bool {
        let now = self.clock.monotonic();
        let mut failures = self.failures.lock();
        if let Some(failures) = &mut *failures {
            failures.last = now;
            failures.count += 1;
            return false;
        }
        *failures = Some(Failures {
            first: now,
            last: now,
            count: 1,
            error: error.copied(),
        });
        self.lasts.store(true, Ordering::Relaxed);
        true
    }

    /// The outage, if the last failure is long enough ago.
    fn end(&self) -> Option<Failures> {
        let now = self.clock.monotonic();
        let mut failures = self.failures.lock();
        let ended = failures.take_if(|failures| now.saturating_sub(failures.last) >= QUIET);
        if ended.is_some() {
            self.lasts.store(false, Ordering::Relaxed);
        }
        ended
    }
}
