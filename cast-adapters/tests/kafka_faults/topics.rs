//! Topics that are missing, created, or that grow.

use std::time::Duration;

use cast_adapters::kafka::{KafkaBus, KafkaOptions, TopicOptions, create_topic};
use cast_core::{
    domain::Partitions,
    ports::{EventBus, PortError, PortErrorKind},
};
use cast_testkit::servers;
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, ResourceSpecifier},
    client::DefaultClientContext,
};

use crate::{
    log::{Log, PARTITIONS, connect, publish_all},
    setting,
};

const FIVE: Partitions = Partitions::new(5).expect("five");

async fn refusal(options: KafkaOptions) -> String {
    let error = KafkaBus::connect(options)
        .await
        .map(drop)
        .expect_err("it is refused");
    misconfigured(&error)
}

fn misconfigured(error: &PortError) -> String {
    assert_eq!(
        error.kind(),
        PortErrorKind::Misconfigured,
        "{}",
        error.chain()
    );
    error.chain()
}

#[tokio::test]
async fn a_topic_that_is_not_there_is_misconfigured_and_not_made_up() {
    let Some(kafka) = servers::kafka().await else {
        return;
    };
    let options: KafkaOptions = kafka.url(&servers::random_name()).parse().expect("a URL");
    for _ in 0..2 {
        let reported = refusal(options.clone()).await;
        assert!(reported.contains("kafka-topics.sh"), "{reported}");
    }
}

#[tokio::test]
async fn a_topic_is_created_once_with_its_settings() {
    let Some(kafka) = servers::kafka().await else {
        return;
    };
    let name = servers::random_name();
    let options: KafkaOptions = kafka.url(&name).parse().expect("a URL");
    let topic = TopicOptions {
        replication_factor: 1,
        min_insync_replicas: 1,
        retention: Duration::from_secs(3_600),
        partitions: FIVE,
    };
    assert!(create_topic(&options, &topic).await.expect("it is made"));
    assert!(!create_topic(&options, &topic).await.expect("it is there"));
    let bus = connect(options.clone()).await;
    assert_eq!(bus.partitions().await.expect("it says"), FIVE);

    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.brokers());
    let admin: AdminClient<DefaultClientContext> = config.create().expect("a client");
    let asked = [ResourceSpecifier::Topic(&name)];
    let reported = admin.describe_configs(&asked, &AdminOptions::new()).await;
    let reported = reported
        .expect("an answer")
        .pop()
        .expect("of the topic")
        .expect("its settings");
    let value = |name| reported.get(name).and_then(|entry| entry.value.clone());
    assert_eq!(value("retention.ms").as_deref(), Some("3600000"));
    assert_eq!(
        value("unclean.leader.election.enable").as_deref(),
        Some("false")
    );
    assert_eq!(value("cleanup.policy").as_deref(), Some("delete"));

    let too_many = TopicOptions {
        replication_factor: 3,
        ..topic
    };
    let other: KafkaOptions = kafka.url(&servers::random_name()).parse().expect("a URL");
    let error = create_topic(&other, &too_many)
        .await
        .expect_err("there is one broker");
    misconfigured(&error);
    let deleted = admin.delete_topics(&[&name], &AdminOptions::new()).await;
    deleted.expect("it is deleted");
}

#[tokio::test]
async fn a_topic_whose_settings_lose_records_is_misconfigured() {
    let Some(kafka) = servers::kafka().await else {
        return;
    };
    let log = Log::on(kafka).await;
    for (setting, value) in [("cleanup.policy", "compact"), ("compression.type", "zstd")] {
        setting::set(&log.brokers, &log.topic, setting, value).await;
        let reported = refusal(log.patient()).await;
        assert!(
            reported.contains(&format!("{setting}={value}")),
            "{reported}"
        );
    }
}

#[tokio::test]
async fn a_topic_that_grew_is_misconfigured_for_old_and_new_servers() {
    let Some(kafka) = servers::kafka().await else {
        return;
    };
    let log = Log::on(kafka).await;
    let old = log.connect().await;
    publish_all(&old, &log.records(3)).await;
    log.topic.grow(5).await;

    let error = old.partitions().await.expect_err("it grew");
    assert!(misconfigured(&error).contains("when this server started"));
    let reported = refusal(log.patient()).await;
    assert!(
        reported.contains("has 5 partitions, and 3 are expected"),
        "{reported}"
    );
    assert!(reported.contains("partitions=5"), "the remedy: {reported}");

    // Confirmed by the option, and from then on by the records.
    let mut grown = log.patient();
    grown.partitions = Some(FIVE);
    let new = connect(grown).await;
    let record = log
        .fixtures
        .record(FIVE.iter().nth(4).expect("the last"), FIVE, 1);
    publish_all(&new, &[record]).await;
    assert_eq!(
        connect(log.patient())
            .await
            .partitions()
            .await
            .expect("it says"),
        FIVE
    );
}

#[tokio::test]
async fn a_topic_with_other_partitions_than_the_settings_say_is_misconfigured() {
    let Some(kafka) = servers::kafka().await else {
        return;
    };
    let log = Log::on(kafka).await;
    let mut options = log.patient();
    options.partitions = Some(FIVE);
    let reported = refusal(options.clone()).await;
    assert!(
        reported.contains("has 3 partitions, and 5 are expected"),
        "{reported}"
    );
    options.partitions = Some(PARTITIONS);
    connect(options).await;
}
