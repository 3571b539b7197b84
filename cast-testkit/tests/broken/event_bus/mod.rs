//! Logs that are broken on purpose: each clause of the contract is seen to fail.

mod adapter;
mod how;
mod subscription;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_trait::async_trait;
use cast_core::{
    domain::{Offset, Partition},
    ports::EventBus,
};
use cast_testkit::contract::{Harness, Skipped, event_bus::EventBusHarness};

use self::{adapter::Broken, how::How};

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
        self.bus.shared.firsts.lock().insert(partition, before);
        self.good.truncate(partition, before).await
    }
}
