//! The ticket source beside its contract: a use for each new ballot, and none beyond the limit.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use cast_adapters::memory::{MemoryTickets, TicketOptions};
use cast_core::{
    domain::{
        BallotId, Claim, Clock, ContentsDigest, CurrentTicket, GenuineTicket, KeyRing,
        PeriodTicket, Redemption, RedemptionRefusal, Timestamp,
    },
    ports::TicketSource,
};
use cast_testkit::{ManualClock, Seed, fixtures, properties};
use proptest::{collection::vec, prelude::*, sample::Index};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use tokio::runtime::Runtime;

use crate::small;

const PERIOD: Duration = Duration::from_secs(2);

/// What can happen to a ticket source.
#[derive(Clone, Debug)]
enum Step {
    /// Of the period that is so many behind the running one; one of two generators' tickets.
    Publish {
        period: u32,
        generator: u8,
        ttl: Duration,
        use_limit: u32,
    },
    /// With one of the tickets that ever were.
    Redeem {
        ticket: Index,
        claims: Vec<Claim>,
    },
    Pass(Duration),
    LoseTickets,
    LoseAll,
}

/// The contract, read as a function of what was published and granted.
#[derive(Clone, Debug)]
struct Model {
    now: Timestamp,
    /// All tickets that were ever made, published or not.
    made: Vec<(GenuineTicket, PeriodTicket)>,
    /// By the beginning of their periods.
    published: BTreeMap<Timestamp, PeriodTicket>,
    granted: Vec<(PeriodTicket, BallotId)>,
    contents: BTreeMap<BallotId, ContentsDigest>,
    expected: Answer,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    None,
    Published(PeriodTicket),
    Redeemed(Vec<Redemption>),
}

fn keys() -> KeyRing {
    fixtures::key_ring(&Seed::new(1).entropy())
}

impl Model {
    fn ticket(&self, step: &Step) -> Option<(GenuineTicket, PeriodTicket)> {
        let Step::Publish {
            period,
            generator,
            ttl,
            use_limit,
        } = *step
        else {
            return None;
        };
        let valid_from = self.now.period_start(PERIOD).plus(period * PERIOD);
        // A generator makes another ticket each time; here each makes one of a period.
        let entropy = Seed::new(valid_from.as_unix_ms() + u64::from(generator)).entropy();
        let genuine = keys().issue(valid_from, &entropy);
        let ticket = PeriodTicket {
            ticket: *genuine.ticket(),
            valid_until: valid_from.plus(ttl),
            use_limit,
        };
        Some((genuine, ticket))
    }

    fn granted_of(&self, ticket: &PeriodTicket) -> u32 {
        let granted = self
            .granted
            .iter()
            .filter(|(of, _)| of.ticket == ticket.ticket);
        u32::try_from(granted.count()).expect("few")
    }

    fn current(&self) -> Option<CurrentTicket> {
        let (_, begun_last) = self.published.range(..=self.now).next_back()?;
        begun_last.is_valid_at(self.now).then(|| CurrentTicket {
            id: begun_last.ticket,
            valid_until: begun_last.valid_until,
            uses_left: begun_last.use_limit - self.granted_of(begun_last),
        })
    }

    fn redeem(&mut self, ticket: &GenuineTicket, claim: &Claim) -> Redemption {
        let published = self
            .published
            .values()
            .find(|known| known.ticket == *ticket.ticket());
        let Some(published) = published
            .copied()
            .filter(|known| known.valid_from() <= self.now)
        else {
            return Redemption::Refused(RedemptionRefusal::Unknown);
        };
        if published.valid_until <= self.now {
            return Redemption::Refused(RedemptionRefusal::Expired);
        }
        match self.contents.get(&claim.ballot) {
            Some(contents) if *contents == claim.contents => Redemption::Repeated,
            Some(_) => Redemption::Refused(RedemptionRefusal::Altered),
            None if self.granted_of(&published) == published.use_limit => {
                Redemption::Refused(RedemptionRefusal::Exhausted)
            }
            None => {
                self.contents.insert(claim.ballot, claim.contents);
                self.granted.push((published, claim.ballot));
                Redemption::Granted
            }
        }
    }
}

fn claim() -> impl Strategy<Value = Claim> {
    // Of each ballot, what most say that send it, and sometimes something else.
    (0..small::BALLOTS, prop::bool::weighted(0.1)).prop_map(|(number, is_altered)| Claim {
        ballot: small::id(number),
        contents: ContentsDigest::from_bytes([u8::from(is_altered); 16]),
    })
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self {
            now: ManualClock::START,
            made: vec![],
            published: BTreeMap::new(),
            granted: vec![],
            contents: BTreeMap::new(),
            expected: Answer::None,
        })
        .boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Step> {
        let ttl = prop_oneof![Just(PERIOD), (1..4_000_u64).prop_map(Duration::from_millis)];
        let publish = (0..3_u32, 0..2_u8, ttl, prop_oneof![0..4_u32, Just(100)]);
        prop_oneof![
            4 => publish.prop_map(|(period, generator, ttl, use_limit)| {
                Step::Publish { period, generator, ttl, use_limit }
            }),
            8 => (any::<Index>(), vec(claim(), 0..6)).prop_map(|(ticket, claims)| Step::Redeem { ticket, claims }),
            3 => (0..2_500_u64).prop_map(|ms| Step::Pass(Duration::from_millis(ms))),
            1 => Just(Step::LoseTickets),
            1 => Just(Step::LoseAll),
        ]
        .boxed()
    }

    fn preconditions(model: &Self, step: &Step) -> bool {
        match step {
            Step::Redeem { .. } => !model.made.is_empty(),
            // A generator publishes only what it has just made: what was lost does not come back.
            Step::Publish { .. } => model.ticket(step).is_none_or(|(_, ticket)| {
                let was_made = model
                    .made
                    .iter()
                    .any(|(_, made)| made.ticket == ticket.ticket);
                !was_made || model.published.contains_key(&ticket.valid_from())
            }),
            Step::Pass(_) | Step::LoseTickets | Step::LoseAll => true,
        }
    }

    fn apply(mut model: Self, step: &Step) -> Self {
        model.expected = Answer::None;
        match step {
            Step::Publish { .. } => {
                let (genuine, ticket) = model.ticket(step).expect("a publication");
                model.made.push((genuine, ticket));
                let first = model.published.get(&ticket.valid_from()).copied();
                if first.is_none() && model.now < ticket.valid_until {
                    model.published.insert(ticket.valid_from(), ticket);
                }
                let kept = first.unwrap_or(ticket);
                model.expected = Answer::Published(kept);
            }
            Step::Redeem { ticket, claims } => {
                let (genuine, _) = *ticket.get(&model.made);
                let redeemed = claims
                    .iter()
                    .map(|claim| model.redeem(&genuine, claim))
                    .collect();
                model.expected = Answer::Redeemed(redeemed);
            }
            Step::Pass(time) => model.now = model.now.plus(*time),
            Step::LoseTickets => model.published.clear(),
            Step::LoseAll => {
                model.published.clear();
                model.contents.clear();
            }
        }
        model
    }
}

/// The ticket source in memory, and what it ever granted.
struct Issuing {
    runtime: Runtime,
    clock: Arc<ManualClock>,
    tickets: MemoryTickets,
    /// How often each ticket was granted, by the answers alone.
    granted: BTreeMap<GenuineTicket, u32>,
    /// Which ballots were, since the source last lost all.
    ballots: BTreeSet<BallotId>,
}

impl fmt::Debug for Issuing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.granted).finish()
    }
}

impl Issuing {
    fn redeem(&mut self, ticket: GenuineTicket, claims: &[Claim]) -> Vec<Redemption> {
        let redeemed = self.runtime.block_on(self.tickets.redeem(&ticket, claims));
        let redeemed = redeemed.expect("redeemed");
        for (claim, redemption) in claims.iter().zip(&redeemed) {
            match redemption {
                Redemption::Granted => {
                    *self.granted.entry(ticket).or_default() += 1;
                    assert!(
                        self.ballots.insert(claim.ballot),
                        "granted twice: {}",
                        claim.ballot
                    );
                }
                Redemption::Repeated => assert!(self.ballots.contains(&claim.ballot)),
                Redemption::Refused(_) => {}
            }
        }
        redeemed
    }
}

impl StateMachineTest for Issuing {
    type SystemUnderTest = Self;
    type Reference = Model;

    fn init_test(_: &Model) -> Self {
        let clock = Arc::new(ManualClock::new());
        let options = TicketOptions {
            retry_window: Duration::from_secs(24 * 60 * 60),
            expired_kept: Duration::from_secs(24 * 60 * 60),
            ..TicketOptions::default()
        };
        Self {
            runtime: small::runtime(),
            tickets: MemoryTickets::with_options(Arc::clone(&clock) as Arc<dyn Clock>, options),
            clock,
            granted: BTreeMap::new(),
            ballots: BTreeSet::new(),
        }
    }

    fn apply(mut issuing: Self, model: &Model, step: Step) -> Self {
        let answer = match &step {
            Step::Publish { .. } => {
                let (_, ticket) = model.ticket(&step).expect("a publication");
                let kept = issuing.runtime.block_on(issuing.tickets.publish(&ticket));
                Answer::Published(kept.expect("published"))
            }
            Step::Redeem { ticket, claims } => {
                let (genuine, _) = *ticket.get(&model.made);
                Answer::Redeemed(issuing.redeem(genuine, claims))
            }
            Step::Pass(time) => {
                issuing.clock.advance(*time);
                Answer::None
            }
            Step::LoseTickets => {
                issuing.tickets.forget_tickets();
                Answer::None
            }
            Step::LoseAll => {
                issuing.tickets.forget();
                issuing.ballots.clear();
                Answer::None
            }
        };
        assert_eq!(answer, model.expected);
        issuing
    }

    fn check_invariants(issuing: &Self, model: &Model) {
        let current = issuing.runtime.block_on(issuing.tickets.current());
        assert_eq!(current.expect("answered"), model.current());
        for (ticket, granted) in &issuing.granted {
            let limits = model.made.iter().filter(|(made, _)| made == ticket);
            let most = limits
                .map(|(_, made)| made.use_limit)
                .max()
                .expect("it was made");
            assert!(*granted <= most, "{granted} uses of {most}");
        }
    }
}

prop_state_machine! {
    #![proptest_config(properties::config(128))]

    #[test]
    fn it_grants_a_use_for_each_new_ballot_and_none_beyond_the_limit(sequential 1..40 => Issuing);
}
