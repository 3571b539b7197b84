//! The log in Apache Kafka.
//!
//! A topic is the log, its partitions are the log's, and a message's value is a
//! [record](crate::record). `docs/record.md` tells others how to read it.
//!
//! # What is promised
//!
//! - What was acknowledged is on as many replicas as the topic's `min.insync.replicas` asks for:
//!   the producer asks for all replicas in sync and is idempotent. With three replicas, two of which
//!   must acknowledge, and no unclean election ([`create_topic`] makes such a topic), a broker may
//!   be lost with its disk. A single broker acknowledges from its memory: what it acknowledged
//!   survives its process, and not the loss of power.
//! - What failed before it was handed to the client is told as unavailable. What failed later is of
//!   unknown outcome, whatever the error says: the client tries again by itself, and the first try
//!   may have arrived.
//! - A reader starts where the store is, in the log that has the store's last ballot. What the group
//!   committed is for the lag alone.
//! - A record that is damaged, or in a form that the client does not know, is told and never stepped
//!   over: `verdict` decides what each error of the client means.
//!
//! # How it is built
//!
//! ```text
//! publish ──▶ Producer ──▶ Sender (one client; replaced when it dies)
//!                             └── answers questions too: Topic, cluster
//! subscribe ▶ KafkaSubscription ◀── Holdings ◀── Reader (a thread; its own client)
//! ```
//!
//! Architecture invariant: no method of a port blocks its thread. The client's calls that wait for a
//! broker run elsewhere, those that end by themselves in tokio's pool, those that may not on threads
//! that nobody waits for.
//!
//! Architecture invariant: the reading thread polls whatever becomes of what it read. A consumer that
//! folds for an hour stays a member of its group, and loses its partitions only to a rebalance.
//!
//! # A topic that grew
//!
//! The number of partitions decides where a ballot belongs, so it is for good. Each record says for
//! how many it was written, and a server that starts compares the newest with the topic. Whoever adds
//! partitions on purpose says so with [`KafkaOptions::partitions`].

mod blocking;
mod cluster;
mod connection;
mod consumer;
mod context;
mod create;
mod error;
mod inspect;
mod newest;
mod options;
mod producer;
#[cfg(feature = "kafka-tls")]
mod security;
mod settings;
mod topic;
mod url;
mod verdict;

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

pub use create::{TopicOptions, create_topic};
pub use options::{GroupProtocol, KafkaOptions, KafkaUrlError};

/// An [`EventBus`] in a topic of Apache Kafka.
///
/// Dropping it sends what was handed to it and is still on its way, in the background;
/// [`flush`](Self::flush) waits for that.
pub struct KafkaBus {
    connection: Connection,
}

impl KafkaBus {
    /// The log that `options` name; connects to it with the first call, so that processes may start
    /// before their brokers. Needs a tokio runtime.
    ///
    /// A call that gives up waiting for the connection leaves the attempt to the next one.
    pub fn open(options: KafkaOptions) -> Self {
        Self {
            connection: Connection::new(options),
        }
    }

    /// Connects to the leaders of all partitions, so that the first voter does not wait for it.
    ///
    /// It takes about a second: the cluster hands out producers' ids no sooner.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](cast_core::ports::PortErrorKind::Unavailable) where no broker answers or some
    /// partition has no leader: try again.
    /// [`Misconfigured`](cast_core::ports::PortErrorKind::Misconfigured) where there is no such topic,
    /// it has another number of partitions than it must have, its settings lose records, or this
    /// client may not use it; the error says what to do.
    pub async fn connect(options: KafkaOptions) -> Result<Self, PortError> {
        let bus = Self::open(options);
        bus.connection.topic().await?;
        Ok(bus)
    }

    /// Waits until all that was handed to it has an outcome, also what nobody waits for any more.
    ///
    /// # Errors
    ///
    /// [`OutcomeUnknown`](cast_core::ports::PortErrorKind::OutcomeUnknown) where something is still on
    /// its way after the delivery timeout.
    pub async fn flush(&self) -> Result<(), PortError> {
        let Some(topic) = self.connection.established() else {
            return Ok(());
        };
        let sender = topic.producer().sender();
        let flushed = blocking::run(move || sender.flush()).await;
        flushed.map_err(|error| error.while_("sending what is left"))
    }
}

#[async_trait]
impl EventBus for KafkaBus {
    async fn partitions(&self) -> Result<Partitions, PortError> {
        self.connection.topic().await?.partitions().await
    }

    async fn publish(&self, records: &[Record]) -> Vec<Result<Published, PortError>> {
        match self.connection.topic().await {
            Ok(topic) => topic.producer().publish(records).await,
            // Nothing was sent, whatever kept us from connecting.
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
        // A reader of a topic that grew would read, and hide it.
        let topic = self.connection.topic().await?;
        topic.partitions().await?;
        let member = KafkaSubscription::join(topic, group.clone(), max_ballots, resume).await?;
        Ok(Box::new(member))
    }

    async fn lag(&self, group: &GroupName) -> Result<Vec<PartitionLag>, PortError> {
        self.connection.topic().await?.lag(group).await
    }
}

/// What is said of each record where there is no connection.
fn unsent(why: &Arc<PortError>) -> PortError {
    let kind = match why.kind() {
        PortErrorKind::OutcomeUnknown => PortErrorKind::Unavailable,
        other => other,
    };
    PortError::new(kind, "publishing ballots").because(Arc::clone(why))
}
