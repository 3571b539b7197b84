//! Subscribe, as one member alone.

use std::{collections::BTreeMap, sync::Arc};

use cast_core::{
    domain::{
        LogBatch, LogFingerprint, LogPosition, Offset, Partition, Progress as Place, Unreadable,
    },
    ports::PortErrorKind,
};

use super::{EventBusHarness, Reader, Skipped, Stage, assert_holds};
use crate::{
    fixtures::Progress,
    waiting::{dropped_after, within},
};

pub(super) async fn reading_starts_where_the_resume_callback_says(
    harness: &dyn EventBusHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let (group, partition) = (stage.fixtures.group("resumes"), Partition::new(1));
    let at = stage.fill(partition, 10).await;
    let progress = Arc::new(Progress::at_start());
    for (resume, commit) in [(4, 8), (2, 9), (7, 3), (0, 10)] {
        progress.set(partition, at[resume].offset);
        let subscription = stage.subscribe(&group, 100, &progress).await;
        let mut reader = Reader {
            harness,
            subscription: subscription.expect("the log takes a reader"),
            seen: BTreeMap::new(),
        };
        let first = reader.next().await;
        assert_eq!(first.entries[0].offset, at[resume].offset);
        let commit = at.get(commit).map_or(at[9].offset.next(), |at| at.offset);
        let committed = reader.subscription.commit(partition, commit).await;
        committed.expect("the log notes a commit");
        reader.close().await;
    }
    Ok(())
}

pub(super) async fn records_come_in_order_each_once_none_left_out(
    harness: &dyn EventBusHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let mut reader = stage.reader(7, &Arc::new(Progress::at_start())).await;
    let (mut records, mut positions) = (Vec::new(), Vec::new());
    let mut read: BTreeMap<Partition, Vec<Offset>> = BTreeMap::new();
    for _ in 0..5 {
        let more = stage.records(10);
        positions.extend(stage.publish(&more).await);
        records.extend(more);
        for batch in reader.read_up_to(&positions).await {
            let offsets = batch.entries.iter().map(|entry| entry.offset);
            read.entry(batch.partition).or_default().extend(offsets);
        }
    }
    assert_holds(&reader.close().await, &records, &positions);
    for (partition, offsets) in read {
        let mut told: Vec<_> = positions
            .iter()
            .filter(|position| position.partition == partition)
            .map(|position| position.offset)
            .collect();
        told.sort_unstable();
        assert_eq!(offsets, told, "of partition {}", partition.get());
    }
    Ok(())
}

pub(super) async fn batches_join(harness: &dyn EventBusHarness) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let first = stage.publish(&stage.records(20)).await;
    let progress = Arc::new(Progress::at_start());
    let resumed = first[stage.partitions.count() as usize * 3];
    progress.set(resumed.partition, resumed.offset);
    let mut reader = stage.reader(4, &progress).await;

    let last = stage.publish(&stage.records(1)).await;
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
    Ok(())
}

pub(super) async fn a_batch_is_of_one_partition_and_no_larger_than_asked_for(
    harness: &dyn EventBusHarness,
) -> Result<(), Skipped> {
    const MAX_BALLOTS: usize = 6;
    let stage = Stage::set(harness).await;
    let mut records = Vec::new();
    for ballots in [1, 3, 2, 5, 9, 1, 6, 2, 2, 2, 2, 20, 1] {
        records.extend(
            stage
                .partitions
                .iter()
                .map(|home| stage.record(home, ballots)),
        );
    }
    let positions = stage.publish(&records).await;
    let mut reader = stage
        .reader(MAX_BALLOTS, &Arc::new(Progress::at_start()))
        .await;
    for batch in reader.read_up_to(&positions).await {
        let ballots: Vec<_> = batch
            .entries
            .iter()
            .flat_map(|entry| entry.content.as_ref().expect("a readable record").iter())
            .collect();
        let homes = ballots
            .iter()
            .map(|ballot| stage.partitions.partition_of(ballot.id));
        assert!(
            homes.into_iter().all(|home| home == batch.partition),
            "a batch of two partitions"
        );
        assert!(
            ballots.len() <= MAX_BALLOTS || batch.entries.len() == 1,
            "{} ballots in {} records, and {MAX_BALLOTS} were asked for",
            ballots.len(),
            batch.entries.len()
        );
    }
    Ok(())
}

pub(super) async fn what_is_published_later_arrives(
    harness: &dyn EventBusHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let mut reader = stage.reader(100, &Arc::new(Progress::at_start())).await;
    for round in 0..3 {
        // The reader waits before there is anything to read.
        assert!(
            dropped_after(1, reader.subscription.next()).await.is_none(),
            "in round {round}"
        );
        let publishing = async {
            tokio::task::yield_now().await;
            stage.publish(&stage.records(1)).await
        };
        let (_, positions) = tokio::join!(reader.next(), publishing);
        reader.read_up_to(&positions).await;
    }
    Ok(())
}

/// What a reader who starts at `offset` is told, at once or by the first batch.
async fn refusal_at(stage: &Stage<'_>, partition: Partition, offset: Offset) -> PortErrorKind {
    refusal_of(stage, partition, Place::at(offset)).await
}

/// What a reader with this progress is told, at once or by the first batch.
async fn refusal_of(stage: &Stage<'_>, partition: Partition, place: Place) -> PortErrorKind {
    let progress = Arc::new(Progress::at_start());
    progress.put(partition, place);
    let group = stage.fixtures.group("refused");
    let mut subscription = match stage.subscribe(&group, 100, &progress).await {
        Ok(subscription) => subscription,
        Err(error) => return error.kind(),
    };
    loop {
        let next = subscription.next();
        match within(stage.harness.patience(), "a position to be refused", next).await {
            // Other partitions may be read meanwhile.
            Ok(batch) => assert_ne!(batch.partition, partition, "a wrong position was read from"),
            Err(error) => return error.kind(),
        }
    }
}

pub(super) async fn a_position_behind_the_end_is_misconfigured(
    harness: &dyn EventBusHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let last = stage
        .publish(&stage.records(3))
        .await
        .pop()
        .expect("records");
    for beyond in [1, 1_000_000] {
        let behind_the_end = Offset::new(last.offset.next().get() + beyond);
        let refusal = refusal_at(&stage, last.partition, behind_the_end).await;
        assert_eq!(
            refusal,
            PortErrorKind::Misconfigured,
            "{beyond} behind the end"
        );
    }
    Ok(())
}

pub(super) async fn a_position_before_the_first_record_is_misconfigured(
    harness: &dyn EventBusHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let partition = Partition::new(0);
    let at = stage.fill(partition, 10).await;
    harness.truncate(partition, at[5].offset).await?;

    let refusal = refusal_at(&stage, partition, at[4].offset).await;
    assert_eq!(refusal, PortErrorKind::Misconfigured);
    let progress = Arc::new(Progress::at_start());
    progress.set(partition, at[5].offset);
    let mut reader = stage.reader(100, &progress).await;
    reader.read_up_to(&at[5..]).await;
    Ok(())
}

pub(super) async fn another_log_than_the_one_that_was_folded_is_misconfigured(
    harness: &dyn EventBusHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let partition = Partition::new(1);
    let records: Vec<_> = (0..6).map(|_| stage.record(partition, 3)).collect();
    let at = stage.publish(&records).await;
    harness.append_unreadable(partition, b"no record").await?;
    stage.fill(partition, 1).await;
    let place = |offset: Offset, ballot| Place {
        next: at[4].offset,
        last: Some(LogFingerprint { offset, ballot }),
    };
    let (there, elsewhere) = (&records[3].ballots()[2], &records[2].ballots()[2]);
    let unreadable = Place {
        next: at[5].offset.next().next(),
        ..place(at[5].offset.next(), there.id)
    };
    for wrong in [
        place(at[3].offset, stage.fixtures.ballot_id()),
        place(at[3].offset, elsewhere.id),
        place(at[2].offset, there.id),
        unreadable,
    ] {
        let refusal = refusal_of(&stage, partition, wrong).await;
        assert_eq!(refusal, PortErrorKind::Misconfigured, "{wrong:?}");
    }

    // Any ballot of the record is known again, also where other records follow it.
    for known in [
        place(at[3].offset, there.id),
        place(at[3].offset, records[3].ballots()[0].id),
        place(at[1].offset, records[1].ballots()[2].id),
    ] {
        let progress = Arc::new(Progress::at_start());
        progress.put(partition, known);
        let mut reader = stage.reader(100, &progress).await;
        let batch = reader.next().await;
        let first = (batch.start, batch.entries[0].offset);
        assert_eq!(first, (at[4].offset, at[4].offset), "from {known:?}");
    }
    Ok(())
}

pub(super) async fn a_last_ballot_that_was_dropped_is_not_looked_for(
    harness: &dyn EventBusHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let partition = Partition::new(0);
    let at = stage.fill(partition, 10).await;
    harness.truncate(partition, at[5].offset).await?;
    let progress = Arc::new(Progress::at_start());
    let last = LogFingerprint {
        offset: at[4].offset,
        ballot: stage.fixtures.ballot_id(),
    };
    let place = Place {
        next: at[5].offset,
        last: Some(last),
    };
    progress.put(partition, place);
    let mut reader = stage.reader(100, &progress).await;
    reader.read_up_to(&at[5..]).await;
    Ok(())
}

pub(super) async fn a_dropped_wait_skips_nothing(
    harness: &dyn EventBusHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let mut reader = stage.reader(2, &Arc::new(Progress::at_start())).await;
    let mut positions = Vec::new();
    let mut ends = BTreeMap::new();
    for polls in 0..6 {
        positions.extend(stage.publish(&stage.records(2)).await);
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
    Ok(())
}

pub(super) async fn a_seek_reads_from_there_on(
    harness: &dyn EventBusHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let partition = Partition::new(0);
    let at = stage.fill(partition, 12).await;
    let mut reader = stage.reader(3, &Arc::new(Progress::at_start())).await;
    reader.next().await;
    for to in [8, 2, 11] {
        let sought = reader.subscription.seek(partition, at[to].offset).await;
        sought.expect("the log seeks in a partition that is the member's");
        reader.seen.clear();
        let batch = reader.next().await;
        assert_eq!(batch.start, at[to].offset);
        assert_eq!(batch.entries[0].offset, at[to].offset);
    }
    Ok(())
}

pub(super) async fn an_unreadable_record_comes_in_its_place(
    harness: &dyn EventBusHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let partition = Partition::new(1);
    let before = stage.fill(partition, 2).await[1];
    harness.append_unreadable(partition, b"no record").await?;
    let after = stage.fill(partition, 1).await[0];
    assert!(
        before.offset.next() < after.offset,
        "what was appended has an offset"
    );

    let log = stage.read_all().await;
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
