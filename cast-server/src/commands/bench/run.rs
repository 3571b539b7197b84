//! What all connections of a run share.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use cast_core::{
    Backoff,
    domain::{BallotId, Clock, Entropy, Partition, Partitions},
};
use tokio_util::sync::CancellationToken;

use super::{
    config::BenchConfig,
    response::VoteResponse,
    run_stats::RunStats,
    tickets::{Ticket, Tickets},
    wire,
};
use crate::{
    client::{Connection, RequestError, post},
    protocol::HttpUrl,
};

/// What all connections of a run share.
pub(super) struct Run {
    pub(super) config: BenchConfig,
    /// The candidates.
    pub(super) names: Vec<String>,
    pub(super) clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    pub(super) tickets: Tickets,
    /// The load is over.
    pub(super) stop: CancellationToken,
    /// The check is not waited for any more.
    pub(super) give_up: CancellationToken,
    /// A signal ended the load early.
    pub(super) is_interrupted: AtomicBool,
    stats: Mutex<RunStats>,
    pub(super) failed_connects: AtomicU64,
    waited_us: AtomicU64,
}

impl Run {
    pub(super) fn new(
        config: BenchConfig,
        names: Vec<String>,
        baseline: &[u64],
        (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>),
    ) -> Self {
        let stats = RunStats::new(baseline, config.retry_fraction());
        Self {
            config,
            names,
            clock,
            entropy,
            tickets: Tickets::default(),
            stop: CancellationToken::new(),
            give_up: CancellationToken::new(),
            is_interrupted: AtomicBool::new(false),
            stats: Mutex::new(stats),
            failed_connects: AtomicU64::new(0),
            waited_us: AtomicU64::new(0),
        }
    }

    /// What is recorded. Held for moments, never over an `await`.
    pub(super) fn stats(&self) -> MutexGuard<'_, RunStats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long connections waited for tickets, all together.
    pub(super) fn waited_for_tickets(&self) -> Duration {
        Duration::from_micros(self.waited_us.load(Relaxed))
    }

    /// Waits for a good ticket, and counts how long it took.
    pub(super) async fn ticket(&self, refused: Option<usize>) -> Option<Arc<Ticket>> {
        let begin = self.clock.monotonic();
        let ticket = self.unless_stopped(self.tickets.good(refused)).await;
        let waited = self.since(begin).as_micros();
        let waited = u64::try_from(waited).unwrap_or(u64::MAX);
        self.waited_us.fetch_add(waited, Relaxed);
        ticket
    }

    /// Asks for tickets as they come. Never ends.
    pub(super) async fn fetch_tickets(self: Arc<Self>) {
        let connect = |url| self.connection(url);
        let mut connections: Vec<_> = self.config.urls.iter().map(connect).collect();
        // Each server gives the same ticket; while one is gone, another is asked.
        loop {
            for connection in &mut connections {
                match wire::cas(connection).await {
                    Ok(cas) => {
                        let uses = cas.remaining_usage;
                        self.tickets
                            .seen(&cas, |until_ms| self.stats().limits.push(uses, until_ms));
                        break;
                    }
                    Err(why) => self.tickets.not_seen(why),
                }
            }
            self.tickets.until_due(&*self.clock).await;
        }
    }

    /// If a ticket was refused: its number, and no connection uses it any more.
    pub(super) fn ticket_is_refused(
        &self,
        response: &VoteResponse,
        ticket: &Ticket,
    ) -> Option<usize> {
        let VoteResponse::Refused(code) = response else {
            return None;
        };
        let is_used_up = code == "TICKET_EXHAUSTED";
        if is_used_up && self.config.keep_voting && !self.stop.is_cancelled() {
            return None;
        }
        if is_used_up || matches!(&**code, "TICKET_EXPIRED" | "TICKET_INVALID") {
            self.tickets.refused(ticket.number, is_used_up);
            return Some(ticket.number);
        }
        None
    }

    pub(super) fn since(&self, begin: Duration) -> Duration {
        self.clock.monotonic().saturating_sub(begin)
    }

    pub(super) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.stop.run_until_cancelled(work).await
    }

    pub(super) fn connection<'a>(&'a self, url: &'a HttpUrl) -> Connection<'a> {
        Connection::new(url, &*self.clock, self.config.timeout)
    }

    /// A connection to one server of the deployment, in turn.
    pub(super) fn connection_to(&self, number: usize) -> Connection<'_> {
        let urls = &self.config.urls;
        self.connection(&urls[number % urls.len()])
    }

    pub(super) fn mint(&self) -> BallotId {
        // Of no flush's partition in particular: the server assigns partitions.
        let partition = Partition::new(0);
        BallotId::mint(partition, Partitions::ONE, self.clock.now(), &*self.entropy)
    }
}

/// The pauses after failures. A server that is full or gone is not helped by being asked at once, and one
/// that came back should not wait for long.
pub(super) fn backoff() -> Backoff {
    Backoff::new(Duration::from_millis(1), Duration::from_millis(250))
}

/// The answer to a vote; or why it was not sent.
pub(super) async fn send_vote(
    connection: &mut Connection<'_>,
    body: Bytes,
) -> Result<VoteResponse, String> {
    match post(connection, body).await {
        Ok(response) => Ok(wire::read_vote(response.status(), response.body())),
        Err(RequestError::Broken(_)) => Ok(VoteResponse::Unknown("CONNECTION_BROKEN".into())),
        Err(RequestError::TimedOut(_)) => Ok(VoteResponse::Unknown("TIMEOUT".into())),
        Err(RequestError::NotSent(why)) => Err(why),
    }
}
