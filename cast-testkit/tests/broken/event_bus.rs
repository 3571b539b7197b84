//! Logs that are broken on purpose: each clause of the contract is seen to fail.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use cast_core::{
    domain::{LogBatch, LogPosition, Offset, Partition, Partitions, Progress, Record},
    ports::{
        EventBus, GroupName, PartitionLag, PortError, PortErrorKind, Published, ResumeFrom,
        Subscription,
    },
};
use cast_testkit::{
    contract::{Harness, Skipped, event_bus::EventBusHarness},
    dropped_after,
};
use tokio::task::yield_now;

crate::caught::caught! { event_bus, broken:
    there_is_one_result_for_each_record_in_order => ReversingResults,
    the_failure_of_one_record_is_not_anothers => FailingAllTogether,
    an_acknowledged_record_stays_at_its_position => AcknowledgingWhatItForgets,
    positions_grow_with_each_record => TellingPositionsTwice,
    a_record_is_in_the_log_as_a_whole => SplittingRecords,
    the_largest_record_is_taken => RefusingLargeRecords,
    a_dropped_publish_happened_as_a_whole_or_not_at_all => SplittingRecords,
    what_was_unavailable_is_never_in_the_log => CallingTheUnknownUnavailable,
    reading_starts_where_the_resume_callback_says => ResumingFromTheCommit,
    records_come_in_order_each_once_none_left_out => RepeatingBatches | LeavingOutRecords,
    batches_join => StartingBatchesAtTheirRecords,
    a_batch_is_of_one_partition_and_no_larger_than_asked_for => IgnoringTheBound | MixingPartitions,
    two_members_share_the_partitions => GivingAllToEachMember | GivingAllToTheFirst,
    partitions_of_a_member_that_leaves_are_taken_over => KeepingMembers | AskingOnceWhereToResume,
    partitions_of_a_dropped_member_are_taken_over => NotNoticingDrops | AskingOnceWhereToResume,
    two_groups_each_read_everything => TakingGroupsForOne,
    what_is_published_later_arrives => LookingOnlyOnce,
    a_position_behind_the_end_is_misconfigured => ResettingToEarliest,
    a_position_before_the_first_record_is_misconfigured => ResettingToEarliest,
    another_log_than_the_one_that_was_folded_is_misconfigured => TrustingOffsets | LookingRightBeforeOnly,
    a_last_ballot_that_was_dropped_is_not_looked_for => LookingForWhatIsGone,
    a_dropped_wait_skips_nothing => LosingWhatItHolds,
    a_seek_reads_from_there_on => IgnoringSeeks,
    an_unreadable_record_comes_in_its_place => HidingTheUnreadable,
    lag_counts_from_the_commit_to_the_end => ForgettingCommits,
    a_commit_moves_forward_only => CommittingBackwards,
    who_committed_nothing_is_at_the_first_record => ForgettingCommits | LaggingFromTheEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    AcknowledgingWhatItForgets,
    AskingOnceWhereToResume,
    CallingTheUnknownUnavailable,
    CommittingBackwards,
    FailingAllTogether,
    ForgettingCommits,
    GivingAllToEachMember,
    GivingAllToTheFirst,
    HidingTheUnreadable,
    IgnoringSeeks,
    IgnoringTheBound,
    KeepingMembers,
    LaggingFromTheEnd,
    LeavingOutRecords,
    LookingForWhatIsGone,
    LookingOnlyOnce,
    LookingRightBeforeOnly,
    LosingWhatItHolds,
    MixingPartitions,
    NotNoticingDrops,
    RefusingLargeRecords,
    RepeatingBatches,
    ResettingToEarliest,
    ResumingFromTheCommit,
    ReversingResults,
    Sound,
    SplittingRecords,
    StartingBatchesAtTheirRecords,
    TakingGroupsForOne,
    TellingPositionsTwice,
    TrustingOffsets,
}

/// The memory adapter behind something that breaks it.
struct Broken {
    how: How,
    inner: Arc<dyn EventBus>,
    shared: Arc<Shared>,
}

/// What the breakers remember, each for its purpose.
#[derive(Default)]
struct Shared {
    members: AtomicU64,
    obstructed: AtomicBool,
    answers: Mutex<BTreeMap<Partition, Progress>>,
    committed: Mutex<BTreeMap<(GroupName, Partition), Offset>>,
    firsts: Mutex<BTreeMap<Partition, Offset>>,
    kept: Mutex<Vec<Box<dyn Subscription>>>,
}

#[async_trait]
impl EventBus for Broken {
    async fn partitions(&self) -> Result<Partitions, PortError> {
        self.inner.partitions().await
    }

    async fn publish(&self, records: &[Record]) -> Vec<Result<Published, PortError>> {
        match self.how {
            How::FailingAllTogether => {
                let count = self.partitions().await.expect("memory answers").count();
                if records
                    .iter()
                    .any(|record| record.partition().get() >= count)
                {
                    let failed = |_| Err(PortError::new(PortErrorKind::Corrupt, "publishing"));
                    return records.iter().map(failed).collect();
                }
            }
            How::RefusingLargeRecords
                if records.iter().any(|record| record.ballots().len() > 500) =>
            {
                let failed = |_| Err(PortError::new(PortErrorKind::Corrupt, "publishing"));
                return records.iter().map(failed).collect();
            }
            How::SplittingRecords => return self.publish_in_halves(records).await,
            How::AcknowledgingWhatItForgets if records.len() > 3 => {
                let mut results = self.inner.publish(&records[1..]).await;
                let position = Some(LogPosition {
                    partition: records[0].partition(),
                    offset: Offset::START,
                });
                results.insert(0, Ok(Published { position }));
                return results;
            }
            _ => {}
        }
        let mut results = self.inner.publish(records).await;
        match self.how {
            How::ReversingResults => results.reverse(),
            How::TellingPositionsTwice => {
                let positions = results.iter_mut().flatten();
                for position in positions.filter_map(|told| told.position.as_mut()) {
                    position.offset = Offset::new(position.offset.get() / 2);
                }
            }
            How::CallingTheUnknownUnavailable if self.shared.obstructed.load(Ordering::SeqCst) => {
                let unavailable = || PortError::new(PortErrorKind::Unavailable, "publishing");
                return results.iter().map(|_| Err(unavailable())).collect();
            }
            _ => {}
        }
        results
    }

    async fn subscribe(
        &self,
        group: &GroupName,
        max_ballots: usize,
        resume: Arc<dyn ResumeFrom>,
    ) -> Result<Box<dyn Subscription>, PortError> {
        let number = self.shared.members.fetch_add(1, Ordering::SeqCst);
        let mut max_ballots = max_ballots;
        let mut inner_group = group.clone();
        match self.how {
            How::GivingAllToEachMember => {
                inner_group = GroupName::new(format!("{group}-{number}"));
            }
            How::GivingAllToTheFirst if number > 0 => {
                inner_group = GroupName::new("nobody reads here");
            }
            How::TakingGroupsForOne => inner_group = GroupName::new("the only one"),
            How::IgnoringTheBound => max_ballots = 1_000,
            _ => {}
        }
        let resume = Arc::new(BrokenResume {
            how: self.how,
            group: group.clone(),
            bus: Arc::clone(&self.inner),
            shared: Arc::clone(&self.shared),
            inner: resume,
        });
        let inner = self
            .inner
            .subscribe(&inner_group, max_ballots, resume)
            .await?;
        Ok(Box::new(BrokenSubscription {
            how: self.how,
            group: group.clone(),
            number,
            inner: Some(inner),
            shared: Arc::clone(&self.shared),
            last: None,
        }))
    }

    async fn lag(&self, group: &GroupName) -> Result<Vec<PartitionLag>, PortError> {
        let mut lags = self.inner.lag(group).await?;
        let committed = lock(&self.shared.committed);
        for lag in &mut lags {
            match self.how {
                How::ForgettingCommits => lag.committed = Offset::START,
                How::LaggingFromTheEnd => lag.committed = lag.end,
                How::CommittingBackwards => {
                    let last = committed.get(&(group.clone(), lag.partition));
                    lag.committed = last.copied().unwrap_or_default();
                }
                _ => {}
            }
        }
        Ok(lags)
    }
}

impl Broken {
    async fn publish_in_halves(&self, records: &[Record]) -> Vec<Result<Published, PortError>> {
        let mut results = Vec::new();
        for record in records {
            let (first, second) = record.ballots().split_at(record.ballots().len() / 2);
            for half in [first, second].into_iter().filter(|half| !half.is_empty()) {
                let half = Record::new(record.partition(), half);
                results.extend(self.inner.publish(&[half]).await);
                yield_now().await;
            }
            if !first.is_empty() {
                results.pop();
            }
        }
        results
    }
}

struct BrokenResume {
    how: How,
    group: GroupName,
    bus: Arc<dyn EventBus>,
    shared: Arc<Shared>,
    inner: Arc<dyn ResumeFrom>,
}

#[async_trait]
impl ResumeFrom for BrokenResume {
    async fn resume_from(&self, partition: Partition) -> Result<Progress, PortError> {
        let lags = self.bus.lag(&self.group).await?;
        let lag = lags.into_iter().find(|lag| lag.partition == partition);
        let PartitionLag { committed, end, .. } = lag.expect("one for each partition");
        let named = self.inner.resume_from(partition).await?;
        let first = lock(&self.shared.firsts)
            .get(&partition)
            .copied()
            .unwrap_or_default();
        let answered = *lock(&self.shared.answers).entry(partition).or_insert(named);
        let is_further_back = named
            .last
            .is_some_and(|last| last.offset.next() < named.next);
        let is_gone = named.last.is_some_and(|last| last.offset < first);
        Ok(match self.how {
            How::ResumingFromTheCommit if committed > Offset::START => Progress::at(committed),
            How::AskingOnceWhereToResume => answered,
            How::ResettingToEarliest if named.next < first || named.next > end => {
                Progress::at(first)
            }
            How::TrustingOffsets => Progress::at(named.next),
            How::LookingRightBeforeOnly if is_further_back => Progress::at(named.next),
            How::LookingForWhatIsGone if is_gone => {
                return Err(PortError::new(PortErrorKind::Misconfigured, "resuming"));
            }
            _ => named,
        })
    }
}

struct BrokenSubscription {
    how: How,
    group: GroupName,
    number: u64,
    /// There until it is dropped.
    inner: Option<Box<dyn Subscription>>,
    shared: Arc<Shared>,
    last: Option<LogBatch>,
}

impl BrokenSubscription {
    fn inner(&mut self) -> &mut Box<dyn Subscription> {
        self.inner.as_mut().expect("there until it is dropped")
    }
}

#[async_trait]
impl Subscription for BrokenSubscription {
    async fn next(&mut self) -> Result<LogBatch, PortError> {
        if let (How::RepeatingBatches, Some(last)) = (self.how, self.last.take()) {
            return Ok(last);
        }
        let mut batch = match self.how {
            How::GivingAllToTheFirst if self.number > 0 => pending().await,
            How::LookingOnlyOnce => match dropped_after(1, self.inner().next()).await {
                Some(batch) => batch?,
                None => pending().await,
            },
            _ => self.inner().next().await?,
        };
        match self.how {
            How::LosingWhatItHolds => yield_now().await,
            How::RepeatingBatches => self.last = Some(batch.clone()),
            How::LeavingOutRecords if batch.entries.len() > 1 => drop(batch.entries.remove(0)),
            How::StartingBatchesAtTheirRecords => batch.start = batch.start.next(),
            How::MixingPartitions if batch.entries.len() > 1 => {
                batch.partition = Partition::new(1 - batch.partition.get().min(1));
            }
            How::HidingTheUnreadable => batch.entries.retain(|entry| entry.content.is_ok()),
            _ => {}
        }
        Ok(batch)
    }

    async fn seek(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        match self.how {
            How::IgnoringSeeks => Ok(()),
            _ => self.inner().seek(partition, next).await,
        }
    }

    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        lock(&self.shared.committed).insert((self.group.clone(), partition), next);
        self.inner().commit(partition, next).await
    }

    async fn close(mut self: Box<Self>) -> Result<(), PortError> {
        let inner = self.inner.take().expect("there until it is dropped");
        if self.how == How::KeepingMembers {
            lock(&self.shared.kept).push(inner);
            return Ok(());
        }
        inner.close().await
    }
}

impl Drop for BrokenSubscription {
    fn drop(&mut self) {
        if self.how == How::NotNoticingDrops {
            lock(&self.shared.kept).extend(self.inner.take());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics under the lock")
}

struct BrokenHarness {
    good: crate::memory::Bus,
    bus: Arc<Broken>,
}

fn broken(how: How) -> BrokenHarness {
    let good = crate::memory::bus();
    let bus = Arc::new(Broken {
        how,
        inner: Arc::clone(&good.bus) as _,
        shared: Arc::default(),
    });
    BrokenHarness { good, bus }
}

#[async_trait]
impl Harness for BrokenHarness {
    fn patience(&self) -> Duration {
        match self.bus.how {
            How::Sound => self.good.patience(),
            // What is waited for in vain.
            _ => Duration::from_secs(1),
        }
    }

    async fn close(&self) {
        self.good.close().await;
    }
}

#[async_trait]
impl EventBusHarness for BrokenHarness {
    async fn open(&self) -> Arc<dyn EventBus> {
        Arc::clone(&self.bus) as _
    }

    async fn append_unreadable(&self, partition: Partition, bytes: &[u8]) -> Result<(), Skipped> {
        self.good.append_unreadable(partition, bytes).await
    }

    async fn obstruct(&self, obstructed: bool) -> Result<(), Skipped> {
        self.bus
            .shared
            .obstructed
            .store(obstructed, Ordering::SeqCst);
        match self.bus.how {
            // It reaches the log, and says that it does not.
            How::CallingTheUnknownUnavailable => Ok(()),
            _ => self.good.obstruct(obstructed).await,
        }
    }

    async fn truncate(&self, partition: Partition, before: Offset) -> Result<(), Skipped> {
        lock(&self.bus.shared.firsts).insert(partition, before);
        self.good.truncate(partition, before).await
    }
}
