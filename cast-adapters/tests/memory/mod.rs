//! The memory adapters for the contract suites: on a clock that stands still, with small
//! bounds, and with every fault that a suite may request.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use cast_adapters::memory::{
    BusOptions, CounterOptions, MemoryBus, MemoryCounter, MemoryStore, MemoryTickets, StoreOptions,
};
use cast_core::{
    domain::{Candidate, Clock, LogPosition, LoggedBallot, Offset, Partition, Partitions},
    ports::{Checkpoint, EventBus, GroupName, Subscription, TicketSource, VoteCounter, VoteStore},
};
use cast_testkit::{
    ManualClock,
    contract::{
        Harness, Skipped, event_bus::EventBusHarness, ticket_source::TicketSourceHarness,
        vote_counter::VoteCounterHarness, vote_store::VoteStoreHarness,
    },
    fixtures::{Fixtures, Progress},
};

/// A wait for another task is short: there is no network.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Tickets {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) source: Arc<MemoryTickets>,
}

pub(crate) fn tickets() -> Tickets {
    let clock = Arc::new(ManualClock::new());
    let source = Arc::new(MemoryTickets::new(Arc::clone(&clock) as Arc<dyn Clock>));
    Tickets { clock, source }
}

#[async_trait]
impl Harness for Tickets {
    fn patience(&self) -> Duration {
        PATIENCE
    }

    async fn close(&self) {}
}

#[async_trait]
impl TicketSourceHarness for Tickets {
    async fn open(&self) -> Arc<dyn TicketSource> {
        Arc::clone(&self.source) as _
    }

    fn period(&self) -> Duration {
        // A few of them are longer than expired tickets are remembered.
        Duration::from_secs(120)
    }

    fn time_stands_still(&self) -> bool {
        true
    }

    async fn pass(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    async fn lose_use_counters(&self) -> Result<(), Skipped> {
        self.source.forget_tickets();
        Ok(())
    }
}

pub(crate) struct Bus {
    pub(crate) bus: Arc<MemoryBus>,
    /// The only group there is while the log is full.
    filler: Mutex<Option<Box<dyn Subscription>>>,
}

const PARTITIONS: Partitions = Partitions::new(3).expect("three");
/// How many records of a partition outlive the commits of all groups.
const RETAINED: usize = 64;

pub(crate) fn bus() -> Bus {
    let options = BusOptions {
        retained_records: RETAINED,
        max_waiting_ballots: 200_000,
    };
    Bus {
        bus: Arc::new(MemoryBus::with_options(PARTITIONS, options)),
        filler: Mutex::default(),
    }
}

impl Bus {
    async fn join(&self, group: &GroupName) -> Box<dyn Subscription> {
        let subscription = self
            .bus
            .subscribe(group, 1, Arc::new(Progress::at_start()))
            .await;
        subscription.expect("the log takes a member")
    }

    async fn end(&self, group: &GroupName, partition: Partition) -> Offset {
        let lags = self.bus.lag(group).await.expect("answered");
        let of = lags.into_iter().find(|lag| lag.partition == partition);
        of.expect("the lag of each partition").end
    }
}

#[async_trait]
impl Harness for Bus {
    fn patience(&self) -> Duration {
        PATIENCE
    }

    async fn close(&self) {}
}

#[async_trait]
impl EventBusHarness for Bus {
    async fn open(&self) -> Arc<dyn EventBus> {
        Arc::clone(&self.bus) as _
    }

    async fn append_unreadable(&self, partition: Partition, bytes: &[u8]) -> Result<(), Skipped> {
        let appended = self
            .bus
            .append_unreadable(partition, bytes, "no record of ours");
        appended.expect("the log takes what it cannot read");
        Ok(())
    }

    /// A log in this process is always reachable, but it is full when its readers lag.
    async fn obstruct(&self, obstructed: bool) -> Result<(), Skipped> {
        let (group, partition) = (GroupName::new("filler"), Partition::new(0));
        if obstructed {
            let member = self.join(&group).await;
            self.filler.lock().expect("not poisoned").replace(member);
            let fixtures = Fixtures::new();
            let full = fixtures.record(partition, PARTITIONS, 200_000);
            let filled = self.bus.publish(&[full]).await;
            assert!(filled[0].is_ok(), "an empty log takes a record of any size");
        } else {
            let end = self.end(&group, partition).await;
            let member = self.filler.lock().expect("not poisoned").take();
            let mut member = member.expect("the log was filled before");
            member
                .commit(partition, end)
                .await
                .expect("the log notes a commit");
        }
        Ok(())
    }

    /// Retention drops what every group has committed, once there are enough records behind it.
    async fn truncate(&self, partition: Partition, before: Offset) -> Result<(), Skipped> {
        let group = GroupName::new("truncating");
        let mut member = self.join(&group).await;
        let fixtures = Fixtures::new();
        let end = self.end(&group, partition).await.get();
        let missing = usize::try_from(before.get() + RETAINED as u64 - end).expect("a few");
        let more: Vec<_> = (0..missing)
            .map(|_| fixtures.record(partition, PARTITIONS, 1))
            .collect();
        let published = self.bus.publish(&more).await;
        assert!(published.iter().all(Result::is_ok), "the log takes records");
        let end = self.end(&group, partition).await;
        member
            .commit(partition, end)
            .await
            .expect("the log notes a commit");
        Ok(())
    }
}

pub(crate) struct Counter {
    clock: Arc<ManualClock>,
    pub(crate) counter: Arc<MemoryCounter>,
}

/// More than any clause has at once; so few that [`save_memory`](VoteCounterHarness::save_memory) soon
/// exceeds it.
const IDLE_CANDIDATES: usize = 64;

pub(crate) fn counter() -> Counter {
    let clock = Arc::new(ManualClock::new());
    let options = CounterOptions {
        max_idle_candidates: IDLE_CANDIDATES,
    };
    let counter = MemoryCounter::with_options(Arc::clone(&clock) as Arc<dyn Clock>, options);
    Counter {
        clock,
        counter: Arc::new(counter),
    }
}

#[async_trait]
impl Harness for Counter {
    fn patience(&self) -> Duration {
        PATIENCE
    }

    async fn close(&self) {}
}

#[async_trait]
impl VoteCounterHarness for Counter {
    async fn open(&self) -> Arc<dyn VoteCounter> {
        Arc::clone(&self.counter) as _
    }

    fn while_passing(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn pass(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    async fn forget(&self, candidate: &Candidate) -> Result<(), Skipped> {
        self.counter.forget_candidate(candidate);
        Ok(())
    }

    async fn save_memory(&self) -> Result<(), Skipped> {
        let crowd = (0..3 * IDLE_CANDIDATES).map(|number| Checkpoint {
            candidate: Candidate::new(&format!("one of many {number}")).expect("a name"),
            applied_totals: Vec::new(),
            whole: true,
        });
        let crowd: Vec<_> = crowd.collect();
        self.counter
            .reconcile(&crowd)
            .await
            .expect("the counter reconciles");
        Ok(())
    }
}

pub(crate) struct Store {
    pub(crate) store: Arc<MemoryStore>,
}

const LARGEST_TOTAL: u32 = 1_000_000;

pub(crate) fn store() -> Store {
    let options = StoreOptions {
        largest_total: u64::from(LARGEST_TOTAL),
        ..StoreOptions::default()
    };
    Store {
        store: Arc::new(MemoryStore::with_options(options)),
    }
}

#[async_trait]
impl Harness for Store {
    fn patience(&self) -> Duration {
        PATIENCE
    }

    async fn close(&self) {}
}

#[async_trait]
impl VoteStoreHarness for Store {
    async fn open(&self) -> Arc<dyn VoteStore> {
        Arc::clone(&self.store) as _
    }

    async fn unholdable(&self, fixtures: &Fixtures) -> Result<LoggedBallot, Skipped> {
        let other = fixtures.candidate("beyond all numbers");
        Ok(fixtures.ballot(&[(&other, LARGEST_TOTAL + 1)]))
    }

    async fn rejections(&self) -> Result<Vec<LogPosition>, Skipped> {
        let position =
            |(partition, rejection): (Partition, cast_core::domain::Rejection)| LogPosition {
                partition,
                offset: rejection.offset(),
            };
        Ok(self.store.rejections().into_iter().map(position).collect())
    }
}
