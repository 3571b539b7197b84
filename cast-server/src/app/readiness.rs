//! Waits for the servers that a process needs, and names those that are missing.

use std::time::Duration;

use cast_core::{
    Cast, Check, Ports, Roles,
    deadline::within,
    domain::Partition,
    ports::{Clock, Operation, PortError, PortErrorKind},
};

use futures_util::future::{BoxFuture, join_all};

use super::failure::Failure;
use crate::protocol::ServerPlaces;

/// A call that shows whether a server answers.
type Probe<'a> = BoxFuture<'a, Result<(), PortError>>;

/// The first pause between two attempts, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));

/// How long a server may take to answer a check.
const CHECK_DEADLINE: Duration = Duration::from_secs(1);

/// The pauses between attempts: each twice as long as the last, up to 2 s.
pub(crate) fn pauses() -> impl FnMut() -> Duration {
    let (mut next, longest) = PAUSES;
    move || {
        let pause = next;
        next = (next * 2).min(longest);
        pause
    }
}

/// Whether a process has tried for so long that a person may wonder what it waits for.
pub(crate) fn is_long(pause: Duration) -> bool {
    pause >= PAUSES.1
}

/// Waits until all that the process needs answers. A server that answers and is set up wrongly is
/// a failure, needed or not: waiting does not change it.
pub(crate) async fn ready(
    cast: &Cast,
    places: &ServerPlaces,
    clock: &dyn Clock,
) -> Result<(), Failure> {
    let mut pauses = pauses();
    let mut logged = None;
    loop {
        let checks = cast.readiness().await;
        if let Some(wrong) = misconfigured(&checks) {
            return Err(Failure::Misconfigured(wrong));
        }
        let Some(missing) = missing(&checks, places) else {
            return Ok(());
        };
        // Once for each set of missing servers, not once an attempt.
        if logged.as_ref() != Some(&missing) {
            tracing::warn!(missing, "waiting");
            logged = Some(missing);
        }
        clock.sleep(pauses()).await;
    }
}

/// The error of a server that is set up wrongly. A ticket of another key ring is left out: key
/// rings change while processes run, and the next ticket may be one of ours.
fn misconfigured(checks: &[Check]) -> Option<String> {
    checks
        .iter()
        .filter(|check| check.name != "tickets")
        .filter_map(|check| check.result.as_ref().err()?.port_error())
        .find(|error| error.kind() == PortErrorKind::Misconfigured)
        .map(PortError::chain)
}

/// What is needed and missing, and why; `None` when the process can do its job.
fn missing(checks: &[Check], places: &ServerPlaces) -> Option<String> {
    let needed = checks.iter().filter(|check| check.needed);
    let missing: Vec<_> = needed
        .filter_map(|check| {
            let fault = check.result.as_ref().err()?;
            let why = fault.port_error().map(PortError::chain);
            let why = why.unwrap_or_else(|| fault.to_string());
            Some(format!("{}: {why}", places.label(check.name)))
        })
        .collect();
    (!missing.is_empty()).then(|| missing.join("; "))
}

/// A line for each server that does not answer, before the use cases have started: all of them, so
/// that an operator need not mend one to hear of the next.
pub(crate) async fn unanswered(ports: &Ports, roles: Roles, places: &ServerPlaces) -> String {
    let clock = &*ports.clock;
    let (votes, folds) = (roles.api, roles.consumers > 0);
    let check = |name, is_used: bool, operation, call| async move {
        if !is_used {
            return None;
        }
        let error = within(clock, CHECK_DEADLINE, operation, call).await.err()?;
        Some(format!("{}: {}\n", places.label(name), error.kind()))
    };
    let tickets = Box::pin(async { ports.tickets.current().await.map(drop) });
    let log = Box::pin(async { ports.bus.partitions().await.map(drop) });
    let counter = Box::pin(async { ports.counter.read(&[]).await.map(drop) });
    let store = Box::pin(async { ports.store.progress(Partition::new(0)).await.map(drop) });
    let calls: [(&str, bool, Operation, Probe<'_>); 4] = [
        (
            "tickets",
            votes || roles.generator,
            Operation::CurrentTicket,
            tickets,
        ),
        ("log", votes || folds, Operation::Partitions, log),
        ("counter", votes || folds, Operation::Read, counter),
        ("store", votes || folds, Operation::Progress, store),
    ];
    let checks =
        calls.map(|(name, is_used, operation, call)| check(name, is_used, operation, call));
    let lines = join_all(checks).await;
    lines.into_iter().flatten().collect()
}
