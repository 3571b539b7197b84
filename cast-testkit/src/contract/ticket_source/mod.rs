//! The contract of [`TicketSource`], clause by clause.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cast_core::{
    domain::{
        Claim, CurrentTicket, GenuineTicket, PeriodTicket, Redemption, RedemptionRefusal, Ticket,
        Timestamp,
    },
    ports::TicketSource,
};

use super::{Harness, IntoHarness, Skipped};
use crate::fixtures::Fixtures;

mod current;
mod publish;
mod redeem;
mod repeat;

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

    /// Loses the meters of all tickets, as a server does that is emptied.
    async fn lose_meters(&self) -> Result<(), Skipped>;
}

/// Proves one clause by name. [`ticket_source_contract!`](crate::ticket_source_contract) calls it for each.
pub fn prove<M>(clause: &str, make: impl AsyncFnOnce() -> M)
where
    M: IntoHarness<Harness: TicketSourceHarness + 'static>,
{
    let make = async || {
        let harness = make().await.into_harness()?;
        Ok(Box::new(harness) as Box<dyn TicketSourceHarness>)
    };
    super::prove(super::find(CLAUSES, clause), make);
}

/// Expands to one `#[test]` for each clause of the contract of `TicketSource`; takes the
/// function that opens a harness: `async fn() -> H` or `async fn() -> Result<H, Skipped>`, where `H` is
/// a [`TicketSourceHarness`](crate::contract::ticket_source::TicketSourceHarness).
#[macro_export]
macro_rules! ticket_source_contract {
    ($make:expr) => {
        $crate::__ticket_source_clauses! { __clause_tests (ticket_source, $make) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __ticket_source_clauses {
    ($callback:ident $arguments:tt) => {
        $crate::$callback! { $arguments
            "The first ticket of a period wins: publishing another one returns the first."
                => publish::the_first_ticket_of_a_period_wins,
            "The first ticket of a period wins: publishing another one returns the first."
                => publish::generators_that_race_agree_on_one_ticket,
            "Publishing the same ticket again changes nothing and gives back no uses."
                => publish::publishing_again_gives_back_no_uses,
            "A ticket may be published before its period; until then it is neither shown nor redeemed."
                => publish::a_ticket_published_early_waits_for_its_period,
            "A ticket that is already expired is not stored; if its period has no ticket, it is returned as it is."
                => publish::a_ticket_whose_end_has_passed_is_not_kept,
            "The current ticket is the one whose period began last, while it is valid."
                => current::the_current_ticket_is_the_one_begun_last,
            "There is no current ticket before the first period and after the last."
                => current::there_is_none_before_the_first_and_after_the_last,
            "The uses left are the limit minus the uses granted."
                => current::the_uses_left_are_the_limit_less_the_grants,
            "Uses are granted in the order of the claims, as many as are left; the other claims are exhausted."
                => redeem::uses_are_granted_in_order_as_many_as_are_left,
            "Concurrent redemptions never grant more than the limit of a ticket in total."
                => redeem::racing_grants_add_up_to_the_limit,
            "A repeated id takes no use: in the same call, in a later call, and with a newer ticket, for as long as the source remembers ids, which is longer than any client retries."
                => repeat::a_repeated_id_costs_nothing_in_the_same_call,
            "A repeated id takes no use: in the same call, in a later call, and with a newer ticket, for as long as the source remembers ids, which is longer than any client retries."
                => repeat::a_repeated_id_costs_nothing_in_a_later_call,
            "A repeated id takes no use: in the same call, in a later call, and with a newer ticket, for as long as the source remembers ids, which is longer than any client retries."
                => repeat::a_repeated_id_costs_nothing_with_a_newer_ticket,
            "A repeated id takes no use: in the same call, in a later call, and with a newer ticket, for as long as the source remembers ids, which is longer than any client retries."
                => repeat::a_repeated_id_costs_nothing_when_its_copies_race,
            "A repeated id is answered as repeated even if the ticket has no uses left."
                => repeat::a_repeated_id_is_repeated_by_an_exhausted_ticket,
            "A repeated id with other contents is refused as altered and takes no use."
                => repeat::other_contents_are_refused_as_altered,
            "A ticket that was never published is unknown."
                => redeem::a_ticket_never_published_is_unknown,
            "A ticket whose period has not begun is unknown."
                => redeem::a_ticket_whose_period_has_not_begun_is_unknown,
            "A ticket is expired from its end on, for repeated ids too."
                => redeem::a_ticket_is_expired_from_its_end_on,
            "A ticket that expired long ago may be unknown instead of expired; it is never granted."
                => redeem::a_ticket_long_past_is_never_granted,
            "A refused id is not remembered: it may be granted with another ticket."
                => redeem::what_was_refused_is_not_remembered,
            "Redeeming no claims returns no answers and has no effect."
                => redeem::no_claims_no_answers_no_effect,
            "A source that lost the use counter of a ticket refuses the ticket as unknown and never starts to count again. A new ticket may then be published for the running period, and votes are possible again."
                => redeem::a_ticket_whose_meter_was_lost_is_unknown,
            "A source that lost the use counter of a ticket refuses the ticket as unknown and never starts to count again. A new ticket may then be published for the running period, and votes are possible again."
                => redeem::a_new_ticket_after_a_loss_lets_voters_go_on,
            "The caller puts a deadline on every call and drops the future when it passes; the operation has then happened as a whole or not at all."
                => redeem::a_dropped_redemption_happened_as_a_whole_or_not_at_all,
        }
    };
}

crate::__ticket_source_clauses! { __clause_table (TicketSourceHarness) }

const UNKNOWN: Redemption = Redemption::Refused(RedemptionRefusal::Unknown);
const EXPIRED: Redemption = Redemption::Refused(RedemptionRefusal::Expired);
const EXHAUSTED: Redemption = Redemption::Refused(RedemptionRefusal::Exhausted);
const ALTERED: Redemption = Redemption::Refused(RedemptionRefusal::Altered);
const GRANTED: Redemption = Redemption::Granted;
const REPEATED: Redemption = Redemption::Repeated;

/// How often a clause about a ticket that is not yet valid tries again when time overtook it.
const ATTEMPTS: usize = 10;

/// A source, and a generator that writes tickets for it.
struct Stage<'a> {
    harness: &'a dyn TicketSourceHarness,
    source: Arc<dyn TicketSource>,
    fixtures: Fixtures,
}

/// A ticket as the generator knows it, and as a door does that verified it.
#[derive(Clone, Copy)]
struct Issued {
    period: PeriodTicket,
    genuine: GenuineTicket,
}

impl<'a> Stage<'a> {
    async fn set(harness: &'a dyn TicketSourceHarness) -> Self {
        Self {
            harness,
            source: harness.open().await,
            fixtures: Fixtures::new(),
        }
    }

    /// `count` periods.
    fn periods(&self, count: u32) -> Duration {
        self.harness.period() * count
    }

    async fn now(&self) -> Timestamp {
        self.source.now().await.expect("the source tells the time")
    }

    /// Lets time pass until the source's clock shows at least `moment`.
    async fn until(&self, moment: Timestamp) {
        loop {
            let left = moment.since(self.now().await);
            if left.is_zero() {
                return;
            }
            self.harness.pass(left).await;
        }
    }

    /// A ticket for the period that begins at `start`, good for `periods`.
    fn issue(&self, start: Timestamp, periods: u32, use_limit: u32) -> Issued {
        let genuine = self.fixtures.ticket(start);
        let period = PeriodTicket {
            ticket: *genuine.ticket(),
            valid_until: start.plus(self.periods(periods)),
            use_limit,
        };
        Issued { period, genuine }
    }

    /// Publishes a ticket that is good from now on, and for longer than the clause takes.
    async fn issue_now(&self, use_limit: u32) -> Issued {
        let issued = self.issue(self.now().await, 100, use_limit);
        self.publish(&issued).await;
        issued
    }

    async fn publish(&self, issued: &Issued) -> PeriodTicket {
        let adopted = self.source.publish(&issued.period).await;
        adopted.expect("the source takes a ticket")
    }

    async fn current(&self) -> Option<CurrentTicket> {
        let current = self.source.current().await;
        current.expect("the source shows the current ticket")
    }

    async fn current_id(&self) -> Option<Ticket> {
        self.current().await.map(|current| current.id)
    }

    /// The uses left of the current ticket.
    async fn uses_left(&self) -> u32 {
        let current = self.current().await;
        current.expect("a ticket is current").uses_left
    }

    async fn redeem(&self, issued: &Issued, claims: &[Claim]) -> Vec<Redemption> {
        let answers = self.source.redeem(&issued.genuine, claims).await;
        answers.expect("the source answers a redemption")
    }

    /// Redeems one fresh claim.
    async fn redeem_one(&self, issued: &Issued) -> Redemption {
        self.redeem(issued, &[self.fixtures.claim()]).await[0]
    }

    /// Publishes a ticket whose period begins in a while, and looks at it before it does. Tries
    /// again when time was faster.
    async fn ahead_of_its_period<T>(
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
fn count(answers: &[Redemption], which: Redemption) -> usize {
    answers.iter().filter(|answer| **answer == which).count()
}
