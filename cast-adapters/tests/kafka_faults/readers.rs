//! Readers that join, leave, are busy, and lag.

use std::{collections::BTreeSet, sync::Arc};

use cast_adapters::kafka::{GroupProtocol, KafkaBus};
use cast_core::{
    domain::{LogPosition, Offset, Partition},
    ports::{EventBus as _, GroupName, PortErrorKind, Subscription},
};
use cast_testkit::{eventually, servers, within};
use rdkafka::{
    ClientConfig, Offset as KafkaOffset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    producer::{BaseProducer, BaseRecord, Producer as _},
};
use tokio::{sync::watch, task::JoinHandle};

use crate::log::{Applied, Log, PARTITIONS, PATIENCE, connect, join, publish_all, read_up_to};

/// Reads as a consumer does, until it is stopped.
fn consume(
    mut member: Box<dyn Subscription>,
    applied: Arc<Applied>,
    mut leave: watch::Receiver<bool>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let batch = tokio::select! {
                _ = leave.wait_for(|leave| *leave) => break,
                batch = member.next() => batch,
            };
            let batch = batch.unwrap_or_else(|error| panic!("{}", error.chain()));
            if applied.apply(&batch) {
                member
                    .commit(batch.partition, batch.next)
                    .await
                    .expect("it notes");
            } else {
                let progress = applied.progress.of(batch.partition);
                member
                    .seek(batch.partition, progress)
                    .await
                    .expect("it seeks");
            }
        }
        member.close().await.expect("it leaves");
    })
}

async fn until_applied(applied: &Applied, positions: &[LogPosition]) {
    eventually(PATIENCE, "all records to be read", || async {
        applied.has_all(positions).then_some(())
    })
    .await;
}

async fn rebalanced_under_load(protocol: GroupProtocol) {
    let Some(kafka) = servers::kafka().await else {
        return;
    };
    let log = Log::on(kafka).await;
    let mut options = log.patient();
    options.protocol = protocol;
    // A small prefetch buffer, so that the readers pause and resume.
    options.prefetch_ballots = 100;
    let bus = connect(options.clone()).await;
    let (group, applied) = (log.fixtures.group("shares"), Arc::new(Applied::default()));
    let mut records = Vec::new();
    let mut positions = Vec::new();
    let mut publish = async |count| {
        let more = log.records(count);
        positions.extend(publish_all(&bus, &more).await);
        records.extend(more);
        positions.clone()
    };
    // Members join and leave while records are published; each has its own connections.
    let mut members: Vec<(watch::Sender<bool>, JoinHandle<()>)> = Vec::new();
    for round in 0..6 {
        let own = connect(options.clone()).await;
        let member = join(&own, &group, &applied).await;
        let (leave, should_leave) = watch::channel(false);
        let task = consume(member, Arc::clone(&applied), should_leave);
        members.push((leave, task));
        publish(300).await;
        if round % 2 == 1 {
            let (leave, task) = members.remove(0);
            leave.send_replace(true);
            task.await.expect("it ends well");
        }
        let so_far = publish(300).await;
        until_applied(&applied, &so_far).await;
    }
    for (leave, task) in members {
        leave.send_replace(true);
        task.await.expect("it ends well");
    }
    for record in &records {
        assert_eq!(applied.times(record), 1, "each once, behind the fence");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebalance_under_load_loses_nothing() {
    rebalanced_under_load(GroupProtocol::Classic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebalance_of_the_newer_protocol_under_load_loses_nothing() {
    rebalanced_under_load(GroupProtocol::Consumer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_busy_for_long_still_shares() {
    let Some(kafka) = servers::kafka().await else {
        return;
    };
    let log = Log::on(kafka).await;
    let bus = log.connect().await;
    let (group, applied) = (log.fixtures.group("busy"), Arc::new(Applied::default()));
    let mut busy = join(&bus, &group, &applied).await;
    let first = publish_all(&bus, &log.records(3)).await;
    read_up_to(&mut *busy, &applied, &first).await;

    // It is busy from here on, and does not poll. The new member still gets its share.
    let other = log.connect().await;
    let mut newcomer = join(&other, &group, &applied).await;
    let mut of_newcomer = BTreeSet::new();
    let share = async {
        while of_newcomer.is_empty() {
            let records = log.records(3);
            let (_, batch) = tokio::join!(publish_all(&bus, &records), newcomer.next());
            let batch = batch.expect("a batch");
            of_newcomer.insert(batch.partition);
            assert!(applied.apply(&batch), "only the newcomer reads it");
        }
    };
    within(PATIENCE, "the newcomer's share", share).await;
    assert!(
        of_newcomer.len() < PARTITIONS.count() as usize,
        "not all of them"
    );
    // The busy member continues its remaining partitions at their positions.
    let rest = publish_all(&bus, &log.records(3)).await;
    let rest: Vec<_> = rest
        .into_iter()
        .filter(|at| !of_newcomer.contains(&at.partition))
        .collect();
    let newcomer = consume(newcomer, Arc::clone(&applied), watch::channel(false).1);
    let read = async {
        while !applied.has_all(&rest) {
            let batch = busy.next().await.expect("a batch");
            applied.apply(&batch);
        }
    };
    within(PATIENCE, "the rest", read).await;
    newcomer.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_that_a_log_uses_for_itself_leave_no_gap_between_batches() {
    let Some(kafka) = servers::kafka().await else {
        return;
    };
    let log = Log::on(kafka).await;
    let bus = log.connect().await;
    let before = publish_all(&bus, &log.records(3)).await;
    // The marker at the end of a transaction has an offset, and is not a record.
    append_in_transactions(&log, 3);
    let after = publish_all(&bus, &log.records(3)).await;
    let between = after[0].offset.get() - before[0].offset.get() - 1;
    // A transaction ends for its client before its marker is in the log, so the last marker may
    // follow.
    assert!(
        between == 3 + 2 || between == 3 + 3,
        "three records, and marks: {between}"
    );

    let applied = Arc::new(Applied::default());
    let resume = Arc::clone(&applied) as _;
    let group = log.fixtures.group("gaps");
    let mut reader = bus.subscribe(&group, 1, resume).await.expect("it joins");
    let read = async {
        let mut next = Offset::START;
        while applied.progress.of(Partition::new(0)) <= after[0].offset {
            let batch = reader.next().await.expect("a batch");
            applied.progress.advance(&batch);
            if batch.partition == Partition::new(0) {
                assert_eq!(batch.start, next, "it joins");
                next = batch.next;
            }
        }
    };
    within(PATIENCE, "the record behind the marks", read).await;
}

fn append_in_transactions(log: &Log, count: usize) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &log.brokers);
    config.set("transactional.id", log.topic.name());
    let producer: BaseProducer = config.create().expect("a producer");
    producer.init_transactions(PATIENCE).expect("it may");
    for _ in 0..count {
        producer.begin_transaction().expect("it begins");
        let record = BaseRecord::<(), [u8]>::to(log.topic.name());
        let sent = producer.send(record.partition(0).payload(b"no record"));
        sent.map_err(|(error, _)| error).expect("it is sent");
        producer.commit_transaction(PATIENCE).expect("it ends");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_retention_overtakes_gets_an_error() {
    let Some(kafka) = servers::kafka().await else {
        return;
    };
    let log = Log::on(kafka).await;
    let mut options = log.patient();
    options.prefetch_ballots = 1;
    let bus = connect(options).await;
    let test_db = Partition::new(0);
    let records: Vec<_> = (0..300)
        .map(|_| log.fixtures.record(test_db, PARTITIONS, 2))
        .collect();
    publish_all(&bus, &records).await;
    let applied = Arc::new(Applied::default());
    let resume = Arc::clone(&applied) as _;
    let group = log.fixtures.group("slow");
    let mut reader = bus.subscribe(&group, 2, resume).await.expect("it joins");
    let batch = within(PATIENCE, "a batch", reader.next())
        .await
        .expect("a batch");
    assert!(applied.apply(&batch));

    truncate(&log, 299).await;
    let reported = async {
        loop {
            match reader.next().await {
                // Prefetched records are still returned.
                Ok(batch) => assert!(applied.apply(&batch), "nothing is skipped"),
                Err(error) => return error,
            }
        }
    };
    let error = within(PATIENCE, "the reader gets the error", reported).await;
    assert_eq!(
        error.kind(),
        PortErrorKind::Misconfigured,
        "{}",
        error.chain()
    );
    assert!(error.chain().contains("no longer has"), "{}", error.chain());
}

async fn truncate(log: &Log, before: i64) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &log.brokers);
    let admin: AdminClient<DefaultClientContext> = config.create().expect("a client");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(log.topic.name(), 0, KafkaOffset::Offset(before))
        .expect("an offset");
    let deleted = admin.delete_records(&list, &AdminOptions::new()).await;
    deleted.expect("the records are deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lag_is_right_when_a_reader_resumes_after_the_committed_offset() {
    let Some(kafka) = servers::kafka().await else {
        return;
    };
    let log = Log::on(kafka).await;
    let bus = log.connect().await;
    let group = log.fixtures.group("resumes");
    let positions = publish_all(&bus, &log.records(9)).await;
    // Applied by a reader that ended before it committed.
    let applied = Arc::new(Applied::default());
    for at in &positions {
        applied.progress.set(at.partition, at.offset.next());
    }
    assert_eq!(behind(&bus, &group).await, 9);
    let mut reader = join(&bus, &group, &applied).await;
    let caught_up = eventually(PATIENCE, "the lag to be none", || async {
        (behind(&bus, &group).await == 0).then_some(())
    });
    tokio::select! {
        () = caught_up => {}
        batch = reader.next() => panic!("there is nothing to read: {batch:?}"),
    }
    reader.close().await.expect("it leaves");
}

async fn behind(bus: &KafkaBus, group: &GroupName) -> u64 {
    let lag = bus.lag(group).await.expect("answered");
    lag.iter().map(cast_core::ports::PartitionLag::behind).sum()
}
