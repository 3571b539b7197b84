//! The log in Apache Kafka.
//!
//! A topic is the log, its partitions are the log's, and a message's value is a
//! [record](crate::record). `docs/record.md` documents it for other programs.
//!
//! # What is promised
//!
//! - An acknowledged record is on as many replicas as the topic's `min.insync.replicas` says: the
//!   producer is idempotent and uses `acks=all`. With three replicas, two of which must acknowledge, and
//!   no unclean election ([`create_topic`] creates such a topic), a broker may be lost with its disk.
//!   A single broker acknowledges from its memory: an acknowledged record survives the broker's process,
//!   and not the loss of power.
//! - A record that failed before it was handed to the client is reported as unavailable. One that failed
//!   later has an unknown outcome, whatever the error says: the client retries by itself, and the first
//!   attempt may have arrived.
//! - A consumer resumes at the store's position, in the log that has the store's last ballot. The offsets
//!   that the group committed are only there so that lag metrics are right.
//! - A record that is damaged, or in an unsupported format, is an error and is never skipped:
//!   `read_error` decides what each error of the client means.
//!
//! # How it is built
//!
//! ```text
//! publish ──▶ Producer ──▶ Sender (one client; replaced after a fatal error)
//!                             └── also queries the cluster: Topic, cluster
//! subscribe ▶ KafkaSubscription ◀── Assignments ◀── Reader (a thread; its own client)
//! ```
//!
//! Architecture invariant: no method of a port blocks its thread. Blocking calls of the client run in
//! tokio's pool for blocking calls if they have a timeout, and on detached threads otherwise.
//!
//! Architecture invariant: the reading thread keeps polling while the consumer applies batches. A
//! consumer that applies a batch for an hour stays a member of its group, and loses its partitions only
//! to a rebalance.
//!
//! # A topic that grew
//!
//! The number of partitions decides the partition of each ballot, so it must not change. Each record
//! names the number that it was written for, and a server that starts compares the newest record with
//! the topic. An operator who adds partitions on purpose confirms it with [`KafkaOptions::partitions`].

mod admin;
mod blocking;
mod client_settings;
mod cluster;
mod connection;
mod connection_error;
mod consumer;
mod context;
mod create_topic;
mod error;
mod newest_record;
mod numbers;
mod options;
mod producer;
mod read_error;
#[cfg(feature = "kafka-tls")]
mod security;
mod topic;
mod topic_settings;
mod url;

use std::sync::Arc;

use async_trait::async_trait;
use cast_core::{
    domain::{Partitions, Record},
    ports::{
        EventBus, GroupName, PartitionLag, PortError, PortErrorKind, Published, ResumeFrom,
        Subscription,
    },
};

use self::{connection::Connection, consumer::KafkaSubscription};

pub use create_topic::{TopicOptions, create_topic};
pub use options::{GroupProtocol, KafkaOptions};
pub use url::KafkaUrlError;

/// An [`EventBus`] in a topic of Apache Kafka.
///
/// After it is dropped, a background thread still sends the records that were published and not yet
/// acknowledged; [`flush`](Self::flush) waits for that.
pub struct KafkaBus {
    connection: Connection,
}

impl KafkaBus {
    /// The log that `options` name. It connects with the first call, so processes may start before their
    /// brokers. Needs a tokio runtime.
    ///
    /// If a call is dropped while it waits for the connection, the next call continues the attempt.
    pub fn open(options: KafkaOptions) -> Self {
        Self {
            connection: Connection::new(options),
        }
    }

    /// Connects to the leaders of all partitions, so that the first voter does not wait for it.
    ///
    /// It takes about a second, until the cluster has given the producer an id.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](cast_core::ports::PortErrorKind::Unavailable) if no broker answers or a partition
    /// has no leader: try again.
    /// [`Misconfigured`](cast_core::ports::PortErrorKind::Misconfigured) if the topic does not exist, has
    /// the wrong number of partitions, has settings that lose records, or this client may not use it;
    /// the error says what to do.
    pub async fn connect(options: KafkaOptions) -> Result<Self, PortError> {
        let bus = Self::open(options);
        bus.connection.topic().await?;
        Ok(bus)
    }

    /// Waits until every published record is acknowledged or has failed, including those whose caller
    /// has stopped waiting.
    ///
    /// # Errors
    ///
    /// [`OutcomeUnknown`](cast_core::ports::PortErrorKind::OutcomeUnknown) if a record has no outcome
    /// after the delivery timeout.
    pub async fn flush(&self) -> Result<(), PortError> {
        let Some(topic) = self.connection.established() else {
            return Ok(());
        };
        let sender = topic.producer.sender();
        let flushed = blocking::run(move || sender.flush()).await;
        flushed.map_err(|error| error.with_operation("flushing the producer"))
    }
}

#[async_trait]
impl EventBus for KafkaBus {
    async fn partitions(&self) -> Result<Partitions, PortError> {
        self.connection.topic().await?.partitions().await
    }

    async fn publish(&self, records: &[Record]) -> Vec<Result<Published, PortError>> {
        match self.connection.topic().await {
            Ok(topic) => topic.producer.publish(records).await,
            // Nothing was sent, whatever the connection failed with.
            Err(error) => {
                let error = Arc::new(error);
                let unsent = |_| Err(unsent(&error));
                records.iter().map(unsent).collect()
            }
        }
    }

    async fn subscribe(
        &self,
        group: &GroupName,
        max_ballots: usize,
        resume: Arc<dyn ResumeFrom>,
    ) -> Result<Box<dyn Subscription>, PortError> {
        // A topic that grew is an error here: its consumers would read on and hide it.
        let topic = self.connection.topic().await?;
        topic.partitions().await?;
        let member = KafkaSubscription::join(topic, group.clone(), max_ballots, resume).await?;
        Ok(Box::new(member))
    }

    async fn lag(&self, group: &GroupName) -> Result<Vec<PartitionLag>, PortError> {
        self.connection.topic().await?.lag(group).await
    }
}

/// The error of each record if there is no connection.
fn unsent(why: &Arc<PortError>) -> PortError {
    let kind = match why.kind() {
        PortErrorKind::OutcomeUnknown => PortErrorKind::Unavailable,
        other => other,
    };
    PortError::new(kind, "publishing ballots").because(Arc::clone(why))
}
