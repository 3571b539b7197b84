//! Publish.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use cast_core::{
    domain::{Partition, Record},
    ports::PortErrorKind,
};

use super::scenario::{Scenario, assert_holds, position};
use crate::contract::{RACERS, Skipped, race_over_two_handles};
use crate::waiting::{dropped_after, race};

pub(super) async fn there_is_one_result_for_each_record_in_order(scenario: Scenario<'_>) {
    assert!(
        scenario.bus.publish(&[]).await.is_empty(),
        "no records, no results"
    );
    let mut records = scenario.records(5);
    scenario.fixtures.entropy().shuffle(&mut records);
    let positions = scenario.publish(&records).await;
    assert_holds(&scenario.read_all().await, &records, &positions);
}

pub(super) async fn the_failure_of_one_record_is_not_anothers(scenario: Scenario<'_>) {
    let mut records = scenario.records(2);
    let refused = scenario
        .harness
        .refused(&scenario.fixtures, scenario.partitions);
    records.insert(1, refused);
    let mut results = scenario.bus.publish(&records).await;
    assert_eq!(results.len(), records.len(), "one result for each record");
    assert!(results[1].is_err(), "the log took what it should refuse");
    drop((records.remove(1), results.remove(1)));

    let positions: Vec<_> = results.into_iter().map(position).collect();
    assert_holds(&scenario.read_all().await, &records, &positions);
}

pub(super) async fn an_acknowledged_record_stays_at_its_position(scenario: Scenario<'_>) {
    let (mut records, mut positions) = (Vec::new(), Vec::new());
    for round in 0..3 {
        let more = scenario.records(3);
        positions.extend(scenario.publish(&more).await);
        records.extend(more);
        let log = scenario.read_all().await;
        assert_holds(&log, &records, &positions);
        assert!(round > 0 || log.len() == records.len() + scenario.partitions.count() as usize);
    }
    let other = Scenario {
        bus: scenario.harness.open().await,
        ..scenario
    };
    assert_holds(&other.read_all().await, &records, &positions);
}

pub(super) async fn positions_grow_with_each_record(scenario: Scenario<'_>) {
    let other = scenario.harness.open().await;
    let positions = race_over_two_handles(RACERS, [&scenario.bus, &other], |_, bus| {
        let flushes: Vec<_> = (0..3).map(|_| scenario.records(3)).collect();
        async move {
            let mut positions = Vec::new();
            for flush in flushes {
                positions.extend(bus.publish(&flush).await.into_iter().map(position));
            }
            positions
        }
    })
    .await;
    let distinct: BTreeSet<_> = positions.iter().flatten().collect();
    assert_eq!(
        distinct.len(),
        positions.iter().flatten().count(),
        "two records share a position"
    );
    for publisher in positions {
        let mut last = BTreeMap::new();
        for position in publisher {
            let before = last.insert(position.partition, position.offset);
            assert!(
                before < Some(position.offset),
                "{position:?} follows {before:?}"
            );
        }
    }
}

pub(super) async fn a_record_is_in_the_log_as_a_whole(scenario: Scenario<'_>) {
    let published = race(RACERS, |racer| {
        let bus = Arc::clone(&scenario.bus);
        let records: Vec<_> = scenario
            .partitions
            .iter()
            .map(|partition| scenario.record(partition, 1 + racer * 7))
            .collect();
        async move {
            let results = bus.publish(&records).await;
            (
                records,
                results.into_iter().map(position).collect::<Vec<_>>(),
            )
        }
    })
    .await;
    let log = scenario.read_all().await;
    for (records, positions) in &published {
        assert_holds(&log, records, positions);
    }
    // The records, and one for each partition that marks the end of reading.
    let partitions = scenario.partitions.count() as usize;
    assert_eq!(
        log.len(),
        (RACERS + 1) * partitions,
        "there are no pieces beside them"
    );
}

pub(super) async fn the_largest_record_is_taken(scenario: Scenario<'_>) {
    let partition = Partition::new(1);
    let largest = |_| {
        scenario
            .fixtures
            .largest_ballot(partition, scenario.partitions)
    };
    let ballots: Vec<_> = (0..Record::MAX_BALLOTS).map(largest).collect();
    let records = [Record::new(partition, ballots)];
    let at = scenario.publish(&records).await;
    assert_holds(&scenario.read_all().await, &records, &at);
}

pub(super) async fn a_dropped_publish_happened_as_a_whole_or_not_at_all(scenario: Scenario<'_>) {
    let mut records = Vec::new();
    for polls in 0..6 {
        let record = scenario.record(Partition::new(0), 50);
        drop(dropped_after(polls, scenario.bus.publish(std::slice::from_ref(&record))).await);
        records.push(record);
    }
    let log = scenario.read_all().await;
    for record in records {
        let first = record.ballots()[0].id;
        let pieces: Vec<_> = log
            .values()
            .filter_map(|content| content.as_ref().ok())
            .filter(|ballots| ballots.iter().any(|ballot| ballot.id == first))
            .collect();
        assert!(pieces.len() <= 1, "one publish, two records");
        assert!(
            pieces.iter().all(|piece| *piece == record.ballots()),
            "half a record"
        );
    }
}

pub(super) async fn what_was_unavailable_is_never_in_the_log(
    scenario: Scenario<'_>,
) -> Result<(), Skipped> {
    scenario.harness.obstruct(true).await?;
    let records = scenario.records(3);
    let results = scenario.bus.publish(&records).await;
    scenario.harness.obstruct(false).await?;

    assert_eq!(results.len(), records.len(), "one result for each record");
    // What follows in the log is after anything that was still on its way.
    scenario.publish(&scenario.records(2)).await;
    let log = scenario.read_all().await;
    let logged = |id| {
        let ballots = log.values().filter_map(|content| content.as_ref().ok());
        ballots
            .flat_map(|ballots| ballots.iter())
            .any(|ballot| ballot.id == id)
    };
    for (record, result) in records.iter().zip(results) {
        let there = record.ballots().iter().any(|ballot| logged(ballot.id));
        match result {
            Ok(_) => assert!(there, "acknowledged, and not in the log"),
            Err(error) if error.kind() == PortErrorKind::Unavailable => {
                assert!(!there, "said to be unavailable, and in the log");
            }
            Err(_) => (),
        }
    }
    Ok(())
}
