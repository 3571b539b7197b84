//! Subscribe: where reading resumes, and what is refused.

use std::{collections::BTreeMap, sync::Arc};

use cast_core::{
    domain::{LogFingerprint, Offset, Partition, Progress as StoredProgress},
    ports::PortErrorKind,
};

use super::scenario::{Reader, Scenario};
use crate::{contract::Skipped, fixtures::Progress, waiting::within};

pub(super) async fn reading_starts_where_the_resume_callback_says(scenario: Scenario<'_>) {
    let (group, partition) = (scenario.fixtures.group("resumes"), Partition::new(1));
    let at = scenario.fill(partition, 10).await;
    let progress = Arc::new(Progress::at_start());
    for (resume, commit) in [(4, 8), (2, 9), (7, 3), (0, 10)] {
        progress.set(partition, at[resume].offset);
        let subscription = scenario.subscribe(&group, 100, &progress).await;
        let mut reader = Reader {
            harness: scenario.harness,
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
}

/// The error of a reader that starts at `offset`, on subscribing or on its first batch.
async fn refusal_at(
    scenario: &Scenario<'_>,
    partition: Partition,
    offset: Offset,
) -> PortErrorKind {
    refusal_of(scenario, partition, StoredProgress::at(offset)).await
}

/// The error of a reader with this progress, on subscribing or on its first batch.
async fn refusal_of(
    scenario: &Scenario<'_>,
    partition: Partition,
    place: StoredProgress,
) -> PortErrorKind {
    let progress = Arc::new(Progress::at_start());
    progress.put(partition, place);
    let group = scenario.fixtures.group("refused");
    let mut subscription = match scenario.subscribe(&group, 100, &progress).await {
        Ok(subscription) => subscription,
        Err(error) => return error.kind(),
    };
    loop {
        let next = subscription.next();
        match within(
            scenario.harness.patience(),
            "a position to be refused",
            next,
        )
        .await
        {
            // Other partitions may be read meanwhile.
            Ok(batch) => assert_ne!(batch.partition, partition, "a wrong position was read from"),
            Err(error) => return error.kind(),
        }
    }
}

pub(super) async fn a_position_behind_the_end_is_misconfigured(scenario: Scenario<'_>) {
    let last = scenario
        .publish(&scenario.records(3))
        .await
        .pop()
        .expect("records");
    for beyond in [1, 1_000_000] {
        let behind_the_end = Offset::new(last.offset.next().get() + beyond);
        let refusal = refusal_at(&scenario, last.partition, behind_the_end).await;
        assert_eq!(
            refusal,
            PortErrorKind::Misconfigured,
            "{beyond} behind the end"
        );
    }
}

pub(super) async fn a_position_before_the_first_record_is_misconfigured(
    scenario: Scenario<'_>,
) -> Result<(), Skipped> {
    let partition = Partition::new(0);
    let at = scenario.fill(partition, 10).await;
    scenario.harness.truncate(partition, at[5].offset).await?;

    let refusal = refusal_at(&scenario, partition, at[4].offset).await;
    assert_eq!(refusal, PortErrorKind::Misconfigured);
    let progress = Arc::new(Progress::at_start());
    progress.set(partition, at[5].offset);
    let mut reader = scenario.reader(100, &progress).await;
    reader.read_up_to(&at[5..]).await;
    Ok(())
}

pub(super) async fn another_log_than_the_one_that_was_folded_is_misconfigured(
    scenario: Scenario<'_>,
) -> Result<(), Skipped> {
    let partition = Partition::new(1);
    let records: Vec<_> = (0..6).map(|_| scenario.record(partition, 3)).collect();
    let at = scenario.publish(&records).await;
    scenario
        .harness
        .append_unreadable(partition, b"no record")
        .await?;
    scenario.fill(partition, 1).await;
    let place = |offset: Offset, ballot| StoredProgress {
        next: at[4].offset,
        last: Some(LogFingerprint { offset, ballot }),
    };
    let (there, elsewhere) = (&records[3].ballots()[2], &records[2].ballots()[2]);
    let unreadable = StoredProgress {
        next: at[5].offset.next().next(),
        ..place(at[5].offset.next(), there.id)
    };
    for wrong in [
        place(at[3].offset, scenario.fixtures.ballot_id()),
        place(at[3].offset, elsewhere.id),
        place(at[2].offset, there.id),
        unreadable,
    ] {
        let refusal = refusal_of(&scenario, partition, wrong).await;
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
        let mut reader = scenario.reader(100, &progress).await;
        let batch = reader.next().await;
        let first = (batch.start, batch.entries[0].offset);
        assert_eq!(first, (at[4].offset, at[4].offset), "from {known:?}");
    }
    Ok(())
}

pub(super) async fn a_last_ballot_that_was_dropped_is_not_looked_for(
    scenario: Scenario<'_>,
) -> Result<(), Skipped> {
    let partition = Partition::new(0);
    let at = scenario.fill(partition, 10).await;
    scenario.harness.truncate(partition, at[5].offset).await?;
    let progress = Arc::new(Progress::at_start());
    let last = LogFingerprint {
        offset: at[4].offset,
        ballot: scenario.fixtures.ballot_id(),
    };
    let place = StoredProgress {
        next: at[5].offset,
        last: Some(last),
    };
    progress.put(partition, place);
    let mut reader = scenario.reader(100, &progress).await;
    reader.read_up_to(&at[5..]).await;
    Ok(())
}
