//! The interceptor over the ports, and the traits that forward to another port.

mod world;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use cast_core::{
    domain::{FoldStep, Offset, Partition, Progress, Record},
    ports::{
        Applied, Call, EventBus, ForwardingEventBus, ForwardingTicketSource, ForwardingVoteCounter,
        ForwardingVoteStore, GroupName, Intercepted, Interceptor, Operation, PortError,
        PortErrorKind, Published, Reply, TicketSource, VoteCounter, VoteStore,
    },
};
use cast_testkit::fixtures::{self, Fixtures};
use world::World;

const P0: Partition = Partition::new(0);

/// Writes down which operations are called, with how many items.
#[derive(Default)]
struct Calls(Mutex<Vec<(Operation, usize)>>);

impl Calls {
    fn seen(&self) -> Vec<(Operation, usize)> {
        self.0.lock().expect("no panic under the lock").clone()
    }
}

impl Interceptor for Calls {
    fn around<R: Reply>(
        &self,
        call: Call<'_, R>,
        run: impl Future<Output = R> + Send,
    ) -> impl Future<Output = R> + Send {
        let mut calls = self.0.lock().expect("no panic under the lock");
        calls.push((call.operation, call.items));
        run
    }
}

/// What is done instead of a call.
enum Instead {
    Refuse,
    Twice,
    Later(Mutex<Option<std::pin::Pin<Box<dyn Future<Output = ()> + Send>>>>),
}

impl Interceptor for Instead {
    async fn around<R: Reply>(&self, call: Call<'_, R>, run: impl Future<Output = R> + Send) -> R {
        let name = call.operation.name();
        match self {
            Self::Refuse => call.failed(PortError::unavailable(name, "refused by the test")),
            Self::Twice => {
                if let Some(again) = call.repeat() {
                    drop(again.await);
                }
                run.await
            }
            Self::Later(held) => {
                let call_later = call.repeat().map(|later| {
                    let later: std::pin::Pin<Box<dyn Future<Output = ()> + Send>> =
                        Box::pin(async { drop(later.await) });
                    later
                });
                *held.lock().expect("no panic under the lock") = call_later;
                call.failed(PortError::new(PortErrorKind::OutcomeUnknown, name))
            }
        }
    }
}

/// Forwards everything: overrides nothing.
struct Same<P: ?Sized>(Arc<P>);

impl ForwardingTicketSource for Same<dyn TicketSource> {
    fn inner(&self) -> &dyn TicketSource {
        &*self.0
    }
}

impl ForwardingEventBus for Same<dyn EventBus> {
    fn inner(&self) -> &dyn EventBus {
        &*self.0
    }
}

impl ForwardingVoteCounter for Same<dyn VoteCounter> {
    fn inner(&self) -> &dyn VoteCounter {
        &*self.0
    }
}

impl ForwardingVoteStore for Same<dyn VoteStore> {
    fn inner(&self) -> &dyn VoteStore {
        &*self.0
    }
}

fn record(ballots: u128) -> Record {
    let alice = world::candidate("alice");
    let ballots = (1..=ballots).map(|id| fixtures::ballot(world::id(id), &[(&alice, 1)]));
    Record::new(P0, ballots.collect::<Vec<_>>())
}

fn step_of(record: &Record) -> FoldStep {
    let ballots = record.ballots().iter().map(|ballot| (0, ballot.clone()));
    fixtures::step(P0, (0, 1), ballots)
}

/// Calls every operation once, with two items where there is a list.
async fn call_everything(ports: &cast_core::Ports) {
    let fixtures = Fixtures::new();
    let cast_core::Ports {
        tickets,
        bus,
        counter,
        store,
        ..
    } = ports;
    let now = tickets.now().await.expect("the time");
    let genuine = fixtures.ticket(now);
    let ticket = cast_core::domain::PeriodTicket {
        ticket: *genuine.ticket(),
        valid_until: now.plus(std::time::Duration::from_secs(60)),
        use_limit: 10,
    };
    tickets.publish(&ticket).await.expect("published");
    tickets.current().await.expect("current");
    let redeemed = tickets.redeem(&genuine, &fixtures.claims(2)).await;
    assert_eq!(redeemed.expect("redeemed").len(), 2);

    bus.partitions().await.expect("partitions");
    let published = bus.publish(&[record(2)]).await;
    assert!(published[0].is_ok());
    let group = GroupName::new("readers");
    let resume = Arc::new(fixtures::Progress::at_start());
    let mut log = bus.subscribe(&group, 10, resume).await.expect("subscribed");
    log.next().await.expect("a batch");
    log.seek(P0, Offset::START).await.expect("sought");
    log.commit(P0, Offset::new(1)).await.expect("committed");
    log.close().await.expect("closed");
    bus.lag(&group).await.expect("the lag");

    let candidates = ["alice", "bob"].map(world::candidate);
    let pending = cast_core::ports::PendingVotes {
        position: cast_core::domain::LogPosition {
            partition: P0,
            offset: Offset::START,
        },
        votes: candidates
            .iter()
            .map(|candidate| (candidate.clone(), 1))
            .collect(),
    };
    counter
        .record(&[pending], &candidates)
        .await
        .expect("recorded");
    let checkpoints = candidates
        .clone()
        .map(|candidate| cast_core::ports::Checkpoint {
            candidate,
            applied_totals: Vec::new(),
            whole: true,
        });
    counter.reconcile(&checkpoints).await.expect("reconciled");
    counter.read(&candidates).await.expect("read");
    counter.applied_totals(&candidates).await.expect("totals");

    let step = step_of(&record(2));
    store.progress(P0).await.expect("progress");
    store.dry_run(&step).await.expect("can be applied");
    store.apply(&step).await.expect("applied");
    store.tallies(&candidates).await.expect("tallies");
    store.leaders(5).await.expect("leaders");
    store.ballot(world::id(1)).await.expect("a fate");
    store.recount().await.expect("recounted");
    store
        .stored_ballots(&[1, 2].map(world::id))
        .await
        .expect("ballots");
}

#[tokio::test]
async fn every_operation_of_every_port_passes_the_interceptor_with_its_items() {
    let calls = Arc::new(Calls::default());
    call_everything(&World::new(1).ports().intercepted(&calls)).await;
    let seen = calls.seen();
    let operations: BTreeSet<_> = seen.iter().map(|(operation, _)| *operation).collect();
    assert_eq!(operations.len(), Operation::ALL.len(), "{operations:?}");
    assert_eq!(seen.len(), Operation::ALL.len(), "each once: {seen:?}");
    let with_two: Vec<_> = seen
        .iter()
        .filter(|(_, items)| *items == 2)
        .map(|(one, _)| one.name())
        .collect();
    assert_eq!(
        with_two,
        [
            "tickets.redeem",
            "bus.publish",
            "counter.record",
            "counter.reconcile",
            "counter.read",
            "counter.applied_totals",
            "store.dry_run",
            "store.apply",
            "store.tallies",
            "store.stored_ballots",
        ]
    );
    assert!(
        seen.iter().all(|(_, items)| [1, 2].contains(items)),
        "{seen:?}"
    );
}

#[tokio::test]
async fn a_forwarding_port_forwards_every_operation_it_does_not_override() {
    let world = World::new(1);
    let calls = Arc::new(Calls::default());
    let mut ports = world.ports().intercepted(&calls);
    ports.tickets = Arc::new(Same(ports.tickets));
    ports.bus = Arc::new(Same(ports.bus));
    ports.counter = Arc::new(Same(ports.counter));
    ports.store = Arc::new(Same(ports.store));
    call_everything(&ports).await;
    assert_eq!(calls.seen().len(), Operation::ALL.len());
    assert_eq!(world.stored("alice").await, 2);
}

#[tokio::test]
async fn an_overridden_method_takes_the_place_of_the_forwarded_one() {
    struct Fenced(Arc<dyn VoteStore>);

    #[async_trait]
    impl ForwardingVoteStore for Fenced {
        fn inner(&self) -> &dyn VoteStore {
            &*self.0
        }

        async fn apply(&self, step: &FoldStep) -> Result<Applied, PortError> {
            Ok(Applied::Fenced {
                progress: step.next,
            })
        }
    }

    let world = World::new(1);
    let store: Arc<dyn VoteStore> = Arc::new(Fenced(world.store.clone()));
    let step = step_of(&record(1));
    let applied = store.apply(&step).await.expect("an answer");
    assert_eq!(
        applied,
        Applied::Fenced {
            progress: step.next
        }
    );
    assert_eq!(
        store.progress(P0).await.expect("progress"),
        Progress::at(Offset::START)
    );
}

#[tokio::test]
async fn a_call_that_is_not_run_does_not_happen_and_each_record_gets_the_error() {
    let world = World::new(1);
    let bus: Arc<dyn EventBus> = Arc::new(Intercepted::new(
        world.bus.clone() as Arc<dyn EventBus>,
        Arc::new(Instead::Refuse),
    ));
    let results = bus.publish(&[record(1), record(1), record(1)]).await;
    assert_eq!(results.len(), 3);
    for result in &results {
        let error = result.as_ref().expect_err("refused");
        assert_eq!(
            error.chain(),
            "bus.publish: unavailable: refused by the test"
        );
    }
    assert!(results.error().is_some());
    assert!(bus.lag(&GroupName::new("readers")).await.is_err());
    let lag = world
        .bus
        .lag(&GroupName::new("readers"))
        .await
        .expect("the lag");
    assert_eq!(lag[0].end, Offset::START, "nothing was published");
}

#[tokio::test]
async fn a_repeated_call_happens_twice_with_the_same_arguments() {
    let world = World::new(1);
    let bus = Intercepted::new(
        world.bus.clone() as Arc<dyn EventBus>,
        Arc::new(Instead::Twice),
    );
    let published = bus.publish(&[record(2)]).await;
    let Ok(Published {
        position: Some(position),
    }) = published[0]
    else {
        panic!("published: {published:?}");
    };
    assert_eq!(position.offset, Offset::new(1), "the second of two records");
}

#[tokio::test]
async fn a_held_call_happens_after_its_caller_and_its_arguments_are_gone() {
    let world = World::new(1);
    let held = Arc::new(Instead::Later(Mutex::default()));
    let store = Intercepted::new(world.store.clone() as Arc<dyn VoteStore>, Arc::clone(&held));
    let unreported = store
        .apply(&step_of(&record(2)))
        .await
        .expect_err("held back");
    assert!(unreported.may_have_happened());
    drop(store);
    assert_eq!(world.stored("alice").await, 0);
    let Instead::Later(held) = &*held else {
        unreachable!("it was made so");
    };
    let late = held.lock().expect("no panic under the lock").take();
    late.expect("a call of a port can be repeated").await;
    assert_eq!(world.stored("alice").await, 2);
}

#[tokio::test]
async fn the_calls_of_a_subscription_cannot_be_repeated() {
    let world = World::new(1);
    let twice = Arc::new(Instead::Twice);
    let bus = Intercepted::new(world.bus.clone() as Arc<dyn EventBus>, twice);
    for published in bus.publish(&[record(1)]).await {
        published.expect("published");
    }
    let resume = Arc::new(fixtures::Progress::at_start());
    let log = bus.subscribe(&GroupName::new("readers"), 10, resume).await;
    let mut log = log.expect("subscribed");
    let batch = log.next().await.expect("a batch");
    assert_eq!(batch.start, Offset::START, "no batch was read before it");
}

#[tokio::test]
async fn the_interceptor_added_last_is_called_first() {
    let world = World::new(1);
    let (inside, outside) = (Arc::new(Calls::default()), Arc::new(Instead::Refuse));
    let ports = world.ports().intercepted(&inside).intercepted(&outside);
    assert!(ports.store.recount().await.is_err());
    assert_eq!(inside.seen(), []);
}
