//! Waits for the servers that a process needs, and names those that are missing.

use std::time::Duration;

use cast_core::{
    Backoff, Cast, Check, Ports, Roles, StartError,
    deadline::within,
    domain::{Clock, Partition},
    ports::{Operation, PortError, PortErrorKind},
};

use futures_util::future::{BoxFuture, join_all};

use super::failure::Failure;
use crate::protocol::ServerPlaces;

/// A call that shows whether a server answers.
type Probe<'a> = BoxFuture<'a, Result<(), PortError>>;

/// The longest pause between two attempts. After it, `migrate` logs what it waits for.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How long a server may take to answer a check.
const CHECK_DEADLINE: Duration = Duration::from_secs(1);

/// The pauses between attempts.
pub(crate) fn backoff() -> Backoff {
    Backoff::new(Duration::from_millis(20), LONGEST_PAUSE)
}

/// Waits until all that the process needs answers. A server that answers and is set up wrongly is
/// a failure, needed or not: waiting does not change it.
pub(crate) async fn ready(
    cast: &Cast,
    places: &ServerPlaces,
    clock: &dyn Clock,
) -> Result<(), Failure> {
    let mut backoff = backoff();
    let mut logged = None;
    loop {
        let checks = cast.readiness().await;
        if let Some(wrong) = misconfigured(&checks, places) {
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
        clock.sleep(backoff.next_pause()).await;
    }
}

/// The place and the error of a server that is set up wrongly. A ticket of another key ring is left out: key
/// rings change while processes run, and the next ticket may be one of ours.
fn misconfigured(checks: &[Check], places: &ServerPlaces) -> Option<String> {
    let mut servers = checks.iter().filter(|check| check.name != "tickets");
    servers.find_map(|check| {
        let error = check.result.as_ref().err()?.port_error()?;
        let is_misconfigured = error.kind() == PortErrorKind::Misconfigured;
        is_misconfigured.then(|| format!("{}: {}", places.label(check.name), error.chain()))
    })
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

/// A server that does not answer, or refuses.
pub(crate) struct Failing {
    /// The name of its check, with its place.
    label: String,
    error: PortError,
}

/// The servers that do not answer, before the use cases have started: all of them, so that an operator
/// need not mend one to hear of the next.
pub(crate) async fn failing(ports: &Ports, roles: Roles, places: &ServerPlaces) -> Vec<Failing> {
    let mut probes: Vec<(&str, Operation, Probe<'_>)> = Vec::new();
    if roles.api || roles.generator {
        let call = async { ports.tickets.current().await.map(drop) };
        probes.push(("tickets", Operation::CurrentTicket, Box::pin(call)));
    }
    if roles.api || roles.consumers > 0 {
        let call = async { ports.bus.partitions().await.map(drop) };
        probes.push(("log", Operation::Partitions, Box::pin(call)));
        let call = async { ports.counter.read(&[]).await.map(drop) };
        probes.push(("counter", Operation::Read, Box::pin(call)));
        let call = async { ports.store.progress(Partition::new(0)).await.map(drop) };
        probes.push(("store", Operation::Progress, Box::pin(call)));
    }
    let checks = probes.into_iter().map(async |(name, operation, call)| {
        let answer = within(&*ports.clock, CHECK_DEADLINE, operation, call).await;
        let label = places.label(name);
        answer.err().map(|error| Failing { label, error })
    });
    join_all(checks).await.into_iter().flatten().collect()
}

/// A line for each server that does not answer. The checks only read: where all of them answer, the
/// error of the start is all that is known.
pub(crate) fn kinds(start: &PortError, failing: &[Failing]) -> String {
    if failing.is_empty() {
        return start.to_string();
    }
    let lines = failing
        .iter()
        .map(|it| format!("{}: {}", it.label, it.error.kind()));
    lines.collect::<Vec<_>>().join("\n")
}

/// The failure of a start that waiting does not mend, with the server's place if a check fails as the
/// start did.
pub(crate) fn refused(start: PortError, failing: &[Failing]) -> Failure {
    let same = failing.iter().find(|it| it.error.kind() == start.kind());
    match same {
        Some(it) => Failure::Server {
            place: it.label.clone(),
            error: start,
        },
        None => StartError::Port(start).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> ServerPlaces {
        ServerPlaces::new([("store", "postgres://db:5432".into())])
    }

    #[test]
    fn a_server_that_is_set_up_wrongly_is_named_with_its_place() {
        let wrong = PortError::misconfigured("reading the store", "no table `ballots`");
        let check = |name, result| Check {
            name,
            needed: false,
            result,
        };
        let checks = [check("log", Ok(())), check("store", Err(wrong.into()))];
        let said = misconfigured(&checks, &places());
        let expected = "store (postgres://db:5432): reading the store: misconfigured: no table \
                        `ballots`";
        assert_eq!(said.as_deref(), Some(expected));
    }

    #[test]
    fn the_failure_of_a_start_names_the_server_whose_check_fails_alike() {
        let start = || PortError::misconfigured("tickets.publish", "no password");
        let failing = [
            Failing {
                label: "log".into(),
                error: PortError::unavailable("bus.partitions", "refused"),
            },
            Failing {
                label: "tickets (redis://a:1)".into(),
                error: PortError::misconfigured("tickets.current", "no password"),
            },
        ];
        let error = refused(start(), &failing).to_string();
        let chain = "tickets.publish: misconfigured: no password";
        assert_eq!(error, format!("tickets (redis://a:1): {chain}"));
        assert_eq!(refused(start(), &failing[..1]).to_string(), chain);
    }
}
