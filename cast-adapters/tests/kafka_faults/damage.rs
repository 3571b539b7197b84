//! Records that are there and cannot be had: none may be stepped over.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    sync::Arc,
};

use cast_core::{
    domain::{Offset, Partition, Record},
    ports::{PortError, PortErrorKind, Subscription},
};
use cast_testkit::{
    servers::{self, Kafka},
    within,
};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier},
    client::DefaultClientContext,
};

use crate::log::{Applied, Log, PARTITIONS, PATIENCE, join, publish_all};

const HOME: Partition = Partition::new(0);

/// Records of one ballot, each sent alone, so that each is a batch of its own.
async fn publish_one_by_one(log: &Log, count: usize) -> Vec<Record> {
    let bus = log.connect().await;
    let mut records = Vec::new();
    for _ in 0..count {
        let record = log.fixtures.record(HOME, PARTITIONS, 1);
        publish_all(&bus, std::slice::from_ref(&record)).await;
        records.push(record);
    }
    records
}

/// Reads and applies until the log cannot be read any further.
async fn until_failed(member: &mut dyn Subscription, applied: &Applied) -> PortError {
    let read = async {
        loop {
            match member.next().await {
                Ok(batch) => assert!(applied.apply(&batch), "{batch:?} does not join"),
                Err(error) => return error,
            }
        }
    };
    within(PATIENCE, "the reader to be told", read).await
}

/// Flips a bit of a record on the broker's disk, as a disk does that wears out.
fn damage(kafka: &cast_testkit::servers::Private<Kafka>, log: &Log, record: &Record) {
    let folder = format!("data/{}-{}", log.topic.name(), HOME.get());
    let segment = kafka.folder().join(folder).join("00000000000000000000.log");
    let bytes = fs::read(&segment).expect("the partition's records");
    let id = record.ballots()[0].id.as_uuid().into_bytes();
    let at = bytes.windows(id.len()).position(|there| there == id);
    let at = at.expect("the record is on the disk");
    let file = File::options().write(true).open(&segment);
    let written = file.and_then(|file| file.write_at(&[bytes[at] ^ 1], at as u64));
    written.expect("the disk is ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_with_a_flipped_bit_is_corrupt_and_never_stepped_over() {
    let Some(kafka) = Kafka::start().await else {
        return;
    };
    let log = Log::on(&kafka).await;
    let records = publish_one_by_one(&log, 5).await;
    damage(&kafka, &log, &records[2]);

    let bus = log.connect().await;
    let applied = Arc::new(Applied::default());
    let mut reader = join(&bus, &log.fixtures.group("reads"), &applied).await;
    for _ in 0..3 {
        let error = until_failed(&mut *reader, &applied).await;
        let told = error.chain();
        assert_eq!(error.kind(), PortErrorKind::Corrupt, "{told}");
        assert!(told.contains("at offset 2"), "{told}");
        assert!(told.contains("docs/AUDIT.md"), "the way out: {told}");
        // What is before it was read all the same.
        assert_eq!(applied.progress.of(HOME), Offset::new(2));
    }
    let times: Vec<_> = records.iter().map(|record| applied.times(record)).collect();
    assert_eq!(times, [1, 1, 0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_compresses_in_a_way_that_is_not_read_here_is_misconfigured() {
    let Some(kafka) = servers::kafka().await else {
        return;
    };
    let log = Log::on(kafka).await;
    let bus = log.connect().await;
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &log.brokers);
    let admin: AdminClient<DefaultClientContext> = config.create().expect("a client");
    let topic = ResourceSpecifier::Topic(log.topic.name());
    let change = AlterConfig::new(topic).set("compression.type", "zstd");
    let changed = admin.alter_configs([&change], &AdminOptions::new()).await;
    changed.expect("an answer")[0].as_ref().expect("a topic");

    let record = log.fixtures.record(HOME, PARTITIONS, 500);
    publish_all(&bus, &[record]).await;
    let applied = Arc::new(Applied::default());
    let mut reader = join(&bus, &log.fixtures.group("reads"), &applied).await;
    for _ in 0..2 {
        let error = until_failed(&mut *reader, &applied).await;
        let told = error.chain();
        assert_eq!(error.kind(), PortErrorKind::Misconfigured, "{told}");
        assert!(told.contains("compression.type=producer"), "{told}");
        assert_eq!(applied.progress.of(HOME), Offset::START);
    }
}
