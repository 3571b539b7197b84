use cast_testkit::servers::{self, Kafka, Link};

use crate::client::{A_WHILE, Client, DEADLINE, is_killed};

#[tokio::test]
async fn kafka_keeps_its_topics_when_killed() {
    let Some(mut kafka) = Kafka::start().await else {
        return;
    };
    let topic = kafka.create_topic(3).await;
    assert_eq!(
        topic.url(),
        format!("kafka://{}/{}", kafka.brokers(), topic.name())
    );
    is_killed(&mut kafka).await;
    kafka.restart().await;
    topic.grow(5).await;

    kafka.empty().await;
    kafka.restart_empty().await;
    kafka.create_topic(1).await;
}

#[tokio::test]
async fn a_frozen_kafka_answers_when_it_is_thawed() {
    let Some(mut kafka) = Kafka::start().await else {
        return;
    };
    kafka.freeze().await;
    let mut link = Client::to(&kafka.url("")).await;
    link.ask_kafka().await;
    assert_eq!(link.answer_within(A_WHILE).await, None);
    kafka.thaw().await;
    assert!(link.answer_within(DEADLINE).await.is_some());
    kafka.create_topic(1).await;
}

#[tokio::test]
async fn kafka_sends_its_clients_to_its_proxy() {
    let Some((kafka, proxy)) = Kafka::start_behind_proxy().await else {
        return;
    };
    assert_eq!(kafka.brokers(), proxy.address().to_string());
    let mut link = Client::to(&kafka.url("")).await;
    link.ask_kafka().await;
    let answer = link.answer_within(DEADLINE).await.expect("an answer");
    let port = u32::from(proxy.address().port()).to_be_bytes();
    assert!(answer.windows(4).any(|bytes| bytes == port), "{answer:?}");
    proxy.set(Link::Cut);
    assert_eq!(
        link.answer_within(DEADLINE).await.as_deref(),
        Some(&b""[..])
    );
    // The kit's own way does not lead through the proxy.
    kafka.create_topic(1).await;
}

#[tokio::test]
async fn topics_of_a_shared_kafka_are_ready_when_they_are_made() {
    let Some(kafka) = servers::kafka().await else {
        return;
    };
    let (one, other) = (kafka.create_topic(8).await, kafka.create_topic(1).await);
    assert_ne!(one.name(), other.name());
}
