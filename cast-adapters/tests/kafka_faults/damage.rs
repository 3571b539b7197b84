//! Records that are there and cannot be had: none may be stepped over.
//!
//! A bit that flipped on a broker's disk is not among them: the client notices it by its checksum, goes on
//! from a wrong place in what it fetched (librdkafka 2.12, `rdkafka_msgset_reader.c`), and tells an error or
//! aborts the process, as it happens. What it tells of it is in the unit tests of the verdicts.

use std::sync::Arc;

use cast_core::{
    domain::Partition,
    ports::{PortError, PortErrorKind, Subscription},
};
use cast_testkit::{servers, within};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier},
    client::DefaultClientContext,
};

use crate::log::{Applied, Log, PARTITIONS, PATIENCE, join, publish_all};

const HOME: Partition = Partition::new(0);

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

    let applied = Arc::new(Applied::default());
    let mut reader = join(&bus, &log.fixtures.group("reads"), &applied).await;
    // A broker keeps to it a moment after it said so: what is published before that can be read.
    let publishing = async {
        loop {
            let record = log.fixtures.record(HOME, PARTITIONS, 500);
            publish_all(&bus, &[record]).await;
        }
    };
    let first = tokio::select! {
        error = until_failed(&mut *reader, &applied) => error,
        () = publishing => unreachable!("it goes on"),
    };
    let reached = applied.progress.of(HOME);
    let second = until_failed(&mut *reader, &applied).await;
    for error in [first, second] {
        let told = error.chain();
        assert_eq!(error.kind(), PortErrorKind::Misconfigured, "{told}");
        assert!(told.contains("compression.type=producer"), "{told}");
    }
    assert_eq!(applied.progress.of(HOME), reached, "it is not stepped over");
}
