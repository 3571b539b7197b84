//! What the clauses start from: the adapter under test, and what they do with it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cast_core::{
    domain::{
        Claim, CurrentTicket, GenuineTicket, PeriodTicket, Redemption, RedemptionRefusal, Ticket,
        Timestamp,
    },
    ports::TicketSource,
};

use crate::contract::{Harness, Skipped};
use crate::fixtures::Fixtures;

/// Opens a ticket source for the clauses, and does to it what they ask for.
#[async_trait]
pub trait TicketSourceHarness: Harness {
    /// A handle to the source under test. It is empty at first, and all handles of one harness see
    /// the same tickets: an adapter of a server gives each its own connections.
    async fn open(&self) -> Arc<dyn TicketSource>;

    /// How long a period is for the clauses: short enough to wait for a dozen, and long enough for
    /// a few calls. Some 500 ms for a server; anything where time stands still.
    fn period(&self) -> Duration;

    /// Whether time passes for the source only while [`pass`](Self::pass) runs. The ends of tickets
    /// are then tested to the millisecond.
    fn time_stands_still(&self) -> bool;

    /// Lets time pass for the source: at least `duration`.
    async fn pass(&self, duration: Duration);

    /// Loses the use counters of all tickets, as a server does that is emptied.
    async fn lose_use_counters(&self) -> Result<(), Skipped>;
}

pub(super) const UNKNOWN: Redemption = Redemption::Refused(RedemptionRefusal::Unknown);
pub(super) const EXPIRED: Redemption = Redemption::Refused(RedemptionRefusal::Expired);
pub(super) const EXHAUSTED: Redemption = Redemption::Refused(RedemptionRefusal::Exhausted);
pub(super) const ALTERED: Redemption = Redemption::Refused(RedemptionRefusal::Altered);
pub(super) const GRANTED: Redemption = Redemption::Granted;
pub(super) const REPEATED: Redemption = Redemption::Repeated;

/// How often a clause about a ticket that is not yet valid tries again when time overtook it.
pub(super) const ATTEMPTS: usize = 10;

/// A source, and a generator that writes tickets for it.
pub(super) struct Scenario<'a> {
    pub(super) harness: &'a dyn TicketSourceHarness,
    pub(super) source: Arc<dyn TicketSource>,
    pub(super) fixtures: Fixtures,
}

/// A ticket as the generator knows it, and as a vote service does that verified it.
#[derive(Clone, Copy)]
pub(super) struct Issued {
    pub(super) period: PeriodTicket,
    pub(super) genuine: GenuineTicket,
}

impl<'a> Scenario<'a> {
    pub(super) async fn start(harness: &'a dyn TicketSourceHarness) -> Self {
        Self {
            harness,
            source: harness.open().await,
            fixtures: Fixtures::new(),
        }
    }

    /// `count` periods.
    pub(super) fn periods(&self, count: u32) -> Duration {
        self.harness.period() * count
    }

    pub(super) async fn now(&self) -> Timestamp {
        self.source.now().await.expect("the source knows the time")
    }

    /// Lets time pass until the source's clock shows at least `moment`.
    pub(super) async fn until(&self, moment: Timestamp) {
        loop {
            let left = moment.since(self.now().await);
            if left.is_zero() {
                return;
            }
            self.harness.pass(left).await;
        }
    }

    /// Lets so much time pass by the source's clock.
    pub(super) async fn pass(&self, duration: Duration) {
        self.until(self.now().await.plus(duration)).await;
    }

    /// A ticket for the period that begins at `start`, good for `periods`.
    pub(super) fn issue(&self, start: Timestamp, periods: u32, use_limit: u32) -> Issued {
        let genuine = self.fixtures.ticket(start);
        let period = PeriodTicket {
            ticket: *genuine.ticket(),
            valid_until: start.plus(self.periods(periods)),
            use_limit,
        };
        Issued { period, genuine }
    }

    /// Publishes a ticket that is good from now on, and for longer than the clause takes.
    pub(super) async fn issue_now(&self, use_limit: u32) -> Issued {
        let issued = self.issue(self.now().await, 100, use_limit);
        self.publish(&issued).await;
        issued
    }

    pub(super) async fn publish(&self, issued: &Issued) -> PeriodTicket {
        let adopted = self.source.publish(&issued.period).await;
        adopted.expect("the source takes a ticket")
    }

    pub(super) async fn current(&self) -> Option<CurrentTicket> {
        let current = self.source.current().await;
        current.expect("the source shows the current ticket")
    }

    pub(super) async fn current_id(&self) -> Option<Ticket> {
        self.current().await.map(|current| current.id)
    }

    /// The uses left of the current ticket.
    pub(super) async fn uses_left(&self) -> u32 {
        let current = self.current().await;
        current.expect("a ticket is current").uses_left
    }

    pub(super) async fn redeem(&self, issued: &Issued, claims: &[Claim]) -> Vec<Redemption> {
        let answers = self.source.redeem(&issued.genuine, claims).await;
        answers.expect("the source answers a redemption")
    }

    /// Redeems one fresh claim.
    pub(super) async fn redeem_one(&self, issued: &Issued) -> Redemption {
        self.redeem(issued, &[self.fixtures.claim()]).await[0]
    }

    /// Publishes a ticket whose period begins in a while, and looks at it before it does. Tries
    /// again when time was faster.
    pub(super) async fn ahead_of_its_period<T>(
        &self,
        periods: u32,
        look: impl AsyncFn(Issued) -> T,
    ) -> (Issued, T) {
        for _ in 0..ATTEMPTS {
            let early = self.issue(self.now().await.plus(self.periods(1)), periods, 3);
            self.publish(&early).await;
            let seen = look(early).await;
            if self.now().await < early.period.valid_from() {
                return (early, seen);
            }
        }
        panic!("a period is too short for a few calls: let the harness name a longer one");
    }
}

/// How many of the answers are this one.
pub(super) fn count(answers: &[Redemption], which: Redemption) -> usize {
    answers.iter().filter(|answer| **answer == which).count()
}
