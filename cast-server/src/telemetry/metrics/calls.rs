//! Calls of the ports: how many, how they ended, how long they took.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use cast_core::{
    domain::Clock,
    ports::{Operation, PortError, PortErrorKind},
};
use metrics::{Counter, Histogram};

use super::{catalog, registry::Registry};
use crate::protocol::text_enum;

text_enum! {
    /// How a call ended.
    CallOutcome {
        Ok = "ok",
        Unavailable = "unavailable",
        OutcomeUnknown = "outcome_unknown",
        Corrupt = "corrupt",
        Misconfigured = "misconfigured",
        /// Its caller dropped it: at a deadline, or because the client has disconnected.
        Dropped = "dropped",
    }
}

impl CallOutcome {
    /// The outcome of a call with this error, if any.
    pub(crate) fn of_error(error: Option<&PortError>) -> Self {
        match error.map(PortError::kind) {
            None => Self::Ok,
            Some(PortErrorKind::Unavailable) => Self::Unavailable,
            Some(PortErrorKind::OutcomeUnknown) => Self::OutcomeUnknown,
            Some(PortErrorKind::Corrupt) => Self::Corrupt,
            Some(PortErrorKind::Misconfigured) => Self::Misconfigured,
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
    /// Registered at the start, at zero, so that the first failure shows as an increase.
    counts: [Counter; CallOutcome::ALL.len()],
    /// Registered when the first call has this outcome: most never do, and each is 18 series.
    seconds: [OnceLock<Histogram>; CallOutcome::ALL.len()],
}

impl Calls {
    pub(super) fn new(registry: &Arc<Registry>, clock: &Arc<dyn Clock>) -> Self {
        let of_operation = |operation: &Operation| OfOperation {
            counts: CallOutcome::ALL.map(|outcome| {
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

    /// Begins to time a call.
    pub(crate) fn begin(&self, operation: Operation) -> Call<'_> {
        Call {
            calls: self,
            operation,
            start: self.clock.monotonic(),
            outcome: CallOutcome::Dropped,
        }
    }

    /// Counts a call whose duration means nothing.
    pub(crate) fn count(&self, operation: Operation, outcome: CallOutcome) {
        self.by_operation[operation as usize].counts[outcome as usize].increment(1);
    }
}

/// A call in progress. It is counted when it is dropped.
pub(crate) struct Call<'a> {
    calls: &'a Calls,
    operation: Operation,
    start: Duration,
    outcome: CallOutcome,
}

impl Call<'_> {
    /// Ends the call.
    pub(crate) fn end(mut self, outcome: CallOutcome) {
        self.outcome = outcome;
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let Self {
            calls,
            operation,
            start,
            outcome,
        } = *self;
        calls.count(operation, outcome);
        let took = calls.clock.monotonic().saturating_sub(start);
        let seconds = &calls.by_operation[operation as usize].seconds[outcome as usize];
        let register = || {
            let labels = labels(operation, outcome);
            let registry = &calls.registry;
            registry.histogram(&catalog::PORT_CALL_SECONDS, &labels)
        };
        seconds.get_or_init(register).record(took);
    }
}

/// The port as `/readyz` names it, the method, and the outcome.
fn labels(operation: Operation, outcome: CallOutcome) -> [&'static str; 3] {
    let port = match operation.port() {
        "bus" => "log",
        port => port,
    };
    [port, operation.method(), outcome.as_str()]
}
