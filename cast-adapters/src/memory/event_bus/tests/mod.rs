//! Tests of what the contract does not cover: bounds and retention.

mod groups;

use std::{collections::HashMap, time::Duration};

use cast_core::{
    domain::{LogBatch, Offset, Progress as StoredProgress},
    ports::PortErrorKind,
};
use parking_lot::Mutex;
use tokio::time::timeout;

use super::*;
use crate::memory::fixtures::{partitions, position, record};

/// Resumes each partition at the position that was last set, or at the start.
#[derive(Default)]
struct Progress(Mutex<HashMap<Partition, Offset>>);

impl Progress {
    fn set(&self, partition: u32, next: u64) {
        self.0
            .lock()
            .insert(Partition::new(partition), Offset::new(next));
    }

    fn get(&self, partition: u32) -> u64 {
        let next = self.0.lock().get(&Partition::new(partition)).copied();
        next.unwrap_or_default().get()
    }

    /// The fence of a store: the error contains the progress.
    fn advance(&self, partition: u32, start: u64, next: u64) -> Result<(), u64> {
        let mut progress = self.0.lock();
        let progress = progress.entry(Partition::new(partition)).or_default();
        if progress.get() != start {
            return Err(progress.get());
        }
        *progress = Offset::new(next);
        Ok(())
    }
}

#[async_trait]
impl ResumeFrom for Progress {
    async fn resume_from(&self, partition: Partition) -> Result<StoredProgress, PortError> {
        let next = self.0.lock().get(&partition).copied();
        Ok(StoredProgress::at(next.unwrap_or_default()))
    }
}

struct Bench {
    bus: MemoryBus,
    progress: Arc<Progress>,
}

impl Bench {
    fn new(count: u32, options: BusOptions) -> Self {
        Self {
            bus: MemoryBus::with_options(partitions(count), options),
            progress: Arc::default(),
        }
    }

    async fn join(&self, group: &str) -> Box<dyn Subscription> {
        let resume = Arc::clone(&self.progress) as Arc<dyn ResumeFrom>;
        let joined = self
            .bus
            .subscribe(&GroupName::new(group), 100, resume)
            .await;
        joined.expect("joined")
    }

    /// Publishes records of one ballot each.
    async fn publish(&self, partition: u32, count: u64) {
        for number in 0..count {
            self.try_publish(partition, number..=number)
                .await
                .expect("published");
        }
    }

    async fn try_publish(
        &self,
        partition: u32,
        numbers: impl IntoIterator<Item = u64>,
    ) -> Result<Published, PortError> {
        let mut results = self.bus.publish(&[record(partition, numbers)]).await;
        assert_eq!(results.len(), 1);
        results.remove(0)
    }

    fn waiting(&self) -> usize {
        self.bus.log.lock().waiting
    }

    fn held(&self, partition: u32) -> u64 {
        let log = self.bus.log.lock();
        let log = log.partition(Partition::new(partition), "looking");
        log.expect("a partition").held()
    }
}

async fn next(member: &mut Box<dyn Subscription>) -> LogBatch {
    timeout(Duration::from_secs(10), member.next())
        .await
        .expect("woken up")
        .expect("a batch")
}

/// Whether a member has nothing to read. The future is dropped while it waits.
async fn is_idle(member: &mut Box<dyn Subscription>) -> bool {
    timeout(Duration::ZERO, member.next()).await.is_err()
}

fn span(batch: &LogBatch) -> (u32, u64, u64) {
    let LogBatch {
        partition,
        start,
        next,
        ..
    } = batch;
    (partition.get(), start.get(), next.get())
}

async fn commit(member: &mut Box<dyn Subscription>, partition: u32, next: u64) {
    let (partition, next) = (Partition::new(partition), Offset::new(next));
    member.commit(partition, next).await.expect("committed");
}

fn kind<T>(result: Result<T, PortError>) -> PortErrorKind {
    result.err().expect("an error").kind()
}

#[tokio::test]
async fn committed_records_are_trimmed_to_the_retained_number() {
    let bench = Bench::new(
        1,
        BusOptions {
            retained_records: 3,
            ..BusOptions::default()
        },
    );
    let (mut fast, mut slow) = (bench.join("fast").await, bench.join("slow").await);
    bench.publish(0, 10).await;
    commit(&mut fast, 0, 10).await;
    assert_eq!(bench.held(0), 10, "the slow group may still ask for them");
    commit(&mut slow, 0, 4).await;
    assert_eq!(bench.held(0), 3 + 6);
    commit(&mut slow, 0, 10).await;
    assert_eq!(bench.held(0), 3);

    for (from, expected) in [
        (6, Err(PortErrorKind::Misconfigured)),
        (7, Ok((0, 7, 10))),
        (11, Err(PortErrorKind::Misconfigured)),
    ] {
        bench.progress.set(0, from);
        let mut late = bench.join("late").await;
        let read = late.next().await;
        assert_eq!(
            read.map(|batch| span(&batch)).map_err(|e| e.kind()),
            expected
        );
    }
}

#[test]
fn retain_all_changes_no_other_option() {
    let options = BusOptions {
        retained_records: 3,
        max_waiting_ballots: 7,
    };
    let retaining = BusOptions {
        retained_records: usize::MAX,
        ..options
    };
    assert_eq!(options.retain_all(), retaining);
}

#[tokio::test]
async fn a_batch_has_at_most_the_requested_ballots_or_a_single_larger_record() {
    let bench = Bench::new(1, BusOptions::default());
    bench.publish(0, 101).await;
    bench.try_publish(0, 0..150).await.expect("published");
    bench.publish(0, 1).await;
    let mut member = bench.join("g").await;
    let mut spans = Vec::new();
    for _ in 0..4 {
        spans.push(span(&next(&mut member).await));
    }
    let expected = [(0, 0, 100), (0, 100, 101), (0, 101, 102), (0, 102, 103)];
    assert_eq!(spans, expected);
}

#[tokio::test]
async fn beyond_the_capacity_publishing_is_unavailable_until_every_group_commits() {
    let bench = Bench::new(
        2,
        BusOptions {
            max_waiting_ballots: 5,
            ..BusOptions::default()
        },
    );
    bench.try_publish(0, 0..3).await.expect("3 of 5");
    bench.try_publish(1, 3..5).await.expect("5 of 5");
    let error = bench.try_publish(0, 5..6).await.expect_err("full");
    assert_eq!(error.kind(), PortErrorKind::Unavailable);
    assert!(
        error.chain().contains("consumers are behind"),
        "{}",
        error.chain()
    );

    let (mut a, mut b) = (bench.join("a").await, bench.join("b").await);
    commit(&mut a, 0, 1).await;
    assert_eq!(
        kind(bench.try_publish(0, 5..6).await),
        PortErrorKind::Unavailable
    );
    commit(&mut b, 0, 1).await;
    bench.try_publish(0, 5..8).await.expect("5 of 5 again");
    commit(&mut a, 0, 2).await;
    drop(b);
    let full = bench.try_publish(0, 8..9).await;
    assert_eq!(
        kind(full),
        PortErrorKind::Unavailable,
        "a group without members counts"
    );
}

#[tokio::test]
async fn a_record_larger_than_the_capacity_is_accepted_when_no_ballot_waits() {
    let bench = Bench::new(
        1,
        BusOptions {
            max_waiting_ballots: 2,
            ..BusOptions::default()
        },
    );
    let mut member = bench.join("g").await;
    bench.try_publish(0, 0..3).await.expect("alone");
    assert_eq!(
        kind(bench.try_publish(0, 3..4).await),
        PortErrorKind::Unavailable
    );
    commit(&mut member, 0, 1).await;
    assert_eq!(bench.waiting(), 0);
    bench.try_publish(0, 4..7).await.expect("alone again");
}

#[tokio::test]
async fn a_new_group_makes_the_retained_records_wait_again() {
    let bench = Bench::new(1, BusOptions::default().retain_all());
    let mut first = bench.join("first").await;
    bench.publish(0, 4).await;
    commit(&mut first, 0, 4).await;
    assert_eq!((bench.waiting(), bench.held(0)), (0, 4));
    let mut second = bench.join("second").await;
    assert_eq!(bench.waiting(), 4);
    // After the end, and backwards: a commit stays within the log.
    commit(&mut second, 0, 99).await;
    commit(&mut second, 0, 1).await;
    let lag = bench
        .bus
        .lag(&GroupName::new("second"))
        .await
        .expect("a lag");
    assert_eq!((bench.waiting(), lag[0].behind()), (0, 0));
    let lag = bench
        .bus
        .lag(&GroupName::new("third"))
        .await
        .expect("a lag");
    assert_eq!(lag[0].behind(), 4);
}

#[tokio::test]
async fn a_group_that_never_committed_is_removed_with_its_last_member() {
    let options = BusOptions {
        retained_records: 3,
        ..BusOptions::default()
    };
    let bench = Bench::new(1, options);
    let mut consumer = bench.join("consumers").await;
    bench.publish(0, 10).await;
    commit(&mut consumer, 0, 8).await;
    assert_eq!((bench.waiting(), bench.held(0)), (2, 5));
    bench.progress.set(0, 5);
    let mut auditors = [bench.join("audit").await, bench.join("audit").await];
    assert_eq!(bench.waiting(), 5, "what it may yet read");
    bench.publish(0, 4).await;
    commit(&mut consumer, 0, 14).await;
    assert_eq!(bench.held(0), 9, "it may still ask for them");

    auditors[0]
        .seek(Partition::new(0), Offset::new(6))
        .await
        .expect("sought");
    let [first, second] = auditors;
    first.close().await.expect("closed");
    assert_eq!(bench.held(0), 9, "one of them is still there");
    drop(second);
    assert_eq!((bench.waiting(), bench.held(0)), (0, 3));
    bench.publish(0, 4).await;
    commit(&mut consumer, 0, 18).await;
    assert_eq!((bench.waiting(), bench.held(0)), (0, 3));
    let lag = bench
        .bus
        .lag(&GroupName::new("audit"))
        .await
        .expect("a lag");
    assert_eq!(lag[0].committed.get(), 15);

    // A group that has committed is not removed, and neither is one with a higher index.
    drop(consumer);
    bench.publish(0, 4).await;
    bench.progress.set(0, 18);
    let mut again = bench.join("audit").await;
    commit(&mut again, 0, 22).await;
    drop(again);
    assert_eq!((bench.waiting(), bench.held(0)), (4, 7));
    let lag = bench
        .bus
        .lag(&GroupName::new("audit"))
        .await
        .expect("a lag");
    assert_eq!(lag[0].committed.get(), 22);
}

#[tokio::test]
async fn an_undecodable_record_is_delivered_as_unreadable() {
    let bench = Bench::new(1, BusOptions::default());
    let appended = bench
        .bus
        .append_unreadable(Partition::new(0), *b"\xff", "no record");
    assert_eq!(appended.expect("appended"), position(0, 0));
    let mut member = bench.join("g").await;
    let batch = next(&mut member).await;
    let unreadable = batch.entries[0].content.as_ref().expect_err("no ballots");
    assert_eq!(
        (&*unreadable.bytes, &*unreadable.reason),
        (&b"\xff"[..], "no record")
    );
}

#[tokio::test]
async fn a_missing_partition_is_misconfigured_only_for_its_record() {
    let bench = Bench::new(2, BusOptions::default());
    let results = bench.bus.publish(&[record(2, [1]), record(1, [2])]).await;
    let kinds: Vec<_> = results
        .into_iter()
        .map(|r| r.map_err(|e| e.kind()))
        .collect();
    let published = Published {
        position: Some(position(1, 0)),
    };
    assert_eq!(kinds, [Err(PortErrorKind::Misconfigured), Ok(published)]);
    assert_eq!(bench.waiting(), 1);
}
