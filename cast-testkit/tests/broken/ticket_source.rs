//! Ticket sources that are broken on purpose: each clause of the contract is seen to fail.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use cast_adapters::memory::MemoryTickets;
use cast_core::{
    domain::{
        BallotId, Claim, CurrentTicket, GenuineTicket, PeriodTicket, Redemption,
        RedemptionRefusal as Refusal, Ticket, Timestamp,
    },
    ports::{ForwardingTicketSource, PortError, TicketSource},
};
use cast_testkit::{
    Seed,
    contract::{Harness, Skipped, ticket_source::TicketSourceHarness},
    fixtures::Fixtures,
};
use parking_lot::{Mutex, MutexGuard};
use tokio::task::yield_now;

crate::caught::caught! { ticket_source, broken:
    the_first_ticket_of_a_period_wins => AdoptingNothing,
    generators_that_race_agree_on_one_ticket => LookingBeforePublishing,
    publishing_again_gives_back_no_uses => ResettingUses,
    a_ticket_published_early_waits_for_its_period => ShowingTheNewest | GrantingAnything,
    a_ticket_whose_end_has_passed_is_not_kept => KeepingTheFirstForGood | EmptyingTheDead,
    the_current_ticket_is_the_one_begun_last => ShowingTheOldest | ShowingTheLastPublished,
    there_is_none_before_the_first_and_after_the_last => ShowingTheNewest | ShowingTheLastPublished,
    the_uses_left_are_the_limit_less_the_grants => ShowingUsesTaken,
    uses_are_granted_in_order_as_many_as_are_left => GrantingBackwards,
    racing_grants_add_up_to_the_limit => LookingBeforeGranting,
    a_repeated_id_costs_nothing_in_the_same_call => BlindWithinACall,
    a_repeated_id_costs_nothing_in_a_later_call => ForgettingAfterACall,
    a_repeated_id_costs_nothing_with_a_newer_ticket => ForgettingWithTheTicket,
    a_repeated_id_costs_nothing_when_its_copies_race => LookingBeforeRemembering,
    a_repeated_id_is_repeated_by_an_exhausted_ticket => ExhaustedForAll,
    other_contents_are_refused_as_altered => BlindToContents,
    a_ticket_never_published_is_unknown => GrantingAnything,
    a_ticket_whose_period_has_not_begun_is_unknown => GrantingEarly,
    a_ticket_is_expired_from_its_end_on => RepeatingPastTheEnd | AMillisecondLate,
    a_ticket_long_past_is_never_granted => GrantingLongPast,
    what_was_refused_is_not_remembered => RememberingRefusals,
    no_claims_no_answers_no_effect => TakingAUseForNothing,
    a_ticket_whose_use_counter_was_lost_is_unknown => CountingAgainAfterLoss,
    a_new_ticket_after_a_loss_lets_voters_go_on => KeepingTheFirstForGood,
    a_dropped_redemption_happened_as_a_whole_or_not_at_all => RedeemingInHalves,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    AMillisecondLate,
    AdoptingNothing,
    BlindToContents,
    BlindWithinACall,
    CountingAgainAfterLoss,
    EmptyingTheDead,
    ExhaustedForAll,
    ForgettingAfterACall,
    ForgettingWithTheTicket,
    GrantingAnything,
    GrantingBackwards,
    GrantingEarly,
    GrantingLongPast,
    KeepingTheFirstForGood,
    LookingBeforeGranting,
    LookingBeforePublishing,
    LookingBeforeRemembering,
    RedeemingInHalves,
    RememberingRefusals,
    RepeatingPastTheEnd,
    ResettingUses,
    ShowingTheLastPublished,
    ShowingTheNewest,
    ShowingTheOldest,
    ShowingUsesTaken,
    Sound,
    TakingAUseForNothing,
}

/// The memory adapter behind something that breaks it.
struct Broken {
    how: How,
    inner: Arc<MemoryTickets>,
    fixtures: Fixtures,
    memory: Mutex<Memory>,
}

/// What the breakers remember, each for its purpose.
#[derive(Default)]
struct Memory {
    published: Vec<PeriodTicket>,
    first: HashMap<Timestamp, PeriodTicket>,
    granted: HashMap<Ticket, u32>,
    disguises: HashMap<(BallotId, Option<Ticket>), BallotId>,
    seen: HashSet<BallotId>,
}

impl Broken {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock()
    }

    /// A fresh ballot in the place of `claim`, the same one for the same key.
    fn disguised(&self, claim: Claim, key: Option<Ticket>) -> Claim {
        let fresh = self.fixtures.ballot_id();
        let mut memory = self.memory();
        let ballot = *memory.disguises.entry((claim.ballot, key)).or_insert(fresh);
        Claim { ballot, ..claim }
    }

    async fn uses_left(&self) -> u32 {
        let current = self.inner.current().await.expect("memory answers");
        current.map_or(0, |current| current.uses_left)
    }

    /// What the breaker hands on of a redemption.
    fn bend(&self, ticket: &GenuineTicket, claims: &[Claim]) -> Vec<Claim> {
        let mut claims = claims.to_vec();
        match self.how {
            How::GrantingBackwards => claims.reverse(),
            How::ForgettingWithTheTicket => {
                let key = Some(*ticket.ticket());
                claims = claims
                    .into_iter()
                    .map(|claim| self.disguised(claim, key))
                    .collect();
            }
            How::ForgettingAfterACall => {
                self.memory().disguises.clear();
                claims = claims
                    .into_iter()
                    .map(|claim| self.disguised(claim, None))
                    .collect();
            }
            How::BlindWithinACall => {
                for at in 1..claims.len() {
                    let (before, claim) = (&claims[..at], claims[at]);
                    if before.iter().any(|earlier| earlier.ballot == claim.ballot) {
                        self.memory().disguises.clear();
                        claims[at] = self.disguised(claim, None);
                    }
                }
            }
            How::TakingAUseForNothing if claims.is_empty() => claims.push(self.fixtures.claim()),
            _ => {}
        }
        claims
    }

    /// What the breaker makes of an answer.
    async fn twist(&self, ticket: &GenuineTicket, claim: Claim, answer: Redemption) -> Redemption {
        let now = self.inner.now().await.expect("memory answers");
        let age = now.since(ticket.issued_at());
        let expired = answer == Redemption::Refused(Refusal::Expired);
        let unknown = answer == Redemption::Refused(Refusal::Unknown);
        let seen = self.memory().seen.contains(&claim.ballot);
        self.memory().seen.insert(claim.ballot);
        match self.how {
            How::BlindToContents if answer == Redemption::Refused(Refusal::Altered) => {
                Redemption::Repeated
            }
            How::GrantingAnything if unknown => Redemption::Granted,
            How::GrantingEarly if unknown && now < ticket.issued_at() => Redemption::Granted,
            How::RepeatingPastTheEnd if expired && seen => Redemption::Repeated,
            How::AMillisecondLate if expired && age == Duration::from_secs(240) => {
                Redemption::Granted
            }
            How::GrantingLongPast if unknown || expired && age > Duration::from_secs(600) => {
                Redemption::Granted
            }
            How::RememberingRefusals if seen => Redemption::Repeated,
            How::ExhaustedForAll
                if answer == Redemption::Repeated && self.uses_left().await == 0 =>
            {
                Redemption::Refused(Refusal::Exhausted)
            }
            _ => answer,
        }
    }

    /// Reads the use counter, and writes it a moment later.
    async fn look_before_granting(&self, ticket: &GenuineTicket, claims: usize) -> Vec<Redemption> {
        let ticket = *ticket.ticket();
        let mut used = self.memory().granted.get(&ticket).copied().unwrap_or(0);
        yield_now().await;
        let published = self.memory().published.clone();
        let limit = published
            .iter()
            .find(|known| known.ticket == ticket)
            .map_or(0, |t| t.use_limit);
        let grant = |_| {
            if used < limit {
                used += 1;
                Redemption::Granted
            } else {
                Redemption::Refused(Refusal::Exhausted)
            }
        };
        let answers = (0..claims).map(grant).collect();
        self.memory().granted.insert(ticket, used);
        answers
    }

    /// Looks whether ballots are known, and notes them a moment later.
    async fn look_before_remembering(&self, claims: &[Claim]) -> Vec<Redemption> {
        let known = |claim: &Claim| self.memory().seen.contains(&claim.ballot);
        let answers = claims.iter().map(|claim| {
            if known(claim) {
                Redemption::Repeated
            } else {
                Redemption::Granted
            }
        });
        let answers = answers.collect();
        yield_now().await;
        self.memory()
            .seen
            .extend(claims.iter().map(|claim| claim.ballot));
        answers
    }
}

fn shown(ticket: Option<PeriodTicket>) -> Option<CurrentTicket> {
    ticket.map(|ticket| CurrentTicket {
        id: ticket.ticket,
        valid_until: ticket.valid_until,
        uses_left: ticket.use_limit,
    })
}

#[async_trait]
impl ForwardingTicketSource for Broken {
    fn inner(&self) -> &dyn TicketSource {
        &*self.inner
    }

    async fn publish(&self, ticket: &PeriodTicket) -> Result<PeriodTicket, PortError> {
        let start = ticket.valid_from();
        match self.how {
            How::ResettingUses => self.inner.forget_tickets(),
            How::LookingBeforePublishing => {
                let first = self.memory().first.get(&start).copied();
                yield_now().await;
                if first.is_none() {
                    self.memory().first.insert(start, *ticket);
                }
                return Ok(first.unwrap_or(*ticket));
            }
            _ => {}
        }
        let first = *self.memory().first.entry(start).or_insert(*ticket);
        self.memory().published.push(*ticket);
        let adopted = self.inner.publish(ticket).await?;
        Ok(match self.how {
            How::AdoptingNothing => *ticket,
            How::KeepingTheFirstForGood => first,
            How::EmptyingTheDead if ticket.valid_until <= self.inner.now().await? => {
                let use_limit = 0;
                PeriodTicket {
                    use_limit,
                    ..adopted
                }
            }
            _ => adopted,
        })
    }

    async fn current(&self) -> Result<Option<CurrentTicket>, PortError> {
        let published = self.memory().published.clone();
        let begin = |ticket: &&PeriodTicket| ticket.valid_from();
        let mut current = self.inner.current().await?;
        match self.how {
            How::ShowingTheNewest => {
                current = shown(published.iter().max_by_key(begin).copied());
            }
            How::ShowingTheOldest => {
                current = shown(published.iter().min_by_key(begin).copied());
            }
            How::ShowingTheLastPublished => current = shown(published.last().copied()),
            How::ShowingUsesTaken => {
                if let (Some(current), Some(ticket)) = (&mut current, published.last()) {
                    current.uses_left = ticket.use_limit - current.uses_left;
                }
            }
            _ => {}
        }
        Ok(current)
    }

    async fn redeem(
        &self,
        ticket: &GenuineTicket,
        claims: &[Claim],
    ) -> Result<Vec<Redemption>, PortError> {
        match self.how {
            How::LookingBeforeGranting => {
                return Ok(self.look_before_granting(ticket, claims.len()).await);
            }
            How::LookingBeforeRemembering => {
                return Ok(self.look_before_remembering(claims).await);
            }
            How::CountingAgainAfterLoss => {
                let known = self.memory().published.clone();
                for known in known
                    .iter()
                    .filter(|known| known.ticket == *ticket.ticket())
                {
                    self.inner.publish(known).await?;
                }
            }
            How::RedeemingInHalves => {
                let (first, second) = claims.split_at(claims.len() / 2);
                let first = self.inner.redeem(ticket, first).await?;
                yield_now().await;
                return Ok([first, self.inner.redeem(ticket, second).await?].concat());
            }
            _ => {}
        }
        let mut answers = self
            .inner
            .redeem(ticket, &self.bend(ticket, claims))
            .await?;
        if self.how == How::GrantingBackwards {
            answers.reverse();
        }
        answers.truncate(claims.len());
        for (answer, claim) in answers.iter_mut().zip(claims) {
            *answer = self.twist(ticket, *claim, *answer).await;
        }
        Ok(answers)
    }
}

struct BrokenHarness {
    good: crate::memory::Tickets,
    source: Arc<Broken>,
}

fn broken(how: How) -> BrokenHarness {
    let good = crate::memory::tickets();
    let source = Arc::new(Broken {
        how,
        inner: Arc::clone(&good.source),
        fixtures: Fixtures::of(Seed::random()),
        memory: Mutex::default(),
    });
    BrokenHarness { good, source }
}

#[async_trait]
impl Harness for BrokenHarness {
    async fn close(&self) {
        self.good.close().await;
    }
}

#[async_trait]
impl TicketSourceHarness for BrokenHarness {
    async fn open(&self) -> Arc<dyn TicketSource> {
        Arc::clone(&self.source) as _
    }

    fn period(&self) -> Duration {
        self.good.period()
    }

    fn time_stands_still(&self) -> bool {
        true
    }

    async fn pass(&self, duration: Duration) {
        self.good.pass(duration).await;
    }

    async fn lose_use_counters(&self) -> Result<(), Skipped> {
        self.good.lose_use_counters().await
    }
}
