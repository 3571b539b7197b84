//! Subscribe, as one of several members or groups.

use std::{collections::BTreeSet, sync::Arc};

use cast_core::domain::{LogPosition, Partition};

use super::{
    members::{Group, Leave, Member},
    scenario::{Scenario, assert_holds},
};
use crate::{fixtures::Progress, waiting::eventually};

pub(super) async fn two_members_share_the_partitions(scenario: Scenario<'_>) {
    let group = Group::new(&scenario);
    let members = [group.join(0).await, group.join(1).await];
    let owners = group.until_stable(members.len()).await;
    let read: BTreeSet<_> = owners.into_keys().collect();
    assert_eq!(
        read,
        scenario.partitions.iter().collect(),
        "together they read all of them"
    );
    for member in members {
        member.leave(Leave::Closing).await;
    }
}

pub(super) async fn partitions_of_a_member_that_leaves_are_taken_over(scenario: Scenario<'_>) {
    taken_over_after(scenario, Leave::Closing).await;
}

pub(super) async fn partitions_of_a_dropped_member_are_taken_over(scenario: Scenario<'_>) {
    taken_over_after(scenario, Leave::Dropping).await;
}

async fn taken_over_after(scenario: Scenario<'_>, how: Leave) {
    let group = Group::new(&scenario);
    let [leaver, stayer]: [Member; 2] = [group.join(0).await, group.join(1).await];
    let owners = group.until_stable(2).await;
    let (&left, _) = owners
        .iter()
        .find(|(_, owner)| **owner == 0)
        .expect("a member of a stable group reads something");
    let [before, resumed, _] = *read_of(&scenario, &group, left).await else {
        unreachable!("three records were asked for")
    };

    // What the store names when the partition changes hands, not what was read or committed.
    group.rewind(left, resumed.offset);
    leaver.leave(how).await;
    let first = eventually(
        scenario.harness.patience(),
        "its partition to be taken over",
        || async {
            let read = group.readers_of(resumed);
            (!read.is_empty()).then_some(read)
        },
    )
    .await;
    assert_eq!(first, [1], "the other member reads from there, once");
    assert_eq!(
        group.readers_of(before),
        [],
        "what lies before it is not read"
    );
    assert_eq!(
        group
            .until_stable(1)
            .await
            .into_values()
            .collect::<BTreeSet<_>>(),
        [1].into()
    );
    stayer.leave(Leave::Closing).await;
}

/// Three records that follow each other in a partition, and that the group has read.
async fn read_of(
    scenario: &Scenario<'_>,
    group: &Group<'_>,
    partition: Partition,
) -> Vec<LogPosition> {
    let positions = scenario.fill(partition, 3).await;
    eventually(
        scenario.harness.patience(),
        "three records to be read",
        || async {
            let read = |at: &LogPosition| !group.readers_of(*at).is_empty();
            positions.iter().all(read).then_some(())
        },
    )
    .await;
    positions
}

pub(super) async fn two_groups_each_read_everything(scenario: Scenario<'_>) {
    let progress = || Arc::new(Progress::at_start());
    let mut readers = [
        scenario.reader(10, &progress()).await,
        scenario.reader(10, &progress()).await,
    ];
    let (mut records, mut positions) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let more = scenario.records(4);
        positions.extend(scenario.publish(&more).await);
        records.extend(more);
        for reader in &mut readers {
            reader.read_up_to(&positions).await;
        }
    }
    for reader in readers {
        assert_holds(&reader.close().await, &records, &positions);
    }
}
