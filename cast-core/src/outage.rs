//! Word of an outage: when it begins, and when it is over.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::ports::{Clock, PortError, PortErrorKind};

/// How long an operation must not have failed for its outage to be over: one that fails every other
/// time is one outage, and not a thousand.
const QUIET: Duration = Duration::from_secs(1);

/// Whether one operation works, and since when it does not.
///
/// While a server is down an operation may fail thousands of times a second, all for one reason. That
/// is logged once, with the cause, and once more when it is over, with what it came to.
pub(crate) struct Outage {
    clock: Arc<dyn Clock>,
    /// What it means while it lasts, as the message to log.
    meaning: &'static str,
    /// Looked at before the lock is taken: what works costs next to nothing.
    lasts: AtomicBool,
    failures: Mutex<Option<Failures>>,
}

/// The failures of an outage that lasts, by the monotonic clock.
#[derive(Debug)]
struct Failures {
    first: Duration,
    last: Duration,
    count: u64,
    /// Of the first.
    kind: PortErrorKind,
    operation: &'static str,
    causes: Option<String>,
}

impl Outage {
    /// No outage yet of an operation whose failure has this meaning.
    pub(crate) fn new(clock: &Arc<dyn Clock>, meaning: &'static str) -> Self {
        Self {
            clock: Arc::clone(clock),
            meaning,
            lasts: AtomicBool::new(false),
            failures: Mutex::default(),
        }
    }

    /// Notes how the operation ended this time.
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

    /// Notes that the operation worked.
    pub(crate) fn worked(&self) {
        if self.lasts.load(Ordering::Relaxed)
            && let Some(Failures {
                first, last, count, ..
            }) = self.over()
        {
            let lasted = last.saturating_sub(first);
            tracing::info!(
                failures = count,
                ?lasted,
                "it works again: {}",
                self.meaning
            );
        }
    }

    /// How it began, while it lasts.
    pub(crate) fn lasting(&self) -> Option<PortError> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let first = failures.as_ref()?;
        let error = PortError::new(first.kind, first.operation);
        Some(match &first.causes {
            Some(causes) => error.because(causes.clone()),
            None => error,
        })
    }

    fn is_first_failure(&self, error: &PortError) -> bool {
        let now = self.clock.monotonic();
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *failures {
            Some(failures) => {
                failures.last = now;
                failures.count += 1;
                false
            }
            none => {
                *none = Some(Failures {
                    first: now,
                    last: now,
                    count: 1,
                    kind: error.kind(),
                    operation: error.operation(),
                    causes: error.causes(),
                });
                self.lasts.store(true, Ordering::Relaxed);
                true
            }
        }
    }

    /// The outage that has just proved to be over.
    fn over(&self) -> Option<Failures> {
        let now = self.clock.monotonic();
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let over = failures.take_if(|failures| now.saturating_sub(failures.last) >= QUIET);
        if over.is_some() {
            self.lasts.store(false, Ordering::Relaxed);
        }
        over
    }
}
