//! Classifies the errors that the client reports while it reads.
//!
//! The client reports a code and continues by itself: after some codes at the same offset, after others
//! at a later one, and after some not at all. Only its source code says which code does what, so every
//! code that a consumer can get is classified here:
//!
//! | code | comes from | the client then | so it is |
//! |---|---|---|---|
//! | `BadMessage` | a batch with a wrong checksum | **skips the batch** | corrupt |
//! | `BadCompression` | a batch that cannot be decompressed | fetches it again | corrupt |
//! | `InvalidMessage`, `InvalidMessageSize` | a broker that finds its own copy damaged | fetches again | corrupt |
//! | `NotImplemented` | a codec that was not compiled in, or a batch of an unknown version | fetches again, or **skips the batch** | misconfigured |
//! | `UnsupportedCompressionType`, `UnsupportedForMessageFormat` | a broker that cannot convert a batch for this client | fetches again | misconfigured |
//! | `MessageSizeTooLarge`, `MessageBatchTooLarge` | a batch larger than the fetch limit | fetches again | misconfigured |
//! | `AutoOffsetReset`, `OffsetOutOfRange`, `NoOffset`, `LogTruncation` | an offset that the log does not have | stops | misconfigured |
//! | [`needs_operator`](super::error::needs_operator) | a broker that refuses: a permission, a topic, a group | retries, or stops | misconfigured |
//! | [`is_transient`] | a broker that is away or has moved; a rebalance | retries, at the same offset | no error |
//! | any other | unknown | unknown | unavailable |
//!
//! After an error all partitions of the consumer resume at the store's positions, and no record is
//! applied that may have come after a gap.

use rdkafka::{error::KafkaError, types::RDKafkaErrorCode as Code};

use super::error::Error;

/// A codec for topics that this client is built without.
pub(super) const UNSUPPORTED_CODEC: &str = "zstd";

/// The error that ends the reading; `None` if the client continues at the same offset. `reason` is the
/// text that the client gave with the error.
pub(super) fn classify(error: &KafkaError, reason: String) -> Option<Error> {
    use Code::{
        AutoOffsetReset, BadCompression, BadMessage, InvalidMessage, InvalidMessageSize,
        LogTruncation, MessageBatchTooLarge, MessageSizeTooLarge, NoOffset, NotImplemented,
        OffsetOutOfRange, UnsupportedCompressionType, UnsupportedForMessageFormat,
    };

    let is_fatal = matches!(error, KafkaError::MessageConsumptionFatal(_));
    match error.rdkafka_error_code() {
        Some(BadMessage | BadCompression | InvalidMessage | InvalidMessageSize) => {
            Some(Error::Damaged(reason))
        }
        Some(NotImplemented | UnsupportedCompressionType | UnsupportedForMessageFormat) => {
            Some(Error::UnsupportedFormat(reason))
        }
        Some(MessageSizeTooLarge | MessageBatchTooLarge) => Some(Error::TooLargeToRead(reason)),
        Some(AutoOffsetReset | OffsetOutOfRange | NoOffset | LogTruncation) => {
            Some(Error::PositionLost(reason))
        }
        Some(code) if !is_fatal && is_transient(code) => None,
        // The end of a partition is reported only on request; it is not an error, and has no code.
        None if matches!(error, KafkaError::PartitionEOF(_)) => None,
        _ => Some(Error::Read(error.clone())),
    }
}

/// Whether the client recovers by itself, at the same offset.
const fn is_transient(code: Code) -> bool {
    matches!(
        code,
        // A broker that is away, slow, or busy with itself.
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::BrokerDestroy
            | Code::DestroyBroker
            | Code::NodeUpdate
            | Code::Resolve
            | Code::SSL
            | Code::Authentication
            | Code::MessageTimedOut
            | Code::OperationTimedOut
            | Code::TimedOutQueue
            | Code::RequestTimedOut
            | Code::NetworkException
            | Code::BrokerNotAvailable
            | Code::KafkaStorageError
            | Code::ThrottlingQuotaExceeded
            | Code::RebootstrapRequired
            | Code::Retry
            // A partition that changes its leader.
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::ReplicaNotAvailable
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            | Code::OffsetNotAvailable
            | Code::UnknownTopicId
            | Code::PreferredLeaderNotAvailable
            | Code::ReassignmentInProgress
            | Code::FetchSessionIdNotFound
            | Code::InvalidFetchSessionEpoch
            // A rebalance. A member that is removed gets a revocation of its partitions.
            | Code::WaitingForCoordinator
            | Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::NotCoordinator
            | Code::RebalanceInProgress
            | Code::IllegalGeneration
            | Code::UnknownMemberId
            | Code::MemberIdRequired
            | Code::FencedMemberEpoch
            | Code::StaleMemberEpoch
            | Code::UnreleasedInstanceId
            | Code::GroupMaxSizeReached
            | Code::AssignmentLost
            | Code::PollExceeded
            | Code::UnstableOffsetCommit
            | Code::InProgress
            | Code::PreviousInProgress
    )
}

#[cfg(test)]
mod tests {
    use cast_core::ports::PortErrorKind;

    use super::*;

    fn classified(code: Code) -> Option<PortErrorKind> {
        let error = classify(&KafkaError::MessageConsumption(code), "why".into())?;
        Some(error.with_operation("reading").kind())
    }

    #[test]
    fn an_error_after_which_the_client_may_skip_a_batch_ends_the_reading() {
        use PortErrorKind::{Corrupt, Misconfigured, Unavailable};

        for (code, kind) in [
            (Code::BadMessage, Corrupt),
            (Code::BadCompression, Corrupt),
            (Code::InvalidMessage, Corrupt),
            (Code::NotImplemented, Misconfigured),
            (Code::UnsupportedCompressionType, Misconfigured),
            (Code::MessageSizeTooLarge, Misconfigured),
            (Code::OffsetOutOfRange, Misconfigured),
            (Code::TopicAuthorizationFailed, Misconfigured),
            (Code::UnknownTopicOrPartition, Misconfigured),
            (Code::UnknownTopic, Misconfigured),
            // An unknown code is an error, and the partitions are read again.
            (Code::Unknown, Unavailable),
            (Code::Fail, Unavailable),
            (Code::InvalidRecord, Unavailable),
        ] {
            assert_eq!(classified(code), Some(kind), "{code:?}");
        }
    }

    #[test]
    fn an_error_that_the_client_recovers_from_is_ignored_unless_it_is_fatal() {
        for code in [
            Code::AllBrokersDown,
            Code::NotLeaderForPartition,
            Code::UnknownLeaderEpoch,
            Code::PollExceeded,
        ] {
            assert_eq!(classified(code), None, "{code:?}");
            let fatal = KafkaError::MessageConsumptionFatal(code);
            assert!(classify(&fatal, String::new()).is_some(), "{code:?}");
        }
        assert!(classify(&KafkaError::PartitionEOF(0), String::new()).is_none());
    }
}
