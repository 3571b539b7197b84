//! Fences: a consumer that lost its partitions to another one changes nothing, and continues.

mod world;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use cast_adapters::memory::MemoryStore;
use cast_core::{
    Consumer,
    domain::{FoldStep, LoggedBallot, Offset, Partition},
    ports::{
        Applied, EventBus as _, ForwardingVoteStore, GroupName, PortError, Subscription,
        VoteCounter as _, VoteStore,
    },
};
use cast_testkit::{
    faults::{Counts, Operation},
    fixtures,
};
use world::{World, candidate, id};

const P0: Partition = Partition::new(0);

fn gives(number: u128, name: &str, votes: u32) -> LoggedBallot {
    fixtures::ballot(id(number), &[(&candidate(name), votes)])
}

/// Reads as a group of its own: stands for a consumer that took over.
async fn taken_over(world: &World, max_ballots: usize) -> Box<dyn Subscription> {
    let resume = Arc::new(fixtures::Progress::at_start());
    let group = GroupName::new("taken-over");
    let log = world.bus.subscribe(&group, max_ballots, resume);
    log.await.expect("subscribed")
}

/// A zombie still has the batch that it was handed before another consumer took over.
async fn has_the_first_batch(zombie: &mut dyn Subscription) {
    zombie.seek(P0, Offset::START).await.expect("sought");
}

/// A zombie that reads record by record and is counted.
async fn zombie(world: &World) -> (Consumer, Arc<Counts>, Box<dyn Subscription>) {
    let counts = Counts::new();
    let mut settings = world.settings.fold.clone();
    settings.max_ballots = 1;
    let consumer = Consumer::new(&world.ports().intercepted(&counts), settings);
    let log = consumer.subscribe().await.expect("subscribed");
    (consumer, counts, log)
}

#[tokio::test]
async fn a_zombie_meets_the_fence_and_reconciles_what_the_other_applied() {
    let world = World::new(1);
    let (zombie, other) = (world.consumer(), world.consumer());
    world.append(P0, vec![gives(1, "alice", 1)]).await;
    let mut slow = zombie.subscribe().await.expect("subscribed");
    let mut taken_over = taken_over(&world, 100).await;
    other.step(&mut *taken_over).await.expect("folded");
    world.counter.forget();

    has_the_first_batch(&mut *slow).await;
    zombie.step(&mut *slow).await.expect("fenced, not failed");
    assert_eq!(world.stored("alice").await, 1);
    assert_eq!(
        world.counted("alice").await,
        1,
        "the store's value is reconciled again"
    );
    // Applying reconciles a part; only who met the fence reconciles the whole from the store.
    let readings = world.counter.read(&[candidate("alice")]).await;
    assert!(
        readings.expect("a reading")[0].age.is_some(),
        "it met the fence"
    );
}

#[tokio::test]
async fn a_zombie_that_was_overtaken_resumes_where_the_store_is() {
    let world = World::new(1);
    for number in 1..=5 {
        world.append(P0, vec![gives(number, "alice", 1)]).await;
    }
    let (zombie, counts, mut slow) = zombie(&world).await;
    let other = world.consumer();
    let mut taken_over = taken_over(&world, 100).await;
    other.step(&mut *taken_over).await.expect("folded");
    has_the_first_batch(&mut *slow).await;
    counts.reset();
    zombie.step(&mut *slow).await.expect("fenced, not failed");
    assert_eq!(counts.calls(Operation::Seek), 1);
    world.append(P0, vec![gives(6, "alice", 1)]).await;
    zombie.step(&mut *slow).await.expect("folded");
    assert_eq!(world.stored("alice").await, 6);
    assert_eq!(
        counts.calls(Operation::Next),
        2,
        "the four between are not read"
    );
}

#[tokio::test]
async fn a_zombie_whose_batch_was_applied_and_no_more_reads_on_without_being_moved() {
    let world = World::new(1);
    for number in 1..=2 {
        world.append(P0, vec![gives(number, "alice", 1)]).await;
    }
    let (zombie, counts, mut slow) = zombie(&world).await;
    let other = world.consumer();
    let mut taken_over = taken_over(&world, 1).await;
    other.step(&mut *taken_over).await.expect("folded");
    has_the_first_batch(&mut *slow).await;
    counts.reset();
    zombie.step(&mut *slow).await.expect("fenced, not failed");
    zombie.step(&mut *slow).await.expect("folded");
    assert_eq!(world.stored("alice").await, 2);
    assert_eq!(counts.calls(Operation::Seek), 0);
}

#[tokio::test]
async fn of_a_batch_that_was_applied_in_part_the_rest_is_applied() {
    let world = World::new(1);
    for number in 1..=5 {
        world.append(P0, vec![gives(number, "alice", 1)]).await;
    }
    let (zombie, other) = (world.consumer(), world.consumer());
    let mut slow = zombie.subscribe().await.expect("subscribed");
    let mut taken_over = taken_over(&world, 2).await;
    other.step(&mut *taken_over).await.expect("folded");
    assert_eq!(world.stored("alice").await, 2);
    has_the_first_batch(&mut *slow).await;
    zombie.step(&mut *slow).await.expect("folded");
    assert_eq!(world.stored("alice").await, 5);
    assert_eq!(
        world.store.progress(P0).await.expect("progress").next,
        Offset::new(5)
    );
    assert_eq!(world.counted("alice").await, 5);
}

/// A store that is restored between the fence and the reading of its progress, once: it answers that it
/// is just where the step begins.
struct RestoredInBetween {
    inner: Arc<MemoryStore>,
    is_restored: AtomicBool,
}

#[async_trait]
impl ForwardingVoteStore for RestoredInBetween {
    fn inner(&self) -> &dyn VoteStore {
        &*self.inner
    }

    async fn apply(&self, step: &FoldStep) -> Result<Applied, PortError> {
        if !self.is_restored.swap(true, Ordering::Relaxed) {
            let progress = step.start;
            return Ok(Applied::Fenced { progress });
        }
        self.inner.apply(step).await
    }
}

#[tokio::test]
async fn who_is_fenced_where_the_step_begins_applies_it_again_without_reading_it_again() {
    let world = World::new(1);
    world.append(P0, vec![gives(1, "alice", 1)]).await;
    let counts = Counts::new();
    let mut ports = world.ports().intercepted(&counts);
    ports.store = Arc::new(RestoredInBetween {
        inner: Arc::clone(&world.store),
        is_restored: AtomicBool::new(false),
    });
    let consumer = Consumer::new(&ports, world.settings.fold.clone());
    let mut log = consumer.subscribe().await.expect("subscribed");
    consumer.step(&mut *log).await.expect("folded");
    assert_eq!(world.stored("alice").await, 1);
    assert_eq!(counts.calls(Operation::Seek), 0);
}
