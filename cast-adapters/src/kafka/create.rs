//! Making the topic.

use std::{sync::Arc, time::Duration};

use cast_core::{
    domain::Partitions,
    ports::{Clock as _, PortError},
};
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    types::RDKafkaErrorCode,
};

use super::{
    blocking,
    cluster::{self, LOOK_AGAIN},
    context::Quiet,
    error::Error,
    options::KafkaOptions,
    producer::Sender,
};
use crate::{record::MAX_BYTES, system::SystemClock};

const CREATING: &str = "making the topic of the log";

/// How long it may take until a new topic has a leader everywhere.
const LEADERS_DEADLINE: Duration = Duration::from_secs(15);

/// How a topic is made.
#[derive(Clone, Copy, Debug)]
pub struct TopicOptions {
    /// How many partitions it has, for good: their number decides where a ballot belongs.
    pub partitions: Partitions,
    /// On how many brokers each record is.
    pub replication_factor: u16,
    /// How many of them must have a record before it is acknowledged; fewer in sync, and nothing is
    /// taken. Below two, a single broker acknowledges from its memory, and what it acknowledged is
    /// gone when it loses power.
    pub min_insync_replicas: u16,
    /// How long records are kept. A backup of the store can be put back for as long, and the store
    /// must remember ballot ids for longer.
    pub retention: Duration,
}

impl TopicOptions {
    /// A topic of so many partitions on a cluster of three brokers or more: three replicas, two of
    /// which acknowledge, kept for seven days.
    pub const fn new(partitions: Partitions) -> Self {
        Self {
            partitions,
            replication_factor: 3,
            min_insync_replicas: 2,
            retention: Duration::from_secs(7 * 24 * 60 * 60),
        }
    }

    /// The same on a single broker: one replica. What it promises is what that broker's disk does.
    pub const fn on_one_broker(self) -> Self {
        Self {
            replication_factor: 1,
            min_insync_replicas: 1,
            ..self
        }
    }
}

/// Makes the topic that `options` name, and waits until it can be used. Does nothing to one that is
/// there, whatever it is like; says whether it made one.
///
/// # Errors
///
/// [`Misconfigured`](cast_core::ports::PortErrorKind::Misconfigured) where the cluster refuses, for
/// want of brokers or of a permission.
pub async fn create_topic(options: &KafkaOptions, topic: &TopicOptions) -> Result<bool, PortError> {
    let created = create(options, topic).await;
    created.map_err(|error| error.while_(CREATING))
}

async fn create(options: &KafkaOptions, topic: &TopicOptions) -> Result<bool, Error> {
    let config = options.admin();
    let admin: AdminClient<Quiet> = blocking::run(move || config.create_with_context(Quiet))
        .await
        .map_err(Error::Client)?;
    let settings = Settings::of(topic);
    let partitions = i32::try_from(topic.partitions.count()).unwrap_or(i32::MAX);
    let replication = TopicReplication::Fixed(i32::from(topic.replication_factor));
    let mut new_topic = NewTopic::new(&options.topic, partitions, replication);
    for (name, value) in settings.pairs() {
        new_topic = new_topic.set(name, value);
    }
    let limits = AdminOptions::new()
        .request_timeout(Some(options.request_timeout))
        .operation_timeout(Some(options.request_timeout));
    let answer = admin.create_topics([&new_topic], &limits).await;
    // Its thread is waited for.
    blocking::run(move || drop(admin)).await;
    let is_new = match answer.map_err(Error::Ask)?.pop() {
        Some(Ok(_)) => true,
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => false,
        Some(Err((_, code))) => return Err(Error::CreateTopic(code)),
        None => return Err(Error::TimedOut),
    };
    until_led(options).await?;
    Ok(is_new)
}

/// Waits until every partition has a leader that answers. It takes a moment after a topic is made.
async fn until_led(options: &KafkaOptions) -> Result<(), Error> {
    let options = Arc::new(options.clone());
    let sender = Sender::new(&options).await?;
    let began = SystemClock.monotonic();
    loop {
        let led = async {
            let found = cluster::partitions(&options, &sender).await?;
            let all: Vec<_> = found.iter().collect();
            cluster::ends(&options, &sender, &all).await
        };
        let Err(error) = led.await else {
            return Ok(());
        };
        if SystemClock.monotonic().saturating_sub(began) > LEADERS_DEADLINE {
            return Err(error);
        }
        SystemClock.sleep(LOOK_AGAIN).await;
    }
}

/// What a topic needs whatever the cluster's defaults are.
struct Settings {
    min_insync_replicas: String,
    retention_ms: String,
    max_message_bytes: String,
}

impl Settings {
    fn of(topic: &TopicOptions) -> Self {
        // Kafka's own default, unless records are larger than it foresees.
        let max_message_bytes = (MAX_BYTES + MAX_BYTES / 32).max(1_048_588);
        Self {
            min_insync_replicas: topic.min_insync_replicas.to_string(),
            retention_ms: topic.retention.as_millis().to_string(),
            max_message_bytes: max_message_bytes.to_string(),
        }
    }

    fn pairs(&self) -> [(&str, &str); 7] {
        [
            ("min.insync.replicas", &self.min_insync_replicas),
            // A replica that missed acknowledged records must not become the leader: better no
            // leader than a log that lost its end.
            ("unclean.leader.election.enable", "false"),
            // Every record counts: none is a newer state of an older one.
            ("cleanup.policy", "delete"),
            ("retention.ms", &self.retention_ms),
            ("retention.bytes", "-1"),
            // As it was sent: a broker that compresses anew may do so in a way that no reader here
            // was built for.
            ("compression.type", "producer"),
            ("max.message.bytes", &self.max_message_bytes),
        ]
    }
}
