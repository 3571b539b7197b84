//! A broker that is killed, frozen, or out of reach, while records are published and read.

use std::{sync::Arc, time::Duration};

use cast_adapters::kafka::KafkaBus;
use cast_core::{
    domain::{LogPosition, Record},
    ports::{EventBus as _, PortError, PortErrorKind, Published, Subscription},
};
use cast_testkit::{
    eventually,
    servers::{self, Kafka, Link},
    within,
};

use crate::log::{Applied, Log, PATIENCE, connect, join, publish, publish_all, read_up_to};

type Results = Vec<(Record, Result<Published, PortError>)>;

/// Publishes until a record is acknowledged; returns the result of each record.
async fn publish_until_taken(log: &Log, bus: &KafkaBus) -> Results {
    let mut reported = Vec::new();
    let publishing = async {
        loop {
            let records = log.records(3);
            let results = publish(bus, &records).await;
            let all_taken = results.iter().all(Result::is_ok);
            reported.extend(records.into_iter().zip(results));
            if all_taken {
                return;
            }
        }
    };
    within(PATIENCE, "the log to take records again", publishing).await;
    reported
}

/// Joins a group, publishes some records, and reads the log up to them.
async fn reader_of(
    log: &Log,
    bus: &KafkaBus,
    group: &str,
    records: usize,
) -> (Box<dyn Subscription>, Arc<Applied>) {
    let applied = Arc::new(Applied::default());
    let mut reader = join(bus, &log.fixtures.group(group), &applied).await;
    let positions = publish_all(bus, &log.records(records)).await;
    read_up_to(&mut *reader, &applied, &positions).await;
    (reader, applied)
}

/// Reads the whole log and compares it with the results that the publisher got.
async fn assert_reported_correctly(log: &Log, reported: &Results) {
    let bus = log.connect().await;
    let (reader, applied) = reader_of(log, &bus, "checks", 3).await;
    reader.close().await.expect("it leaves");
    for (record, result) in reported {
        let times = applied.times(record);
        assert!(times <= 1, "one publish, {times} records");
        match result {
            Ok(_) => assert_eq!(times, 1, "acknowledged, and not in the log"),
            Err(error) if error.kind() == PortErrorKind::Unavailable => {
                assert_eq!(times, 0, "said to be unavailable, and in the log");
            }
            Err(error) => {
                let chain = error.chain();
                assert_eq!(error.kind(), PortErrorKind::OutcomeUnknown, "{chain}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_broker_loses_nothing_and_is_reconnected_to() {
    let Some(mut kafka) = Kafka::start().await else {
        return;
    };
    let log = Log::on(&kafka).await;
    let bus = connect(log.options()).await;
    let (mut reader, applied) = reader_of(&log, &bus, "reads", 9).await;

    kafka.kill().await;
    let records = log.records(3);
    let mut reported: Results = records
        .iter()
        .cloned()
        .zip(publish(&bus, &records).await)
        .collect();
    assert!(
        reported.iter().all(|(_, result)| result.is_err()),
        "no broker was running"
    );
    let error = bus.partitions().await.expect_err("no broker answers");
    assert_eq!(
        error.kind(),
        PortErrorKind::Unavailable,
        "{}",
        error.chain()
    );
    kafka.restart().await;
    reported.extend(publish_until_taken(&log, &bus).await);

    // The same member continues, and reads no record twice.
    let last = publish_all(&bus, &log.records(3)).await;
    read_up_to(&mut *reader, &applied, &last).await;
    reader.close().await.expect("it leaves");
    assert_reported_correctly(&log, &reported).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_broker_leaves_the_outcome_unknown_in_time() {
    let Some(mut kafka) = Kafka::start().await else {
        return;
    };
    let log = Log::on(&kafka).await;
    let bus = connect(log.options()).await;
    let (mut reader, applied) = reader_of(&log, &bus, "reads", 3).await;

    kafka.freeze().await;
    let records = log.records(3);
    // The client's own deadline, before the deadline of the vote service (3 s), with a margin for a busy machine.
    let results = within(Duration::from_secs(10), "an answer", bus.publish(&records)).await;
    let unknown = |result: &Result<Published, PortError>| {
        result.as_ref().map_err(PortError::kind) == Err(PortErrorKind::OutcomeUnknown)
    };
    assert!(results.iter().all(unknown), "{results:?}");
    let mut reported: Results = records.into_iter().zip(results).collect();
    assert_no_joining(&bus, &log).await;
    kafka.thaw().await;
    reported.extend(publish_until_taken(&log, &bus).await);

    let last = publish_all(&bus, &log.records(3)).await;
    read_up_to(&mut *reader, &applied, &last).await;
    assert_reported_correctly(&log, &reported).await;
}

/// A subscription to a cluster that does not answer fails by its own deadline.
async fn assert_no_joining(bus: &KafkaBus, log: &Log) {
    let resume = Arc::new(Applied::default());
    let group = log.fixtures.group("late");
    let joined = within(PATIENCE, "an answer", bus.subscribe(&group, 10, resume)).await;
    let error = joined.map(drop).expect_err("no server answers");
    assert_eq!(
        error.kind(),
        PortErrorKind::Unavailable,
        "{}",
        error.chain()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_a_cluster_that_does_not_answer_ends_by_its_deadline() {
    let Some((kafka, proxy)) = Kafka::start_behind_proxy().await else {
        return;
    };
    let log = Log::on(&kafka).await;
    let bus = connect(log.options()).await;
    let (reader, _) = reader_of(&log, &bus, "leaves", 3).await;
    proxy.set(Link::Frozen);
    // Whether it could leave does not matter, only that the call ends.
    let _ = within(Duration::from_secs(15), "leaving", reader.close()).await;
    proxy.set(Link::Open);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_acknowledgements_leave_the_outcome_unknown_and_one_record_in_the_log() {
    let Some((kafka, proxy)) = Kafka::start_behind_proxy().await else {
        return;
    };
    let log = Log::on(&kafka).await;
    let bus = connect(log.options()).await;
    proxy.set(Link::Mute);
    let records = log.records(3);
    let results = publish(&bus, &records).await;
    let mut reported: Results = records.into_iter().zip(results).collect();
    assert!(
        reported.iter().all(|(_, result)| result.is_err()),
        "no record was acknowledged"
    );
    proxy.set(Link::Open);
    proxy.reset_connections();
    reported.extend(publish_until_taken(&log, &bus).await);
    assert_reported_correctly(&log, &reported).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_whose_session_timed_out_resumes_at_the_stores_position() {
    let Some((kafka, proxy)) = Kafka::start_behind_proxy().await else {
        return;
    };
    let log = Log::on(&kafka).await;
    let mut options = log.options();
    options.session_timeout = Duration::from_millis(1_500);
    let bus = connect(options).await;
    let (mut reader, applied) = reader_of(&log, &bus, "sleeps", 30).await;
    for _ in 0..2 {
        proxy.set(Link::Frozen);
        // Longer than the session: the group has forgotten the member.
        let error = eventually(PATIENCE, "publishing to fail", || async {
            let results = publish(&bus, &log.records(1)).await;
            results.into_iter().find_map(Result::err)
        });
        error.await;
        proxy.set(Link::Open);
        publish_until_taken(&log, &bus).await;
        let positions = publish_all(&bus, &log.records(30)).await;
        read_with_seeks(&mut *reader, &applied, &positions).await;
    }
    reader.close().await.expect("it leaves");
}

/// Reads as a consumer does: it seeks when a batch is not the next one.
async fn read_with_seeks(
    reader: &mut dyn Subscription,
    applied: &Applied,
    positions: &[LogPosition],
) {
    let read = async {
        while !applied.has_all(positions) {
            let batch = reader
                .next()
                .await
                .unwrap_or_else(|error| panic!("{}", error.chain()));
            if !applied.apply(&batch) {
                let progress = applied.progress.of(batch.partition);
                reader
                    .seek(batch.partition, progress)
                    .await
                    .expect("it seeks");
            }
        }
    };
    within(PATIENCE, "records to be read", read).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_that_is_dropped_sends_its_pending_records() {
    let Some(kafka) = servers::kafka().await else {
        return;
    };
    let log = Log::on(kafka).await;
    let checker = log.connect().await;
    let records = log.records(30);
    let bus = log.connect().await;
    // Polled once, it has handed over all records. Then it is dropped, and so is the bus.
    assert!(
        cast_testkit::dropped_after(1, bus.publish(&records))
            .await
            .is_none()
    );
    drop(bus);

    let applied = Arc::new(Applied::default());
    let mut reader = join(&checker, &log.fixtures.group("checks"), &applied).await;
    let all_there = async {
        while !records.iter().all(|record| applied.times(record) == 1) {
            let batch = reader.next().await.expect("a batch");
            assert!(applied.apply(&batch));
        }
    };
    within(PATIENCE, "all records to be in the log", all_there).await;
}
