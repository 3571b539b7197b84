//! A CAST over memory adapters on a clock that the test holds, with each adapter within reach.
#![allow(
    dead_code,
    reason = "each test binary uses its own part of this module"
)]

pub(crate) mod log;

use std::sync::Arc;

use cast_adapters::memory::{
    BusOptions, MemoryBus, MemoryCounter, MemoryStore, MemoryTickets, StoreOptions,
};
use cast_core::{
    Cast, Consumer, Generator, Ports, Roles, Settings,
    domain::{
        Ballot, BallotId, Candidate, Clock as _, KeyRing, LogPosition, LoggedBallot, Outcome,
        Partition, Partitions, Receipt, Record, Refusal, Tally, Ticket,
    },
    ports::{EventBus as _, PartitionLag, Subscription, VoteCounter as _, VoteStore as _},
};
use cast_testkit::{ManualClock, SeededEntropy, fixtures};

pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) entropy: Arc<SeededEntropy>,
    pub(crate) tickets: Arc<MemoryTickets>,
    pub(crate) bus: Arc<MemoryBus>,
    pub(crate) counter: Arc<MemoryCounter>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) keys: KeyRing,
    pub(crate) settings: Settings,
}

impl World {
    pub(crate) fn new(partitions: u32) -> Self {
        Self::with_store(partitions, StoreOptions::default())
    }

    pub(crate) fn with_store(partitions: u32, options: StoreOptions) -> Self {
        let clock = Arc::new(ManualClock::new());
        let entropy = Arc::new(SeededEntropy::new(7));
        let partitions = Partitions::new(partitions).expect("not zero");
        let bus = MemoryBus::with_options(partitions, BusOptions::default().retain_all());
        Self {
            tickets: Arc::new(MemoryTickets::new(clock.clone())),
            bus: Arc::new(bus),
            counter: Arc::new(MemoryCounter::new(clock.clone())),
            store: Arc::new(MemoryStore::with_options(options)),
            keys: fixtures::key_ring(&entropy),
            settings: Settings::default(),
            clock,
            entropy,
        }
    }

    /// With a log that keeps so many records of a partition once they are folded.
    pub(crate) fn retaining(partitions: u32, records: usize) -> Self {
        let count = Partitions::new(partitions).expect("not zero");
        let options = BusOptions {
            retained_records: records,
            ..BusOptions::default()
        };
        Self {
            bus: Arc::new(MemoryBus::with_options(count, options)),
            ..Self::new(partitions)
        }
    }

    pub(crate) fn ports(&self) -> Ports {
        Ports {
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            tickets: self.tickets.clone(),
            bus: self.bus.clone(),
            counter: self.counter.clone(),
            store: self.store.clone(),
        }
    }

    /// A vote service on `ports`; the test issues tickets and folds the log.
    pub(crate) async fn api_over(&self, ports: Ports) -> Cast {
        let roles = Roles {
            api: true,
            generator: false,
            consumers: 0,
        };
        self.generator().tick().await.expect("published");
        let cast = Cast::builder(ports, self.keys.clone());
        cast.settings(self.settings.clone())
            .roles(roles)
            .start()
            .await
            .expect("started")
    }

    pub(crate) async fn api(&self) -> Cast {
        self.api_over(self.ports()).await
    }

    pub(crate) fn generator(&self) -> Generator {
        Generator::new(
            &self.ports(),
            self.keys.clone(),
            self.settings.tickets.clone(),
        )
    }

    pub(crate) fn consumer(&self) -> Consumer {
        Consumer::new(&self.ports(), self.settings.fold.clone())
    }

    /// Folds until nothing is left.
    pub(crate) async fn drain(&self) {
        let consumer = self.consumer();
        let mut log = consumer.subscribe().await.expect("subscribed");
        self.drain_with(&consumer, &mut *log).await;
        log.close().await.expect("closed");
    }

    pub(crate) async fn drain_with(&self, consumer: &Consumer, log: &mut dyn Subscription) {
        while self.behind().await > 0 {
            consumer.step(log).await.expect("folded");
        }
    }

    pub(crate) async fn behind(&self) -> u64 {
        let lag = self
            .bus
            .lag(&self.settings.fold.group)
            .await
            .expect("a lag");
        lag.iter().map(PartitionLag::behind).sum()
    }

    /// Appends ballots as one record, without a vote service.
    pub(crate) async fn append(
        &self,
        partition: Partition,
        ballots: Vec<LoggedBallot>,
    ) -> LogPosition {
        let mut results = self.bus.publish(&[Record::new(partition, ballots)]).await;
        let published = results.pop().expect("an answer").expect("published");
        published.position.expect("a position")
    }

    /// The tally of the counter, without a refresh.
    pub(crate) async fn counted(&self, name: &str) -> u64 {
        let readings = self
            .counter
            .read(&[candidate(name)])
            .await
            .expect("a reading");
        readings[0].tally.votes
    }

    /// What the store has.
    pub(crate) async fn stored(&self, name: &str) -> u64 {
        let tallies = self.store.tallies(&[candidate(name)]).await;
        tallies.expect("tallies")[0].tally().votes
    }

    pub(crate) fn now(&self) -> cast_core::domain::Timestamp {
        self.clock.now()
    }
}

pub(crate) fn candidate(name: &str) -> Candidate {
    Candidate::new(name).expect("a name")
}

pub(crate) fn id(number: u128) -> BallotId {
    BallotId::new(uuid_of(number)).expect("an id")
}

fn uuid_of(number: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(number)
}

pub(crate) fn ballot(ticket: Ticket, name: &str, votes: u32) -> Ballot {
    Ballot::new(ticket).select(name, votes).expect("a ballot")
}

pub(crate) async fn current(cast: &Cast) -> Ticket {
    cast.current_ticket().await.expect("a ticket").id
}

pub(crate) async fn votes_of(cast: &Cast, name: &str) -> u64 {
    tally_of(cast, name).await.votes
}

pub(crate) async fn tally_of(cast: &Cast, name: &str) -> Tally {
    cast.tallies(&[candidate(name)])
        .await
        .expect("a tally")
        .remove(0)
}

pub(crate) fn receipt(outcome: Outcome) -> Receipt {
    match outcome {
        Outcome::Accepted(receipt) => receipt,
        Outcome::Refused { why, .. } => panic!("refused: {why}"),
    }
}

pub(crate) fn refusal(outcome: Outcome) -> Refusal {
    match outcome {
        Outcome::Refused { why, .. } => why,
        Outcome::Accepted(receipt) => panic!("accepted: {receipt:?}"),
    }
}
