//! What goes wrong in Kafka, and what that means to a port.

use cast_core::{
    domain::{LogFingerprint, Offset, Partition},
    ports::{BoxError, PortError, PortErrorKind},
};
use rdkafka::{error::KafkaError, types::RDKafkaErrorCode as Code};

use crate::record::EncodeError;

/// Something went wrong while doing something.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) operation: &'static str,
    pub(super) error: Error,
}

/// What went wrong. Its text says what somebody can do about it, where somebody can.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The settings cannot work, or the machine has no threads left.
    #[error("the client cannot be made: {0}")]
    Client(KafkaError),
    /// A question that changes nothing, however it ended.
    #[error("{0}")]
    Ask(KafkaError),
    /// A record never left.
    #[error("the record was not sent: {0}")]
    Enqueue(KafkaError),
    /// A record left, and may have arrived.
    #[error("the record was not acknowledged: {0}")]
    Delivery(KafkaError),
    /// The producer went away with a record in its hands.
    #[error("the producer was closed before the record was acknowledged")]
    Abandoned,
    /// The producer cannot be used any more, and a new one is not there yet.
    #[error("the producer died and is made anew: {0}")]
    ProducerDied(String),
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(
        "there is no partition {}: this log has {partitions}, counted from 0; everything that uses \
         it must be set up for as many", .partition.get()
    )]
    NoSuchPartition {
        partition: Partition,
        partitions: u32,
    },
    #[error(
        "there is no topic {topic}; make it, with as many partitions as it is ever to have: \
         `cast-server migrate`, or \
         kafka-topics.sh --bootstrap-server {brokers} --create --topic {topic} --partitions 12 \
         --replication-factor 3 --config min.insync.replicas=2 \
         --config unclean.leader.election.enable=false"
    )]
    NoTopic { topic: String, brokers: String },
    /// Some partition has no leader at this moment.
    #[error("partition {partition} of {topic} has no leader now")]
    NoLeader { topic: String, partition: i32 },
    #[error(
        "the topic {topic} has {found} partitions, and {expected} are expected ({why}). Their number \
         decides where a ballot belongs, so every server must agree on it. If {found} is a mistake, \
         name the right topic. If it was raised on purpose: stop all doors, let the consumers come \
         to the end of the log, wait until no voter sends an old ballot again, and start every \
         server with partitions={found}"
    )]
    PartitionsChanged {
        topic: String,
        found: u32,
        expected: u32,
        why: &'static str,
    },
    #[error(
        "partition {} is to be read from offset {}, but it ends at {}: the store belongs to another \
         log, or this one has lost its end. Start with the right one of both; docs/AUDIT.md says what \
         to do if this is the log to go on with",
        .partition.get(), .from.get(), .end.get()
    )]
    BehindTheEnd {
        partition: Partition,
        from: Offset,
        end: Offset,
    },
    #[error(
        "partition {} is to be read from offset {}, but its records before {} are gone: start with \
         a newer backup of the store, and raise the topic's retention.ms for the next time",
        .partition.get(), .from.get(), .start.get()
    )]
    BeforeTheStart {
        partition: Partition,
        from: Offset,
        start: Offset,
    },
    #[error(
        "partition {} does not have the ballot {} at offset {}, where the store took it in: it is not \
         the log that was folded, or it has lost its end since and was written on. Nothing of it was \
         read. Name the right topic and the right store; docs/AUDIT.md says what to do if this is the \
         log to go on with",
        .partition.get(), .fingerprint.ballot, .fingerprint.offset.get()
    )]
    AnotherLog {
        partition: Partition,
        fingerprint: LogFingerprint,
    },
    /// Some records are there, and are not what was written.
    #[error(
        "the log is damaged ({0}), and nothing behind that is read: let a sound replica lead its \
         partition; docs/AUDIT.md says what to do if there is none"
    )]
    Damaged(String),
    /// Some records are there, in a form that this client does not know.
    #[error(
        "the log has records in a form that is not read here ({0}): set the topic's \
         compression.type=producer. What was written before stays as it is; a server whose client \
         knows the form reads it (for zstd, one built with the feature zstd of the crate rdkafka)"
    )]
    ForeignForm(String),
    #[error(
        "the log has a batch that is too large to be read here ({0}): somebody else wrote it; set the \
         topic's max.message.bytes to its default, and see docs/AUDIT.md about what is there already"
    )]
    TooLargeToRead(String),
    /// The log no longer has what comes next, found out while reading.
    #[error(
        "the log no longer has what comes next ({0}): its retention passed this reader, or it was \
         cut off behind it"
    )]
    PositionLost(String),
    #[error("the log cannot be read: {0}")]
    Read(KafkaError),
    #[error("the reading thread ended")]
    ReaderDied,
    #[error("no answer in time")]
    TimedOut,
    /// Asked of an administrator.
    #[error("the topic cannot be made: {0}")]
    CreateTopic(Code),
    #[error("the topic is not described: {0}")]
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
    /// This error of `operation`, as the port tells it.
    pub(super) fn while_(self, operation: &'static str) -> PortError {
        Failure {
            operation,
            error: self,
        }
        .into()
    }

    /// Whether it is about what the log has, and not about who is asked for it.
    pub(super) const fn is_of_records(&self) -> bool {
        matches!(
            self,
            Self::Damaged(_) | Self::ForeignForm(_) | Self::TooLargeToRead(_)
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
            | Self::BehindTheEnd { .. }
            | Self::BeforeTheStart { .. }
            | Self::AnotherLog { .. }
            | Self::ForeignForm(_)
            | Self::TooLargeToRead(_)
            | Self::PositionLost(_)
            | Self::TopicSetting { .. } => Misconfigured,
            Self::Ask(error) | Self::Read(error) => of_code(error.rdkafka_error_code()),
            Self::CreateTopic(code) | Self::DescribeTopic(code) => of_code(Some(*code)),
            Self::NoLeader { .. } | Self::ProducerDied(_) | Self::ReaderDied | Self::TimedOut => {
                Unavailable
            }
        }
    }
}

/// Whether what Kafka refused it will refuse again.
fn of_code(code: Option<Code>) -> PortErrorKind {
    if code.is_some_and(needs_somebody) {
        PortErrorKind::Misconfigured
    } else {
        PortErrorKind::Unavailable
    }
}

/// Whether a partition is changing its leader: the brokers agree on the next one in a moment.
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

/// Whether an error stays until somebody changes the setup.
pub(super) const fn needs_somebody(code: Code) -> bool {
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

impl From<Failure> for PortError {
    fn from(Failure { operation, error }: Failure) -> Self {
        Self::new(error.kind(), operation).because(BoxError::from(error))
    }
}
