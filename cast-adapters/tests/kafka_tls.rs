//! TLS and SASL: connections to a broker that needs them, and what a refused one says.

use std::{sync::Arc, time::Duration};

use cast_adapters::kafka::{KafkaBus, KafkaOptions, TopicOptions, create_topic};
use cast_core::{
    domain::{Partition, Partitions},
    ports::{EventBus as _, PortErrorKind},
};
use cast_testkit::{
    fixtures::{Fixtures, Progress},
    servers::{Kafka, Private, SecureListeners, random_name, self_signed_certificate},
    within,
};
use tokio::sync::OnceCell;

/// On a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// `p@ss/w0rd`, as a URL has it.
const PASSWORD: &str = "p%40ss%2Fw0rd";

const WRONG_PASSWORD: &str = "hunter2";

/// The broker of all tests here. It ends with the process.
async fn broker() -> Option<&'static Private<Kafka>> {
    static BROKER: OnceCell<Private<Kafka>> = OnceCell::const_new();
    let started = BROKER.get_or_try_init(async || Kafka::start_secure().await.ok_or(()));
    started.await.ok()
}

/// The path of one of the broker's files.
fn file(broker: &Private<Kafka>, name: &str) -> String {
    broker.folder().join(name).display().to_string()
}

/// A new topic at the listener with passwords.
fn sasl_url(broker: &Private<Kafka>, user: &str, password: &str, parameters: &str) -> String {
    let (address, ca) = (broker.secure_listeners().sasl, file(broker, "broker.crt"));
    let topic = random_name();
    format!("kafkas://{user}:{password}@{address}/{topic}?ca={ca}{parameters}")
}

fn options(url: &str) -> KafkaOptions {
    url.parse().unwrap_or_else(|error| panic!("{url}: {error}"))
}

const TOPIC: TopicOptions = TopicOptions {
    partitions: Partitions::ONE,
    replication_factor: 1,
    min_insync_replicas: 1,
    retention: Duration::from_secs(3_600),
};

/// Creates the topic, publishes a ballot, and reads it back.
async fn publish_and_read(url: &str) {
    let mut options = options(url);
    options.request_timeout = Duration::from_secs(20);
    options.delivery_timeout = Duration::from_secs(10);
    let created = create_topic(&options, &TOPIC).await;
    assert!(created.unwrap_or_else(|error| panic!("{}", error.chain())));
    let bus = KafkaBus::connect(options).await;
    let bus = bus.unwrap_or_else(|error| panic!("{}", error.chain()));
    let fixtures = Fixtures::new();
    let record = fixtures.record(Partition::new(0), Partitions::ONE, 1);
    for published in bus.publish(std::slice::from_ref(&record)).await {
        published.unwrap_or_else(|error| panic!("{}", error.chain()));
    }
    let (group, store) = (fixtures.group("reads"), Arc::new(Progress::at_start()));
    let reader = bus.subscribe(&group, 100, store).await;
    let mut reader = reader.unwrap_or_else(|error| panic!("{}", error.chain()));
    let batch = within(PATIENCE, "the record", reader.next()).await;
    let batch = batch.unwrap_or_else(|error| panic!("{}", error.chain()));
    let read = batch.entries[0].content.as_ref().expect("a record");
    assert_eq!(read[0].id, record.ballots()[0].id);
}

/// Connects, and creates the topic, in vain: either error must have all of `texts`.
async fn assert_refused(url: &str, texts: &[&str]) {
    let options = options(url);
    let connected = KafkaBus::connect(options.clone()).await.map(drop);
    let created = create_topic(&options, &TOPIC).await.map(drop);
    for refused in [connected, created] {
        let error = refused.expect_err("the broker or the client refuses");
        let message = error.chain();
        // The broker may still be starting.
        assert_eq!(error.kind(), PortErrorKind::Unavailable, "{message}");
        for text in texts {
            assert!(message.contains(text), "without {text}: {message}");
        }
        for secret in [WRONG_PASSWORD, PASSWORD, SecureListeners::PASSWORD] {
            assert!(!message.contains(secret), "{message}");
        }
    }
}

#[tokio::test]
async fn a_user_votes_with_scram_sha_512_by_default() {
    let Some(broker) = broker().await else {
        return;
    };
    let user = SecureListeners::SCRAM_USER;
    publish_and_read(&sasl_url(broker, user, PASSWORD, "")).await;
}

#[tokio::test]
async fn a_user_votes_with_plain() {
    let Some(broker) = broker().await else {
        return;
    };
    let user = SecureListeners::PLAIN_USER;
    publish_and_read(&sasl_url(broker, user, PASSWORD, "&sasl=plain")).await;
}

#[tokio::test]
async fn a_client_votes_with_its_certificate() {
    let Some(broker) = broker().await else {
        return;
    };
    let (address, topic) = (broker.secure_listeners().mutual_tls, random_name());
    let [ca, cert, key] = ["broker.crt", "client.crt", "client.key"].map(|name| file(broker, name));
    let url = format!("kafkas://{address}/{topic}?ca={ca}&cert={cert}&key={key}");
    publish_and_read(&url).await;
}

#[tokio::test]
async fn a_wrong_password_is_named() {
    let Some(broker) = broker().await else {
        return;
    };
    for (user, parameters) in [
        (SecureListeners::SCRAM_USER, ""),
        (SecureListeners::PLAIN_USER, "&sasl=plain"),
    ] {
        let url = sasl_url(broker, user, WRONG_PASSWORD, parameters);
        let texts = ["SASL authentication error", "user:password", "sasl="];
        assert_refused(&url, &texts).await;
    }
}

#[tokio::test]
async fn a_broker_with_a_certificate_of_another_authority_is_named() {
    let Some(broker) = broker().await else {
        return;
    };
    let other = self_signed_certificate(broker.folder(), "other");
    let address = broker.secure_listeners().sasl;
    let (user, ca) = (SecureListeners::SCRAM_USER, other.display());
    let url = format!("kafkas://{user}:{PASSWORD}@{address}/votes?ca={ca}");
    assert_refused(&url, &["certificate verify failed", "ca="]).await;
}

#[tokio::test]
async fn a_client_without_the_certificate_that_the_broker_wants_is_named() {
    let Some(broker) = broker().await else {
        return;
    };
    let (address, ca) = (
        broker.secure_listeners().mutual_tls,
        file(broker, "broker.crt"),
    );
    let url = format!("kafkas://{address}/votes?ca={ca}");
    assert_refused(&url, &["SSL", "cert="]).await;
}

#[tokio::test]
async fn a_url_without_tls_for_a_port_with_tls_is_named() {
    let Some(broker) = broker().await else {
        return;
    };
    let url = format!("kafka://{}/votes", broker.secure_listeners().sasl);
    assert_refused(&url, &["kafkas://"]).await;
}
