//! Tickets and their use counters. A redemption is atomic, because it holds the lock.

use std::{
    collections::{BTreeMap, HashMap, VecDeque, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use cast_core::{
    domain::{
        BallotId, Claim, Clock, ContentsDigest, CurrentTicket, GenuineTicket, PeriodTicket,
        Redemption, RedemptionRefusal, Ticket, Timestamp,
    },
    ports::{PortError, TicketSource},
};
use parking_lot::Mutex;

/// The bounds of [`MemoryTickets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketOptions {
    /// How long the id of a granted ballot is remembered. It should be longer than any client retries.
    pub retry_window: Duration,
    /// How long after its end a ticket is refused as expired. Later it is refused as unknown.
    pub expired_kept: Duration,
    /// The most ballot ids, about 100 bytes each. Beyond it the oldest are forgotten before their window
    /// ends. A retry of such a ballot costs another use, and still counts once as long as the store knows
    /// its id; so the store must remember more ids.
    pub max_claims: usize,
}

impl Default for TicketOptions {
    /// 10 minutes, 5 minutes, 1,000,000 ids.
    fn default() -> Self {
        Self {
            retry_window: Duration::from_secs(10 * 60),
            expired_kept: Duration::from_secs(5 * 60),
            max_claims: 1_000_000,
        }
    }
}

/// A [`TicketSource`] in this process.
///
/// The wall clock decides which ticket is valid. The monotonic clock decides how long a ballot id is
/// remembered, so that a wall clock that is set forward does not end all retry windows at once.
pub struct MemoryTickets {
    clock: Arc<dyn Clock>,
    options: TicketOptions,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By the start of the ticket's period. A period has one ticket.
    uses: BTreeMap<Timestamp, UseCounter>,
    claims: Claims,
}

/// A ticket and its use counter, in one entry: neither can be lost without the other.
struct UseCounter {
    ticket: PeriodTicket,
    granted: u32,
}

/// The granted ballots.
#[derive(Default)]
struct Claims {
    contents: HashMap<BallotId, ContentsDigest>,
    /// The same ids by the (monotonic) time of their grant, oldest first.
    ages: VecDeque<(Duration, BallotId)>,
}

impl MemoryTickets {
    /// A source without tickets, with the default options.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_options(clock, TicketOptions::default())
    }

    /// A source without tickets.
    pub fn with_options(clock: Arc<dyn Clock>, options: TicketOptions) -> Self {
        Self {
            clock,
            options,
            state: Mutex::default(),
        }
    }

    /// Loses all tickets with their use counters, and keeps the ballot ids, like a server that evicts
    /// keys. The tickets are unknown from then on.
    pub fn forget_tickets(&self) {
        self.state.lock().uses.clear();
    }

    /// Loses everything, like a server without persistence that restarts.
    pub fn forget(&self) {
        *self.state.lock() = State::default();
    }
}

#[async_trait]
impl TicketSource for MemoryTickets {
    async fn now(&self) -> Result<Timestamp, PortError> {
        Ok(self.clock.now())
    }

    async fn publish(&self, ticket: &PeriodTicket) -> Result<PeriodTicket, PortError> {
        let mut state = self.state.lock();
        let now = self.clock.now();
        // It scans the few use counters once per publication, and never in a redemption.
        let kept = self.options.expired_kept;
        state
            .uses
            .retain(|_, counter| now < counter.ticket.valid_until.plus(kept));
        if let Some(first) = state.uses.get(&ticket.valid_from()) {
            return Ok(first.ticket);
        }
        if now < ticket.valid_until {
            let counter = UseCounter {
                ticket: *ticket,
                granted: 0,
            };
            state.uses.insert(ticket.valid_from(), counter);
        }
        Ok(*ticket)
    }

    async fn current(&self) -> Result<Option<CurrentTicket>, PortError> {
        let state = self.state.lock();
        let now = self.clock.now();
        let begun_last = state.uses.range(..=now).next_back();
        Ok(begun_last
            .map(|(_, counter)| counter)
            .filter(|counter| counter.ticket.is_valid_at(now))
            .map(|counter| CurrentTicket {
                id: counter.ticket.ticket,
                valid_until: counter.ticket.valid_until,
                uses_left: counter.ticket.use_limit.saturating_sub(counter.granted),
            }))
    }

    async fn redeem(
        &self,
        ticket: &GenuineTicket,
        claims: &[Claim],
    ) -> Result<Vec<Redemption>, PortError> {
        let mut state = self.state.lock();
        let State {
            uses,
            claims: known,
        } = &mut *state;
        let at = self.clock.monotonic();
        // Twice as many as may be added, so the ids shrink to the window; bounded, so that no call takes
        // long after an idle time.
        known.forget_older(at, self.options.retry_window, 2 * claims.len());
        let counter = match redeemable(uses, ticket.ticket(), self.clock.now()) {
            Ok(counter) => counter,
            Err(refusal) => return Ok(vec![Redemption::Refused(refusal); claims.len()]),
        };
        Ok(claims
            .iter()
            .map(|claim| {
                let redemption = known.redeem(claim, counter, at);
                known.forget_beyond(self.options.max_claims);
                redemption
            })
            .collect())
    }
}

/// The use counter that a redemption of `ticket` increments.
fn redeemable<'a>(
    uses: &'a mut BTreeMap<Timestamp, UseCounter>,
    ticket: &Ticket,
    now: Timestamp,
) -> Result<&'a mut UseCounter, RedemptionRefusal> {
    let counter = uses.get_mut(&ticket.issued_at());
    // Another ticket of the same period may have been published first.
    let is_this = |known: &PeriodTicket| known.ticket == *ticket && known.valid_from() <= now;
    match counter.filter(|counter| is_this(&counter.ticket)) {
        None => Err(RedemptionRefusal::Unknown),
        Some(counter) if counter.ticket.valid_until <= now => Err(RedemptionRefusal::Expired),
        Some(counter) => Ok(counter),
    }
}

impl Claims {
    fn redeem(&mut self, claim: &Claim, counter: &mut UseCounter, at: Duration) -> Redemption {
        match self.contents.entry(claim.ballot) {
            Entry::Occupied(granted) if *granted.get() == claim.contents => Redemption::Repeated,
            Entry::Occupied(_) => Redemption::Refused(RedemptionRefusal::Altered),
            Entry::Vacant(_) if counter.granted >= counter.ticket.use_limit => {
                Redemption::Refused(RedemptionRefusal::Exhausted)
            }
            Entry::Vacant(new) => {
                new.insert(claim.contents);
                self.ages.push_back((at, claim.ballot));
                counter.granted += 1;
                Redemption::Granted
            }
        }
    }

    /// Forgets up to `limit` ids that were granted longer than `window` ago.
    fn forget_older(&mut self, now: Duration, window: Duration, limit: usize) {
        for _ in 0..limit {
            match self.ages.front() {
                Some((at, _)) if now.saturating_sub(*at) > window => self.forget_oldest(),
                _ => return,
            }
        }
    }

    fn forget_beyond(&mut self, limit: usize) {
        while self.ages.len() > limit {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, ballot)) = self.ages.pop_front() {
            self.contents.remove(&ballot);
        }
    }
}

#[cfg(test)]
mod tests {
    use cast_core::domain::Redemption::{Granted, Refused, Repeated};

    use super::*;
    use crate::memory::fixtures::{ManualClock, id, period_ticket, ring};

    const TTL: Duration = Duration::from_secs(2);

    fn claim(number: u64) -> Claim {
        Claim {
            ballot: id(number),
            contents: ContentsDigest::from_bytes([0; 16]),
        }
    }

    fn source(options: TicketOptions) -> (Arc<ManualClock>, MemoryTickets) {
        let clock = Arc::new(ManualClock::new());
        let tickets = MemoryTickets::with_options(Arc::clone(&clock) as Arc<dyn Clock>, options);
        (clock, tickets)
    }

    /// Publishes a ticket of `limit` uses for now.
    async fn issue(tickets: &MemoryTickets, limit: u32) -> PeriodTicket {
        let ticket = period_ticket(tickets.clock.now(), 1, limit);
        tickets.publish(&ticket).await.expect("published")
    }

    async fn redeem(
        tickets: &MemoryTickets,
        ticket: &PeriodTicket,
        numbers: &[u64],
    ) -> Vec<Redemption> {
        let genuine = ring().verify(&ticket.ticket).expect("issued by this ring");
        let claims: Vec<_> = numbers.iter().copied().map(claim).collect();
        tickets.redeem(&genuine, &claims).await.expect("redeemed")
    }

    #[tokio::test]
    async fn a_claim_is_remembered_for_the_retry_window_and_then_forgotten() {
        let options = TicketOptions {
            retry_window: Duration::from_secs(60),
            ..TicketOptions::default()
        };
        let (clock, tickets) = source(options);
        let first = issue(&tickets, 10).await;
        assert_eq!(redeem(&tickets, &first, &[1]).await, [Granted]);
        clock.advance(Duration::from_secs(60));
        let second = issue(&tickets, 10).await;
        assert_eq!(redeem(&tickets, &second, &[1]).await, [Repeated]);
        clock.advance(Duration::from_secs(1));
        assert_eq!(redeem(&tickets, &second, &[1]).await, [Granted]);
    }

    #[tokio::test]
    async fn each_call_forgets_a_few_old_claims() {
        let (clock, tickets) = source(TicketOptions::default());
        let ticket = issue(&tickets, 100).await;
        let hundred: Vec<_> = (0..100).collect();
        redeem(&tickets, &ticket, &hundred).await;
        clock.advance(Duration::from_secs(3_600));
        let ticket = issue(&tickets, 100).await;
        redeem(&tickets, &ticket, &[200, 201, 202]).await;
        let remembered = || tickets.state.lock().claims.contents.len();
        assert_eq!(remembered(), 100 - 6 + 3);
        for number in 300..350 {
            redeem(&tickets, &ticket, &[number]).await;
        }
        assert_eq!(remembered(), 53, "only the old claims are forgotten");
    }

    #[tokio::test]
    async fn no_more_claims_are_remembered_than_the_bound() {
        let options = TicketOptions {
            max_claims: 2,
            ..TicketOptions::default()
        };
        let (_, tickets) = source(options);
        let ticket = issue(&tickets, 10).await;
        redeem(&tickets, &ticket, &[1, 2, 3]).await;
        assert_eq!(tickets.state.lock().claims.contents.len(), 2);
        assert_eq!(
            redeem(&tickets, &ticket, &[3, 1]).await,
            [Repeated, Granted]
        );
    }

    #[tokio::test]
    async fn an_expired_ticket_is_refused_as_expired_and_later_as_unknown() {
        let (clock, tickets) = source(TicketOptions::default());
        let ticket = issue(&tickets, 10).await;
        clock.advance(TTL + Duration::from_secs(299));
        issue(&tickets, 10).await;
        let expired = Refused(RedemptionRefusal::Expired);
        assert_eq!(redeem(&tickets, &ticket, &[1]).await, [expired]);
        clock.advance(Duration::from_secs(1));
        issue(&tickets, 10).await;
        let unknown = Refused(RedemptionRefusal::Unknown);
        assert_eq!(redeem(&tickets, &ticket, &[1]).await, [unknown]);
        assert_eq!(tickets.state.lock().uses.len(), 2);
    }

    #[tokio::test]
    async fn a_lost_use_counter_fails_closed_until_the_next_ticket() {
        let (_, tickets) = source(TicketOptions::default());
        let lost = issue(&tickets, 10).await;
        redeem(&tickets, &lost, &[1]).await;
        tickets.forget_tickets();
        assert_eq!(tickets.current().await.expect("an answer"), None);
        let unknown = Refused(RedemptionRefusal::Unknown);
        assert_eq!(redeem(&tickets, &lost, &[1, 2]).await, [unknown; 2]);

        let next = period_ticket(ManualClock::START, 2, 10);
        assert_eq!(tickets.publish(&next).await.expect("published"), next);
        assert_eq!(redeem(&tickets, &lost, &[2]).await, [unknown]);
        assert_eq!(redeem(&tickets, &next, &[1, 2]).await, [Repeated, Granted]);
    }

    #[tokio::test]
    async fn a_restart_forgets_the_claims_too() {
        let (_, tickets) = source(TicketOptions::default());
        let lost = issue(&tickets, 10).await;
        redeem(&tickets, &lost, &[1]).await;
        tickets.forget();
        let next = period_ticket(ManualClock::START, 2, 10);
        tickets.publish(&next).await.expect("published");
        assert_eq!(redeem(&tickets, &next, &[1]).await, [Granted]);
    }
}
