//! Calls of the ports: how many, how they ended, how long they took.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use cast_core::ports::{Clock, PortError, PortErrorKind};
use metrics::{Counter, Histogram};

use super::{catalog, registry::Registry};

macro_rules! operations {
    ($($variant:ident => ($port:literal, $name:literal),)*) => {
        /// An operation of a port.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Operation {
            $($variant,)*
        }

        impl Operation {
            const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The port, as `/readyz` calls it, and the method.
            const fn labels(self) -> (&'static str, &'static str) {
                match self {
                    $(Self::$variant => ($port, $name),)*
                }
            }
        }
    };
}

operations! {
    Now => ("tickets", "now"),
    PublishTicket => ("tickets", "publish"),
    CurrentTicket => ("tickets", "current"),
    Redeem => ("tickets", "redeem"),
    Partitions => ("log", "partitions"),
    Publish => ("log", "publish"),
    Subscribe => ("log", "subscribe"),
    Lag => ("log", "lag"),
    Next => ("log", "next"),
    Seek => ("log", "seek"),
    Commit => ("log", "commit"),
    Close => ("log", "close"),
    Record => ("counter", "record"),
    Reconcile => ("counter", "reconcile"),
    Read => ("counter", "read"),
    AppliedTotals => ("counter", "applied_totals"),
    Progress => ("store", "progress"),
    Apply => ("store", "apply"),
    DryRun => ("store", "dry_run"),
    Tallies => ("store", "tallies"),
    Leaders => ("store", "leaders"),
    Ballot => ("store", "ballot"),
    Recount => ("store", "recount"),
    StoredBallots => ("store", "stored_ballots"),
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Ok,
    Unavailable,
    OutcomeUnknown,
    Corrupt,
    Misconfigured,
    /// Its caller waited no longer: a deadline passed, or who asked has gone.
    Dropped,
}

impl Ended {
    const ALL: [Self; 6] = [
        Self::Ok,
        Self::Unavailable,
        Self::OutcomeUnknown,
        Self::Corrupt,
        Self::Misconfigured,
        Self::Dropped,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unavailable => "unavailable",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Corrupt => "corrupt",
            Self::Misconfigured => "misconfigured",
            Self::Dropped => "dropped",
        }
    }

    pub(crate) const fn of<T>(result: &Result<T, PortError>) -> Self {
        match result {
            Ok(_) => Self::Ok,
            Err(error) => match error.kind() {
                PortErrorKind::Unavailable => Self::Unavailable,
                PortErrorKind::OutcomeUnknown => Self::OutcomeUnknown,
                PortErrorKind::Corrupt => Self::Corrupt,
                PortErrorKind::Misconfigured => Self::Misconfigured,
            },
        }
    }
}

/// Counts and times the calls of all ports.
pub(crate) struct Calls {
    clock: Arc<dyn Clock>,
    registry: Arc<Registry>,
    by_operation: Vec<OfOperation>,
}

struct OfOperation {
    /// There from the beginning, at zero: the first failure is then seen as a growth.
    counts: [Counter; Ended::ALL.len()],
    /// Made when the first call ends so: most never do, and each is a dozen and a half series.
    seconds: [OnceLock<Histogram>; Ended::ALL.len()],
}

impl Calls {
    pub(super) fn new(registry: &Arc<Registry>, clock: &Arc<dyn Clock>) -> Self {
        let of_operation = |operation: &Operation| OfOperation {
            counts: Ended::ALL.map(|outcome| {
                registry.counter(&catalog::PORT_CALLS, &labels(*operation, outcome))
            }),
            seconds: Default::default(),
        };
        Self {
            by_operation: Operation::ALL.iter().map(of_operation).collect(),
            clock: Arc::clone(clock),
            registry: Arc::clone(registry),
        }
    }

    /// A call that begins now.
    pub(crate) fn begin(&self, operation: Operation) -> Call<'_> {
        Call {
            calls: self,
            operation,
            start: self.clock.monotonic(),
            is_over: false,
        }
    }

    /// Counts a call whose duration says nothing.
    pub(crate) fn count(&self, operation: Operation, outcome: Ended) {
        self.by_operation[operation as usize].counts[outcome as usize].increment(1);
    }

    fn ended(&self, operation: Operation, outcome: Ended, took: Duration) {
        self.count(operation, outcome);
        let seconds = &self.by_operation[operation as usize].seconds[outcome as usize];
        let register = || {
            let labels = labels(operation, outcome);
            self.registry
                .histogram(&catalog::PORT_CALL_SECONDS, &labels)
        };
        seconds.get_or_init(register).record(took);
    }
}

/// A call that is under way.
pub(crate) struct Call<'a> {
    calls: &'a Calls,
    operation: Operation,
    start: Duration,
    is_over: bool,
}

impl Call<'_> {
    /// It ended so.
    pub(crate) fn end(mut self, outcome: Ended) {
        self.is_over = true;
        self.note(outcome);
    }

    fn note(&self, outcome: Ended) {
        let took = self.calls.clock.monotonic().saturating_sub(self.start);
        self.calls.ended(self.operation, outcome, took);
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.note(Ended::Dropped);
        }
    }
}

const fn labels(operation: Operation, outcome: Ended) -> [&'static str; 3] {
    let (port, name) = operation.labels();
    [port, name, outcome.as_str()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_is_counted_in_its_own_place() {
        for (at, outcome) in Ended::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, at, "{outcome:?}");
        }
    }
}
