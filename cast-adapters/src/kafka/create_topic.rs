//! Creates the topic.

use std::{sync::Arc, time::Duration};

use cast_core::{
    domain::{Clock as _, Partitions},
    ports::PortError,
};
use rdkafka::{
    admin::{NewTopic, TopicReplication},
    types::RDKafkaErrorCode,
};

use super::{
    admin::Admin,
    cluster::{self, RETRY_INTERVAL},
    error::Error,
    options::KafkaOptions,
    producer::Sender,
};
use crate::{record::MAX_BYTES, system::SystemClock};

/// How long a new topic may take until all its partitions have leaders.
const LEADERS_DEADLINE: Duration = Duration::from_secs(15);

/// The settings of a new topic.
///
/// Recommended on three brokers or more: three replicas, two of which must acknowledge. Recommended as
/// the retention: seven days, which is also Kafka's default.
#[derive(Clone, Copy, Debug)]
pub struct TopicOptions {
    /// The number of partitions. It can never change: it decides the partition of each ballot.
    pub partitions: Partitions,
    /// The number of brokers that keep a copy of each record. With one, the records are as durable as its
    /// disk.
    pub replication_factor: u16,
    /// How many replicas must have a record before it is acknowledged. With fewer replicas in sync, the
    /// brokers refuse records. Below two, a single broker acknowledges from its memory, and acknowledged
    /// records are lost when it loses power.
    pub min_insync_replicas: u16,
    /// How long records are kept. A backup of the store can be restored for as long, and the store must
    /// remember ballot ids for longer.
    pub retention: Duration,
}

/// Creates the topic that `options` name, and waits until it can be used. An existing topic stays as it
/// is. Returns whether the topic was created.
///
/// # Errors
///
/// [`Misconfigured`](cast_core::ports::PortErrorKind::Misconfigured) if the cluster refuses: it has too
/// few brokers, or the user lacks a permission.
pub async fn create_topic(options: &KafkaOptions, topic: &TopicOptions) -> Result<bool, PortError> {
    let created = create(options, topic).await;
    created.map_err(|error| error.with_operation("creating the topic of the log"))
}

async fn create(options: &KafkaOptions, topic: &TopicOptions) -> Result<bool, Error> {
    let replication = TopicReplication::Fixed(i32::from(topic.replication_factor));
    let partitions = i32::try_from(topic.partitions.count()).unwrap_or(i32::MAX);
    let min_insync_replicas = topic.min_insync_replicas.to_string();
    let retention_ms = topic.retention.as_millis().to_string();
    // Kafka's default, unless records may be larger.
    let max_message_bytes = (MAX_BYTES + MAX_BYTES / 32).max(1_048_588).to_string();
    // These settings must not be left to the cluster's defaults.
    let new_topic = NewTopic::new(&options.topic, partitions, replication)
        .set("min.insync.replicas", &min_insync_replicas)
        // A replica that missed acknowledged records must not become the leader: no leader is better than
        // a log that lost its end.
        .set("unclean.leader.election.enable", "false")
        // Every record counts: no record replaces an older one.
        .set("cleanup.policy", "delete")
        .set("retention.ms", &retention_ms)
        .set("retention.bytes", "-1")
        // As the producer sent it: a broker may recompress with a codec that the readers here were built
        // without.
        .set("compression.type", "producer")
        .set("max.message.bytes", &max_message_bytes);
    let sender = Sender::new(Arc::new(options.clone())).await?;
    let admin = Admin::open(options).await?;
    let answer = admin.client.create_topics([&new_topic], &admin.limits);
    let answer = answer.await;
    admin.close().await;
    // Only the sender's client reports why it has no connection.
    let answer = answer.map_err(|error| sender.query_error(error));
    let is_new = match answer?.pop() {
        Some(Ok(_)) => true,
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => false,
        Some(Err((_, code))) => return Err(Error::CreateTopic(code)),
        None => return Err(Error::TimedOut),
    };
    wait_for_leaders(&sender).await?;
    Ok(is_new)
}

/// Waits until every partition has a leader that answers, which takes a moment in a new topic.
async fn wait_for_leaders(sender: &Arc<Sender>) -> Result<(), Error> {
    let began = SystemClock.monotonic();
    loop {
        let led = async {
            let found = cluster::partitions(sender).await?;
            let all: Vec<_> = found.iter().collect();
            cluster::ends(sender, &all).await
        };
        let Err(error) = led.await else {
            return Ok(());
        };
        if SystemClock.monotonic().saturating_sub(began) > LEADERS_DEADLINE {
            return Err(error);
        }
        SystemClock.sleep(RETRY_INTERVAL).await;
    }
}
