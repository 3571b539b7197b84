//! Load on a server while a test breaks it, with the checks of its results.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use cast_adapters::redis::{Redis, RedisCounter, RedisTickets};
use cast_core::{
    domain::{AppliedTotal, Candidate, Offset, Partition, Redemption::Granted, Ticket},
    ports::{Checkpoint, PortError, PortErrorKind, TicketSource, VoteCounter},
};
use cast_testkit::{eventually, fixtures::Fixtures, within};
use tokio::task::JoinSet;

use crate::{
    faults::{issue, pending, votes},
    redis::PATIENCE,
};

/// The uses of a ticket.
pub(crate) const USES: u32 = 40;

/// Clients that redeem and record without a pause. Each reads the current ticket, and publishes one if
/// there is none. They count what the checks need.
pub(crate) struct Load {
    grants: Mutex<HashMap<Ticket, u32>>,
    /// The number of records in the log, of one vote each.
    log_end: AtomicU64,
    answered: AtomicU64,
    errors: Mutex<Vec<PortErrorKind>>,
    stop: AtomicBool,
    candidate: Candidate,
    pub(crate) fixtures: Fixtures,
}

impl Load {
    /// Starts `clients` clients, each with its own connections.
    pub(crate) fn begin(clients: usize, open: impl Fn() -> Redis) -> (Arc<Self>, JoinSet<()>) {
        let fixtures = Fixtures::new();
        let load = Arc::new(Self {
            grants: Mutex::default(),
            log_end: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            errors: Mutex::default(),
            stop: AtomicBool::new(false),
            candidate: fixtures.candidate("alice"),
            fixtures,
        });
        let mut tasks = JoinSet::new();
        for _ in 0..clients {
            let (load, redis) = (Arc::clone(&load), open());
            tasks.spawn(async move { load.redeem_and_record(redis).await });
        }
        (load, tasks)
    }

    async fn redeem_and_record(&self, redis: Redis) {
        let (tickets, counter) = (redis.tickets(), redis.counter());
        while !self.stop.load(Ordering::Relaxed) {
            match self.vote(&tickets, &counter).await {
                Ok(()) => drop(self.answered.fetch_add(1, Ordering::Relaxed)),
                Err(error) => {
                    self.errors.lock().expect("whole").push(error.kind());
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    async fn vote(&self, tickets: &RedisTickets, counter: &RedisCounter) -> Result<(), PortError> {
        let usable = tickets.current().await?.filter(|shown| shown.uses_left > 0);
        let ticket = match usable {
            Some(shown) => {
                let genuine = self.fixtures.keys().verify(&shown.id);
                genuine.expect("only these clients publish")
            }
            None => issue(tickets, &self.fixtures, USES).await?,
        };
        let claims = self.fixtures.claims(3);
        let answers = tickets.redeem(&ticket, &claims).await?;
        let granted = answers.iter().filter(|answer| **answer == Granted).count();
        let granted = u32::try_from(granted).expect("of three");
        *self
            .grants
            .lock()
            .expect("whole")
            .entry(*ticket.ticket())
            .or_default() += granted;
        if granted > 0 {
            let offset = self.log_end.fetch_add(1, Ordering::Relaxed);
            let show = std::slice::from_ref(&self.candidate);
            counter
                .record(&[pending(&self.candidate, offset)], show)
                .await?;
        }
        Ok(())
    }

    /// Waits until the clients have got some more answers, so that they are busy when the test goes on.
    pub(crate) async fn wait_for_answers(&self) {
        let goal = self.answered.load(Ordering::Relaxed) + 20;
        eventually(PATIENCE, "the clients are answered", async || {
            (self.answered.load(Ordering::Relaxed) >= goal).then_some(())
        })
        .await;
    }

    /// Ends the clients, once they have got some more answers.
    pub(crate) async fn end(&self, tasks: JoinSet<()>) {
        self.wait_for_answers().await;
        self.stop.store(true, Ordering::Relaxed);
        within(PATIENCE, "the clients close", tasks.join_all()).await;
        let grants = self.grants.lock().expect("whole");
        assert!(
            grants.values().all(|grants| *grants <= USES),
            "a ticket bought more than its limit: {grants:?}"
        );
    }

    /// Whatever was lost, a tally never exceeds the log, and is exact once it is reconciled.
    pub(crate) async fn tally_recovers(&self, counter: &RedisCounter) {
        let end = self.log_end.load(Ordering::Relaxed);
        assert!(end > 40, "there was load");
        assert!(votes(counter, &self.candidate).await <= end);
        let half = counter.reconcile(&[whole(&self.candidate, end / 2)]).await;
        half.expect("the counter reconciles");
        assert!(votes(counter, &self.candidate).await <= end);
        let all = counter.reconcile(&[whole(&self.candidate, end)]).await;
        all.expect("the counter reconciles");
        assert_eq!(votes(counter, &self.candidate).await, end);
    }

    pub(crate) fn errors(&self) -> Vec<PortErrorKind> {
        self.errors.lock().expect("whole").clone()
    }

    /// While a server is lost, a call is unavailable, or its outcome is unknown.
    pub(crate) fn assert_honest(&self) {
        let honest = [PortErrorKind::OutcomeUnknown, PortErrorKind::Unavailable];
        let errors = self.errors();
        let all_honest = errors.iter().all(|kind| honest.contains(kind));
        assert!(all_honest, "{errors:?}");
    }
}

/// One vote a record, up to `as_of`.
fn whole(candidate: &Candidate, as_of: u64) -> Checkpoint {
    Checkpoint {
        candidate: candidate.clone(),
        applied_totals: vec![AppliedTotal {
            partition: Partition::new(0),
            votes: as_of,
            as_of: Offset::new(as_of),
        }],
        whole: true,
    }
}
