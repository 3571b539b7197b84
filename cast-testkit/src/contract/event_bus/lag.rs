//! Commit and lag.

use std::sync::Arc;

use cast_core::{
    domain::{Offset, Partition},
    ports::{GroupName, PartitionLag, Subscription},
};

use super::scenario::Scenario;
use crate::contract::Skipped;
use crate::{fixtures::Progress, waiting::eventually};

impl Scenario<'_> {
    async fn lag(&self, group: &GroupName, partition: Partition) -> PartitionLag {
        let lags = self.bus.lag(group).await.expect("the log knows the lag");
        assert_eq!(
            lags.len(),
            self.partitions.count() as usize,
            "one for each partition"
        );
        let of = lags.into_iter().find(|lag| lag.partition == partition);
        of.expect("the lag of each partition")
    }

    /// A member that has read a batch.
    async fn member(&self, group: &GroupName, progress: &Arc<Progress>) -> Box<dyn Subscription> {
        let subscribed = self.subscribe(group, 100, progress).await;
        let mut member = subscribed.expect("a member");
        member.next().await.expect("a batch");
        member
    }

    /// Commits, and waits until the log shows that, which may take a moment.
    async fn commit(
        &self,
        member: &mut dyn Subscription,
        group: &GroupName,
        partition: Partition,
        next: Offset,
    ) {
        let committed = member.commit(partition, next).await;
        committed.expect("the log notes a commit");
        let what = format!("the commit of {next:?} to show");
        eventually(self.harness.patience(), what, || async {
            (self.lag(group, partition).await.committed == next).then_some(())
        })
        .await;
    }
}

pub(super) async fn lag_counts_from_the_commit_to_the_end(scenario: Scenario<'_>) {
    let (group, other) = (
        scenario.fixtures.group("lags"),
        scenario.fixtures.group("beside"),
    );
    let (partition, beside) = (Partition::new(0), Partition::new(1));
    let at = scenario.fill(partition, 8).await;
    let end = at[7].offset.next();
    let fresh = PartitionLag {
        partition,
        committed: Offset::START,
        end,
    };
    assert_eq!(
        scenario.lag(&group, partition).await,
        fresh,
        "of a group without members"
    );

    let progress = Arc::new(Progress::at_start());
    let mut member = scenario.member(&group, &progress).await;
    for next in [at[3].offset, end] {
        scenario.commit(&mut *member, &group, partition, next).await;
        let lag = scenario.lag(&group, partition).await;
        assert_eq!(
            lag,
            PartitionLag {
                committed: next,
                ..fresh
            }
        );
        assert_eq!(lag.behind(), end.get() - next.get());
    }
    let more = scenario.fill(partition, 1).await[0].offset.next();
    assert_eq!(
        scenario.lag(&group, partition).await.end,
        more,
        "the end moves on"
    );
    assert_eq!(
        scenario.lag(&other, partition).await.committed,
        Offset::START,
        "of another group"
    );
    assert_eq!(
        scenario.lag(&group, beside).await.committed,
        Offset::START,
        "of another partition"
    );
}

pub(super) async fn a_commit_moves_forward_only(scenario: Scenario<'_>) {
    let (group, partition) = (scenario.fixtures.group("commits"), Partition::new(0));
    let at = scenario.fill(partition, 8).await;
    let progress = Arc::new(Progress::at_start());
    let mut member = scenario.member(&group, &progress).await;

    let forward = [2, 6].map(|record| at[record].offset);
    for next in forward {
        scenario.commit(&mut *member, &group, partition, next).await;
    }
    for back in [1, 5, 0] {
        // Late, or from a member that was slow: it may be refused, and must not count.
        let _ = member.commit(partition, at[back].offset).await;
        let lag = scenario.lag(&group, partition).await;
        assert_eq!(lag.committed, forward[1], "after a commit of record {back}");
    }
    // A commit that comes later still counts, and comes after what was in flight before it.
    scenario
        .commit(&mut *member, &group, partition, at[7].offset)
        .await;
}

pub(super) async fn who_committed_nothing_is_at_the_first_record(
    scenario: Scenario<'_>,
) -> Result<(), Skipped> {
    let (partition, beside) = (Partition::new(0), Partition::new(1));
    let at = scenario.fill(partition, 10).await;
    scenario.fill(beside, 2).await;
    scenario.harness.truncate(partition, at[5].offset).await?;

    let group = scenario.fixtures.group("looks");
    for is_member in [false, true] {
        let progress = Arc::new(Progress::at_start());
        progress.set(partition, at[5].offset);
        let mut member = None;
        if is_member {
            member = Some(scenario.member(&group, &progress).await);
        }
        let first = scenario.lag(&group, partition).await.committed;
        assert_eq!(first, at[5].offset, "a member: {is_member}");
        let first = scenario.lag(&group, beside).await.committed;
        assert_eq!(first, Offset::START, "a member: {is_member}");
        drop(member);
    }
    Ok(())
}
