//! Subscribe: what a member that is alone in its group reads.

use std::{collections::BTreeMap, sync::Arc};

use cast_core::domain::{LogBatch, LogPosition, Offset, Partition, Unreadable};

use super::scenario::{Scenario, assert_holds};
use crate::{contract::Skipped, fixtures::Progress, waiting::dropped_after};

pub(super) async fn records_come_in_order_each_once_none_left_out(scenario: Scenario<'_>) {
    let mut reader = scenario.reader(7, &Arc::new(Progress::at_start())).await;
    let (mut records, mut positions) = (Vec::new(), Vec::new());
    let mut read: BTreeMap<Partition, Vec<Offset>> = BTreeMap::new();
    for _ in 0..5 {
        let more = scenario.records(10);
        positions.extend(scenario.publish(&more).await);
        records.extend(more);
        for batch in reader.read_up_to(&positions).await {
            let offsets = batch.entries.iter().map(|entry| entry.offset);
            read.entry(batch.partition).or_default().extend(offsets);
        }
    }
    assert_holds(&reader.close().await, &records, &positions);
    for (partition, offsets) in read {
        let mut published: Vec<_> = positions
            .iter()
            .filter(|position| position.partition == partition)
            .map(|position| position.offset)
            .collect();
        published.sort_unstable();
        assert_eq!(offsets, published, "of partition {}", partition.get());
    }
}

pub(super) async fn batches_join(scenario: Scenario<'_>) {
    let first = scenario.publish(&scenario.records(20)).await;
    let progress = Arc::new(Progress::at_start());
    let resumed = first[scenario.partitions.count() as usize * 3];
    progress.set(resumed.partition, resumed.offset);
    let mut reader = scenario.reader(4, &progress).await;

    let last = scenario.publish(&scenario.records(1)).await;
    let mut ends = BTreeMap::new();
    for batch in reader.read_up_to(&last).await {
        let LogBatch {
            partition,
            start,
            next,
            entries,
        } = batch;
        let before = ends.insert(partition, next);
        assert_eq!(start, before.unwrap_or_else(|| progress.of(partition)));
        let mut lowest = start;
        for entry in entries {
            assert!(
                lowest <= entry.offset,
                "offsets ascend within {start:?} to {next:?}"
            );
            lowest = entry.offset.next();
        }
        assert!(lowest <= next, "a batch ends behind its last record");
    }
}

pub(super) async fn a_batch_is_of_one_partition_and_no_larger_than_asked_for(
    scenario: Scenario<'_>,
) {
    const MAX_BALLOTS: usize = 6;
    let mut records = Vec::new();
    for ballots in [1, 3, 2, 5, 9, 1, 6, 2, 2, 2, 2, 20, 1] {
        records.extend(
            scenario
                .partitions
                .iter()
                .map(|partition| scenario.record(partition, ballots)),
        );
    }
    let positions = scenario.publish(&records).await;
    let mut reader = scenario
        .reader(MAX_BALLOTS, &Arc::new(Progress::at_start()))
        .await;
    for batch in reader.read_up_to(&positions).await {
        let ballots: Vec<_> = batch
            .entries
            .iter()
            .flat_map(|entry| entry.content.as_ref().expect("a readable record").iter())
            .collect();
        let partitions = ballots
            .iter()
            .map(|ballot| scenario.partitions.partition_of(ballot.id));
        assert!(
            partitions
                .into_iter()
                .all(|partition| partition == batch.partition),
            "a batch of two partitions"
        );
        assert!(
            ballots.len() <= MAX_BALLOTS || batch.entries.len() == 1,
            "{} ballots in {} records, and {MAX_BALLOTS} were asked for",
            ballots.len(),
            batch.entries.len()
        );
    }
}

pub(super) async fn what_is_published_later_arrives(scenario: Scenario<'_>) {
    let mut reader = scenario.reader(100, &Arc::new(Progress::at_start())).await;
    for round in 0..3 {
        // The reader waits before there is anything to read.
        assert!(
            dropped_after(1, reader.subscription.next()).await.is_none(),
            "in round {round}"
        );
        let publishing = async {
            tokio::task::yield_now().await;
            scenario.publish(&scenario.records(1)).await
        };
        let (_, positions) = tokio::join!(reader.next(), publishing);
        reader.read_up_to(&positions).await;
    }
}

pub(super) async fn a_dropped_wait_skips_nothing(scenario: Scenario<'_>) {
    let mut reader = scenario.reader(2, &Arc::new(Progress::at_start())).await;
    let mut positions = Vec::new();
    let mut ends = BTreeMap::new();
    for polls in 0..6 {
        positions.extend(scenario.publish(&scenario.records(2)).await);
        // A wait that was not dropped in time has read a batch, which is then not skipped either.
        let mut batches = Vec::from_iter(dropped_after(polls % 3, reader.next()).await);
        batches.extend(reader.read_up_to(&positions).await);
        for batch in batches {
            let before = ends.insert(batch.partition, batch.next);
            assert_eq!(
                batch.start,
                before.unwrap_or_default(),
                "nothing is skipped"
            );
        }
    }
}

pub(super) async fn a_seek_reads_from_there_on(scenario: Scenario<'_>) {
    let partition = Partition::new(0);
    let at = scenario.fill(partition, 12).await;
    let mut reader = scenario.reader(3, &Arc::new(Progress::at_start())).await;
    reader.next().await;
    for to in [8, 2, 11] {
        let sought = reader.subscription.seek(partition, at[to].offset).await;
        sought.expect("the log seeks in a partition that is the member's");
        reader.seen.clear();
        let batch = reader.next().await;
        assert_eq!(batch.start, at[to].offset);
        assert_eq!(batch.entries[0].offset, at[to].offset);
    }
}

pub(super) async fn an_unreadable_record_comes_in_its_place(
    scenario: Scenario<'_>,
) -> Result<(), Skipped> {
    let partition = Partition::new(1);
    let before = scenario.fill(partition, 2).await[1];
    scenario
        .harness
        .append_unreadable(partition, b"no record")
        .await?;
    let after = scenario.fill(partition, 1).await[0];
    assert!(
        before.offset.next() < after.offset,
        "what was appended has an offset"
    );

    let log = scenario.read_all().await;
    let between = LogPosition {
        partition,
        offset: before.offset.next(),
    };
    let there = log.range(between..after).next().map(|(_, content)| content);
    let Some(Err(Unreadable { bytes, reason })) = there else {
        panic!("a record that is none came as {there:?}");
    };
    assert_eq!(bytes.as_ref(), b"no record");
    assert!(!reason.is_empty(), "it says why");
    Ok(())
}
