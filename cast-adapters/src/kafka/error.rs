//! The errors of this adapter, and the port error that each becomes.

use cast_core::{
    domain::{LogFingerprint, Offset, Partition},
    ports::{PortError, PortErrorKind},
};
use rdkafka::{error::KafkaError, types::RDKafkaErrorCode as Code};

use super::connection_error::ConnectionError;
use crate::record::EncodeError;

/// The text says what an operator can do, where there is something to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The settings are invalid, or the machine has no threads left.
    #[error("could not create the Kafka client: {0}")]
    Client(KafkaError),
    /// A query, which changes nothing.
    #[error("{0}")]
    Ask(KafkaError),
    /// A query that no broker answered, probably because there is no connection.
    #[error("no answer from a broker; the last connection error: {0}")]
    Unreachable(ConnectionError),
    /// The record was not handed to the client.
    #[error("the record was not sent: {0}")]
    Enqueue(KafkaError),
    /// The record was handed to the client, and may be in the log.
    #[error("the record was not acknowledged: {0}")]
    Delivery(KafkaError),
    #[error("the producer was closed before the record was acknowledged")]
    Abandoned,
    /// The producer had a fatal error, and its successor is not created yet.
    #[error("the producer had a fatal error and is being recreated: {0}")]
    ProducerDied(String),
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(
        "there is no partition {}: this log has {partitions} partitions, counted from 0. All servers \
         must use the same number of partitions", .partition.get()
    )]
    NoSuchPartition {
        partition: Partition,
        partitions: u32,
    },
    #[error(
        "there is no topic {topic}. Create it with its final number of partitions: \
         `cast-server migrate`, or \
         kafka-topics.sh --bootstrap-server {brokers} --create --topic {topic} --partitions 12 \
         --replication-factor 3 --config min.insync.replicas=2 \
         --config unclean.leader.election.enable=false"
    )]
    NoTopic { topic: String, brokers: String },
    #[error("partition {partition} of the topic {topic} has no leader at the moment")]
    NoLeader { topic: String, partition: i32 },
    #[error(
        "the topic {topic} has {found} partitions, and {expected} are expected ({why}). The number of \
         partitions decides the partition of each ballot, so all servers must use the same. If {found} \
         is a mistake, name the right topic. If it was raised on purpose: stop all API servers, let the \
         consumers reach the end of the log, wait until no voter retries an old ballot, and start every \
         server with partitions={found}"
    )]
    PartitionsChanged {
        topic: String,
        found: u32,
        expected: u32,
        why: &'static str,
    },
    #[error(
        "the consumer must resume partition {} at offset {}, but the partition ends at {}: the store \
         belongs to another log, or this log has lost its end. Start with the matching log and store; \
         docs/AUDIT.md says what to do if this log is to be used from now on",
        .partition.get(), .from.get(), .end.get()
    )]
    BeyondEnd {
        partition: Partition,
        from: Offset,
        end: Offset,
    },
    #[error(
        "the consumer must resume partition {} at offset {}, but the records before {} are gone: start \
         with a newer backup of the store, and raise the topic's retention.ms for the next time",
        .partition.get(), .from.get(), .start.get()
    )]
    BeforeStart {
        partition: Partition,
        from: Offset,
        start: Offset,
    },
    #[error(
        "partition {} does not have the ballot {} at offset {}, where the store applied it: this is not \
         the log that the store was folded from, or it lost its end and was written to again. Nothing \
         of it was applied. Name the matching topic and store; docs/AUDIT.md says what to do if this \
         log is to be used from now on",
        .partition.get(), .fingerprint.ballot, .fingerprint.offset.get()
    )]
    LogMismatch {
        partition: Partition,
        fingerprint: LogFingerprint,
    },
    /// The bytes of some records are not those that were written.
    #[error(
        "the log is damaged ({0}), and no record after that is read: let an intact replica lead the \
         partition; docs/AUDIT.md says what to do if there is none"
    )]
    Damaged(String),
    #[error(
        "the log has records in a format that this program does not support ({0}): set the topic's \
         compression.type=producer. Records that are there already stay as they are; a server whose \
         client supports the format reads them (for zstd, one built with the feature zstd of the crate \
         rdkafka)"
    )]
    UnsupportedFormat(String),
    #[error(
        "the log has a batch that is too large for this program ({0}), and that another program wrote: \
         set the topic's max.message.bytes to its default; docs/AUDIT.md says what to do about the \
         batches that are there already"
    )]
    TooLargeToRead(String),
    /// Found out while reading; [`Self::BeyondEnd`] and [`Self::BeforeStart`] are found out before.
    #[error(
        "the log no longer has the next record ({0}): retention removed it before it was read, or the \
         end of the log was cut off"
    )]
    PositionLost(String),
    #[error("the log cannot be read: {0}")]
    Read(KafkaError),
    #[error("the reading thread ended")]
    ReaderDied,
    #[error("the cluster did not answer in time")]
    TimedOut,
    #[error("the topic could not be created: {0}")]
    CreateTopic(Code),
    #[error("the settings of the topic could not be read: {0}")]
    DescribeTopic(Code),
    #[error("the topic {topic} has {setting}={value}, and {why}: set {setting}={instead}")]
    TopicSetting {
        topic: String,
        setting: &'static str,
        value: String,
        instead: &'static str,
        why: &'static str,
    },
}

impl Error {
    /// The port error of `operation`, with this error as its source.
    pub(super) fn with_operation(self, operation: &'static str) -> PortError {
        PortError::new(self.kind(), operation).because(self)
    }

    /// Whether it is about the records of the log, and not about a broker.
    pub(super) const fn is_of_records(&self) -> bool {
        matches!(
            self,
            Self::Damaged(_) | Self::UnsupportedFormat(_) | Self::TooLargeToRead(_)
        )
    }

    fn kind(&self) -> PortErrorKind {
        use PortErrorKind::{Corrupt, Misconfigured, OutcomeUnknown, Unavailable};

        match self {
            Self::Delivery(_) | Self::Abandoned => OutcomeUnknown,
            Self::Encode(_) | Self::Damaged(_) => Corrupt,
            Self::Enqueue(error) => match error.rdkafka_error_code() {
                Some(Code::MessageSizeTooLarge) => Corrupt,
                Some(Code::UnknownPartition | Code::UnknownTopic) => Misconfigured,
                _ => Unavailable,
            },
            Self::Client(_)
            | Self::NoSuchPartition { .. }
            | Self::NoTopic { .. }
            | Self::PartitionsChanged { .. }
            | Self::BeyondEnd { .. }
            | Self::BeforeStart { .. }
            | Self::LogMismatch { .. }
            | Self::UnsupportedFormat(_)
            | Self::TooLargeToRead(_)
            | Self::PositionLost(_)
            | Self::TopicSetting { .. } => Misconfigured,
            Self::Ask(error) | Self::Read(error) => of_code(error.rdkafka_error_code()),
            Self::CreateTopic(code) | Self::DescribeTopic(code) => of_code(Some(*code)),
            Self::Unreachable(_)
            | Self::NoLeader { .. }
            | Self::ProducerDied(_)
            | Self::ReaderDied
            | Self::TimedOut => Unavailable,
        }
    }
}

/// The kind of a refusal: whether Kafka will refuse the same request again.
fn of_code(code: Option<Code>) -> PortErrorKind {
    if code.is_some_and(needs_operator) {
        PortErrorKind::Misconfigured
    } else {
        PortErrorKind::Unavailable
    }
}

/// Whether a partition is electing a leader, which takes a moment.
pub(super) const fn is_changing_leader(code: Code) -> bool {
    matches!(
        code,
        Code::NotLeaderForPartition
            | Code::LeaderNotAvailable
            | Code::ReplicaNotAvailable
            | Code::UnknownTopicOrPartition
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
    )
}

/// Whether an error persists until an operator changes the configuration.
pub(super) const fn needs_operator(code: Code) -> bool {
    matches!(
        code,
        Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::UnsupportedVersion
            | Code::UnsupportedFeature
            | Code::InvalidTopic
            | Code::InvalidPartitions
            | Code::InvalidReplicationFactor
            | Code::InvalidConfig
            | Code::PolicyViolation
            | Code::InvalidGroupId
            | Code::InvalidSessionTimeout
            | Code::InconsistentGroupProtocol
            | Code::UnknownTopicOrPartition
            | Code::UnknownTopic
            | Code::UnknownPartition
    )
}
