//! What an error means that a reader of the log is told of.
//!
//! The client tells a code and goes on by itself: after some at the same place, after others at a
//! later one, and after some not at all. Which code does what is in its sources alone, so each that a
//! reader can be told of is decided on here:
//!
//! | code | comes from | the client then | so it is |
//! |---|---|---|---|
//! | `BadMessage` | a batch whose check sum is wrong | **steps over the batch** | corrupt |
//! | `BadCompression` | a batch that cannot be decompressed | asks for it again | corrupt |
//! | `InvalidMessage`, `InvalidMessageSize` | a broker that finds its own copy damaged | asks again | corrupt |
//! | `NotImplemented` | a codec that was not built in, or a batch of an unknown version | asks again, or **steps over it** | misconfigured |
//! | `UnsupportedCompressionType`, `UnsupportedForMessageFormat` | a broker that cannot give a batch in a form for this client | asks again | misconfigured |
//! | `MessageSizeTooLarge`, `MessageBatchTooLarge` | a batch larger than what may be fetched | asks again | misconfigured |
//! | `AutoOffsetReset`, `OffsetOutOfRange`, `NoOffset`, `LogTruncation` | a place that the log does not have | stops | misconfigured |
//! | what [needs somebody](needs_somebody) | a broker that refuses: a permission, a topic, a group | asks again, or stops | misconfigured |
//! | [what passes](passes) | a broker that is away or has moved; a group that changes | tries again, at the same place | no error |
//! | any other | nothing that is known | who knows | unavailable |
//!
//! Whatever is an error here ends what is being read: the places are asked for anew, and nothing is
//! taken in that may have come after a gap.

use rdkafka::{error::KafkaError, types::RDKafkaErrorCode as Code};

use super::error::{Error, needs_somebody};

/// What a topic may be compressed with that this client was not built for.
pub(super) const UNREADABLE_CODEC: &str = "zstd";

/// Why the log cannot be read on; `None` if the client reads on by itself. The client's reason is
/// what it said with the error.
pub(super) fn of(error: &KafkaError, reason: String) -> Option<Error> {
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
            Some(Error::ForeignForm(reason))
        }
        Some(MessageSizeTooLarge | MessageBatchTooLarge) => Some(Error::TooLargeToRead(reason)),
        Some(AutoOffsetReset | OffsetOutOfRange | NoOffset | LogTruncation) => {
            Some(Error::PositionLost(reason))
        }
        Some(code) if !is_fatal && !needs_somebody(code) && passes(code) => None,
        // The end of a partition, where it is asked for, is no error, and has no code.
        None if matches!(error, KafkaError::PartitionEOF(_)) => None,
        _ => Some(Error::Read(error.clone())),
    }
}

/// Whether the client gets over it by itself, without its place having moved.
const fn passes(code: Code) -> bool {
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
            // A partition on its way to another leader.
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::ReplicaNotAvailable
            | Code::OffsetNotAvailable
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            | Code::UnknownTopicId
            | Code::PreferredLeaderNotAvailable
            | Code::ReassignmentInProgress
            | Code::FetchSessionIdNotFound
            | Code::InvalidFetchSessionEpoch
            // A group that changes. Who is thrown out is told that its partitions are gone.
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

    fn verdict(code: Code) -> Option<PortErrorKind> {
        let error = of(&KafkaError::MessageConsumption(code), "why".into())?;
        Some(error.while_("reading").kind())
    }

    #[test]
    fn what_the_client_steps_over_is_never_taken_as_reading_on() {
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
            // What nobody has decided on is told and read anew.
            (Code::Unknown, Unavailable),
            (Code::Fail, Unavailable),
            (Code::InvalidRecord, Unavailable),
        ] {
            assert_eq!(verdict(code), Some(kind), "{code:?}");
        }
    }

    #[test]
    fn what_the_client_gets_over_is_no_error_unless_it_is_fatal() {
        for code in [
            Code::AllBrokersDown,
            Code::NotLeaderForPartition,
            Code::PollExceeded,
        ] {
            assert_eq!(verdict(code), None, "{code:?}");
            let fatal = KafkaError::MessageConsumptionFatal(code);
            assert!(of(&fatal, String::new()).is_some(), "{code:?}");
        }
        assert!(of(&KafkaError::PartitionEOF(0), String::new()).is_none());
    }
}
