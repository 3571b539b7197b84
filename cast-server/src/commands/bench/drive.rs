//! The run: connections that vote, then ballots without an answer sent again, then the tallies.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use cast_core::{
    domain::{BallotId, Partition, Partitions},
    ports::{Clock, Entropy},
};
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    backoff::Backoff,
    config::BenchConfig,
    ledger::{Ledger, OpenBallot, Sent, Shown, Told, Verdict},
    pace::Pace,
    tickets::{Ticket, Tickets},
    wire::{self, MAX_TALLIES},
};
use crate::client::{Connection, Lost, Target};

/// Latencies from a microsecond to an hour, to three digits.
const LATENCIES_US: (u64, u64, u8) = (1, 3_600_000_000, 3);
/// How soon to look at the tallies again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How many connections send ballots without an answer again.
const RESOLVERS: usize = 16;
/// How many ballots of a candidate with missing votes are looked up, and how many are told.
const MAX_LOOKED_UP: usize = 2_000;
pub(super) const MAX_LOST: usize = 10;

/// What all connections of a run share.
pub(super) struct Bench {
    pub(super) config: BenchConfig,
    /// The candidates.
    pub(super) names: Vec<String>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) tickets: Tickets,
    /// The load is over.
    pub(super) stop: CancellationToken,
    /// Nobody wants to wait for the check any more.
    pub(super) give_up: CancellationToken,
    books: Mutex<Books>,
    failed_connects: AtomicU64,
    waited_us: AtomicU64,
}

/// What is written down.
pub(super) struct Books {
    pub(super) ledger: Ledger,
    /// Of accepted votes, in microseconds.
    pub(super) latencies: Histogram<u64>,
    /// Votes that had not begun when their time had come and gone, by `--rate`.
    pub(super) not_begun: u64,
}

/// A ballot that counts by what was told, and that its server does not know.
#[derive(Debug)]
pub(super) struct LostBallot {
    pub(super) id: BallotId,
    pub(super) candidate: usize,
    /// What the server says of it.
    pub(super) fate: Option<String>,
}

impl Bench {
    pub(super) fn new(
        config: BenchConfig,
        names: Vec<String>,
        baseline: &[u64],
        (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>),
    ) -> Self {
        let (low, high, digits) = LATENCIES_US;
        let books = Books {
            ledger: Ledger::new(baseline, config.retry_fraction()),
            latencies: Histogram::new_with_bounds(low, high, digits).expect("sound bounds"),
            not_begun: 0,
        };
        Self {
            config,
            names,
            clock,
            entropy,
            tickets: Tickets::new(),
            stop: CancellationToken::new(),
            give_up: CancellationToken::new(),
            books: Mutex::new(books),
            failed_connects: AtomicU64::new(0),
            waited_us: AtomicU64::new(0),
        }
    }

    /// What is written down. Held for moments, never over an `await`.
    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often a connection could not be made.
    pub(super) fn failed_connects(&self) -> u64 {
        self.failed_connects.load(Relaxed)
    }

    /// How long connections waited for tickets, all together.
    pub(super) fn waited_for_tickets(&self) -> Duration {
        Duration::from_micros(self.waited_us.load(Relaxed))
    }

    /// Asks for tickets as they come. Never ends.
    pub(super) async fn fetch_tickets(self: Arc<Self>) {
        let connect = |target| self.connection(target);
        let mut connections: Vec<_> = self.config.urls.iter().map(connect).collect();
        // Each server gives the same ticket; while one is gone, another is asked.
        loop {
            for connection in &mut connections {
                let reply = connection.post(wire::cas()).await;
                let cas = reply
                    .map_err(|lost| lost.to_string())
                    .and_then(|reply| wire::read_cas(reply.status, &reply.body));
                match cas {
                    Ok(cas) => {
                        let now = self.clock.monotonic();
                        let uses = cas.remaining_usage;
                        self.tickets
                            .seen(&cas, || self.books().ledger.ticket_seen(uses, now));
                        break;
                    }
                    Err(why) => self.tickets.not_seen(why),
                }
            }
            self.tickets.until_due(&*self.clock).await;
        }
    }

    /// Votes with all connections until the load is over; how long that took.
    pub(super) async fn load(self: &Arc<Self>) -> Duration {
        let begin = self.clock.monotonic();
        let mut voters = JoinSet::new();
        for number in 0..self.config.connections {
            let bench = Arc::clone(self);
            voters.spawn(async move { bench.voter(number, begin).await });
        }
        let all = voters.join_all();
        tokio::pin!(all);
        tokio::select! {
            _ = &mut all => {}
            () = self.clock.sleep(self.config.duration) => {
                self.stop.cancel();
                all.await;
            }
        }
        self.since(begin)
    }

    /// One connection's votes.
    async fn voter(&self, number: usize, begin: Duration) {
        let mut voter = Voter {
            bench: self,
            server: number,
            connection: self.connection_to(number),
            backoff: Backoff::default(),
            refused: None,
        };
        let mut pace = Pace::new(self.config.rate, self.config.connections, number, begin);
        while !self.stop.is_cancelled() {
            let due = pace.next();
            if let Some(due) = due {
                let early = due.saturating_sub(self.clock.monotonic());
                let waited = self.clock.sleep(early);
                // A timer is late by up to a millisecond, which is not the server's doing.
                let is_early = !early.is_zero();
                if is_early && self.unless_stopped(waited).await.is_none() {
                    break;
                }
                let due = if is_early { None } else { Some(due) };
                voter.vote(due).await;
            } else {
                voter.vote(None).await;
            }
        }
        let late = pace.due_before(self.clock.monotonic().min(begin + self.config.duration));
        self.books().not_begun += late;
    }

    pub(super) fn since(&self, begin: Duration) -> Duration {
        self.clock.monotonic().saturating_sub(begin)
    }

    async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.stop.run_until_cancelled(work).await
    }

    fn connection<'a>(&'a self, target: &'a Target) -> Connection<'a> {
        Connection::new(target, &*self.clock, self.config.timeout)
    }

    /// A connection to one server of the deployment, in turn.
    fn connection_to(&self, number: usize) -> Connection<'_> {
        let targets = &self.config.urls;
        self.connection(&targets[number % targets.len()])
    }

    fn mint(&self) -> BallotId {
        // Of no flush's partition in particular: it is the server's to say where an id belongs.
        let home = Partition::new(0);
        BallotId::mint(home, Partitions::ONE, self.clock.now(), &*self.entropy)
    }

    /// Sends ballots of which it is not known whether they count again, until it is known or the
    /// time is over.
    pub(super) async fn resolve(self: &Arc<Self>) {
        let open = self.books().ledger.open();
        // One that has no id would be another ballot.
        let queue: VecDeque<_> = open.into_iter().filter(|it| it.id.is_some()).collect();
        let resolvers = queue.len().min(self.config.connections).min(RESOLVERS);
        let queue = Arc::new(Mutex::new(queue));
        let mut running = JoinSet::new();
        for number in 0..resolvers {
            let (bench, queue) = (Arc::clone(self), Arc::clone(&queue));
            running.spawn(async move { bench.resolver(number, &queue).await });
        }
        // Dropping the set ends those that are not done.
        tokio::select! {
            () = async { while running.join_next().await.is_some() {} } => {}
            () = self.clock.sleep(self.config.settle_timeout) => {}
            () = self.give_up.cancelled() => {}
        }
    }

    async fn resolver(&self, mut server: usize, queue: &Mutex<VecDeque<OpenBallot>>) {
        let lock = || queue.lock().unwrap_or_else(PoisonError::into_inner);
        let mut connection = self.connection_to(server);
        let (mut backoff, mut refused) = (Backoff::default(), None);
        loop {
            if connection.connect().await.is_err() {
                if lock().is_empty() {
                    return;
                }
                server += 1;
                connection = self.connection_to(server);
                self.clock.sleep(backoff.longer()).await;
                continue;
            }
            let ticket = self.tickets.good(refused).await;
            let Some(ballot) = lock().pop_front() else {
                return;
            };
            let name = &self.names[ballot.candidate];
            let body = wire::vote(name, &ticket.quoted, ballot.id);
            let told = ask(&mut connection, body).await;
            if let Ok(told) = &told {
                refused = self.ticket_is_refused(told, &ticket).or(refused);
                let mut books = self.books();
                if books.ledger.told_of_open(ballot.place, ticket.number, told) {
                    backoff = Backoff::default();
                    continue;
                }
            }
            lock().push_back(ballot);
            self.clock.sleep(backoff.longer()).await;
        }
    }

    /// If a ticket was refused: its number, and everybody knows.
    fn ticket_is_refused(&self, told: &Told, ticket: &Ticket) -> Option<usize> {
        let Told::Refused(code) = told else {
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

    /// Looks at the tallies until they are what they must be, or the time is over.
    pub(super) async fn settle(&self) -> Result<Verdict, String> {
        let connect = |target| self.connection(target);
        let mut connections: Vec<_> = self.config.urls.iter().map(connect).collect();
        let end = self.clock.monotonic() + self.config.settle_timeout;
        loop {
            let looked = self.look(&mut connections);
            let Some(looked) = self.give_up.run_until_cancelled(looked).await else {
                return Err("it was interrupted".into());
            };
            let is_good = looked.as_ref().is_ok_and(Verdict::tallies_match);
            if is_good || self.clock.monotonic() >= end || self.give_up.is_cancelled() {
                return looked;
            }
            let pause = self.clock.sleep(LOOK_AGAIN);
            // After the last look, if there is to be none: what was seen is told.
            self.give_up.run_until_cancelled(pause).await;
        }
    }

    async fn look(&self, connections: &mut [Connection<'_>]) -> Result<Verdict, String> {
        let mut shown = Vec::new();
        for (connection, target) in connections.iter_mut().zip(&self.config.urls) {
            let votes = read_tallies(connection, &self.names).await;
            shown.push(Shown {
                url: target.url.clone(),
                votes: votes.map_err(|why| format!("{}: {why}", target.url))?,
            });
        }
        Ok(self.books().ledger.verdict(&shown))
    }

    /// Which ballots of the candidates with missing votes their server does not have: some of them.
    pub(super) async fn find_lost(&self, verdict: &Verdict) -> Vec<LostBallot> {
        let mut lost = Vec::new();
        let Some(first) = verdict.missing.first() else {
            return lost;
        };
        let targets = &self.config.urls;
        let Some(target) = targets.iter().find(|it| it.url == first.url) else {
            return lost;
        };
        let ids: Vec<_> = {
            let books = self.books();
            let mut candidates: Vec<_> = verdict.missing.iter().map(|it| it.candidate).collect();
            candidates.sort_unstable();
            candidates.dedup();
            let ids = candidates.into_iter().flat_map(|candidate| {
                let ids = books.ledger.counting(candidate);
                ids.map(move |id| (candidate, id)).collect::<Vec<_>>()
            });
            ids.take(MAX_LOOKED_UP).collect()
        };
        let mut connection = self.connection(target);
        for (candidate, id) in ids {
            let Ok(reply) = connection.post(wire::ballot(id)).await else {
                break;
            };
            // A server that cannot tell has lost nothing by that.
            let Ok(fate) = wire::read_ballot(reply.status, &reply.body) else {
                break;
            };
            if !matches!(fate.as_deref(), Some("COUNTED" | "LOGGED")) {
                lost.push(LostBallot {
                    id,
                    candidate,
                    fate,
                });
            }
            if lost.len() == MAX_LOST || self.give_up.is_cancelled() {
                break;
            }
        }
        lost
    }
}

/// A connection that votes.
struct Voter<'a> {
    bench: &'a Bench,
    /// Which server it is connected to: counted on when that is gone.
    server: usize,
    connection: Connection<'a>,
    backoff: Backoff,
    /// The last ticket that was refused.
    refused: Option<usize>,
}

impl Voter<'_> {
    /// Votes once, unless the load is over first. `due` is when it should have begun, if that is
    /// over.
    async fn vote(&mut self, due: Option<Duration>) {
        let bench = self.bench;
        let Some(ticket) = self.ready().await else {
            bench.books().not_begun += u64::from(bench.config.rate.is_some());
            return;
        };
        let id = (!bench.config.no_ballot_ids).then(|| bench.mint());
        let (sent, candidate) = {
            let ledger = &mut bench.books().ledger;
            let candidate = ledger.next_candidate();
            (ledger.send(id, candidate), candidate)
        };
        let body = wire::vote(&bench.names[candidate], &ticket.quoted, id);
        let begin = due.unwrap_or_else(|| bench.clock.monotonic());
        let Ok(told) = ask(&mut self.connection, body.clone()).await else {
            let mut books = bench.books();
            books.not_begun += u64::from(bench.config.rate.is_some());
            return books.ledger.not_sent(sent);
        };
        let took = bench.since(begin);
        let is_bad = matches!(told, Told::Fault(_) | Told::Unknown(_));
        if let Some(refused) = bench.ticket_is_refused(&told, &ticket) {
            self.refused = Some(refused);
        }
        if self.write_down(sent, &ticket, told, took) {
            self.retry(body).await;
        }
        if is_bad {
            let pause = bench.clock.sleep(self.backoff.longer());
            bench.unless_stopped(pause).await;
        } else {
            self.backoff = Backoff::default();
        }
    }

    /// Waits for a connection and a ticket, unless the load is over first.
    async fn ready(&mut self) -> Option<Arc<Ticket>> {
        let bench = self.bench;
        while bench
            .unless_stopped(self.connection.connect())
            .await?
            .is_err()
        {
            bench.failed_connects.fetch_add(1, Relaxed);
            // Nothing was sent, so another server of the deployment may be asked, as whatever
            // balances load in front of several would do.
            self.server += 1;
            self.connection = bench.connection_to(self.server);
            let pause = bench.clock.sleep(self.backoff.longer());
            bench.unless_stopped(pause).await?;
        }
        let begin = bench.clock.monotonic();
        let good = bench.tickets.good(self.refused);
        let ticket = bench.unless_stopped(good).await;
        let waited = bench.since(begin);
        bench.waited_us.fetch_add(as_us(waited), Relaxed);
        ticket
    }

    fn write_down(&self, sent: Sent, ticket: &Ticket, told: Told, took: Duration) -> bool {
        let mut books = self.bench.books();
        if matches!(told, Told::Accepted(_)) {
            books.latencies.saturating_record(as_us(took));
        }
        books.ledger.told(sent, ticket.number, told)
    }

    /// Sends a ballot that was accepted again.
    async fn retry(&mut self, body: Bytes) {
        if let Ok(told) = ask(&mut self.connection, body).await {
            self.bench.books().ledger.told_of_retry(told);
        }
    }
}

fn as_us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// What a server says of a vote; or why it was not sent.
async fn ask(connection: &mut Connection<'_>, body: Bytes) -> Result<Told, String> {
    match connection.post(body).await {
        Ok(reply) => Ok(wire::told(reply.status, &reply.body)),
        Err(Lost::Broken(_)) => Ok(Told::Unknown("CONNECTION_BROKEN".into())),
        Err(Lost::TimedOut) => Ok(Told::Unknown("TIMEOUT".into())),
        Err(Lost::NotSent(why)) => Err(why),
    }
}

/// What a server shows for `names`.
pub(super) async fn read_tallies(
    connection: &mut Connection<'_>,
    names: &[String],
) -> Result<Vec<u64>, String> {
    let mut votes = Vec::with_capacity(names.len());
    for names in names.chunks(MAX_TALLIES) {
        let reply = connection.post(wire::tallies(names)).await;
        let reply = reply.map_err(|lost| lost.to_string())?;
        votes.extend(wire::read_tallies(reply.status, &reply.body, names)?);
    }
    Ok(votes)
}
