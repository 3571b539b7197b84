//! The error of a request to CAST.

use std::{fmt, sync::Arc};

use crate::{
    domain::BallotId,
    ports::{PortError, PortErrorKind},
};

/// A request failed because of CAST or a server that it needs. A request that is refused for what it
/// contains gets a [`Refusal`](crate::domain::Refusal) instead.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{kind}")]
pub struct Fault {
    kind: FaultKind,
    ballot: Option<BallotId>,
    /// Shared: one failed call may be the fault of all ballots of a flush.
    #[source]
    source: Option<Arc<PortError>>,
}

/// Whether the request may have had an effect, and what the client should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The intake is full, or the ballot waited in it for too long. Nothing happened: retry later.
    Overloaded,
    /// A server that is needed does not answer. The ballot was not counted: retry later.
    Unavailable,
    /// The ballot may or may not count. Retry with the same ballot id: it counts once.
    OutcomeUnknown,
    /// There is no valid ticket now: retry in a moment.
    NoTicket,
    /// Data or configuration is wrong. A retry cannot help; an operator finds the cause in the server's log.
    Internal,
}

impl Fault {
    /// A fault without a cause.
    pub const fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            ballot: None,
            source: None,
        }
    }

    /// Adds the id of the ballot.
    #[must_use]
    pub const fn about(mut self, ballot: BallotId) -> Self {
        self.ballot = Some(ballot);
        self
    }

    /// The same fault, for a ballot of which an earlier copy may count.
    pub(crate) const fn unknown(mut self) -> Self {
        self.kind = FaultKind::OutcomeUnknown;
        self
    }

    /// Whether the request may have had an effect, and what the client should do.
    pub const fn kind(&self) -> FaultKind {
        self.kind
    }

    /// The id of the ballot, to retry with.
    pub const fn ballot(&self) -> Option<BallotId> {
        self.ballot
    }

    /// The error of the port that caused it, for the log.
    pub fn port_error(&self) -> Option<&PortError> {
        self.source.as_deref()
    }

    /// Whether the same request may succeed later.
    pub const fn is_retryable(&self) -> bool {
        !matches!(self.kind, FaultKind::Internal)
    }

    /// The fault of a failed call that cannot have made a ballot count, even if it happened.
    pub(crate) fn of_harmless(error: impl Into<Arc<PortError>>) -> Self {
        let source = error.into();
        let kind = if source.is_transient() {
            FaultKind::Unavailable
        } else {
            FaultKind::Internal
        };
        Self {
            source: Some(source),
            ..Self::new(kind)
        }
    }

    /// The fault of a failed publish: the ballot counts if the publish happened.
    pub(crate) fn of_publish(error: impl Into<Arc<PortError>>) -> Self {
        let source = error.into();
        let kind = match source.kind() {
            PortErrorKind::Unavailable => FaultKind::Unavailable,
            PortErrorKind::OutcomeUnknown => FaultKind::OutcomeUnknown,
            PortErrorKind::Corrupt | PortErrorKind::Misconfigured => FaultKind::Internal,
        };
        Self {
            source: Some(source),
            ..Self::new(kind)
        }
    }
}

impl From<PortError> for Fault {
    fn from(error: PortError) -> Self {
        Self::of_harmless(error)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Overloaded => "Too many votes at once: try again",
            Self::Unavailable => "Temporarily unavailable: try again",
            Self::OutcomeUnknown => {
                "Whether the ballot counts is not known: send it again with the same ballot id"
            }
            Self::NoTicket => "No ticket is valid right now: try again",
            Self::Internal => "Internal error",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [PortErrorKind; 4] = [
        PortErrorKind::Unavailable,
        PortErrorKind::OutcomeUnknown,
        PortErrorKind::Corrupt,
        PortErrorKind::Misconfigured,
    ];

    fn error(kind: PortErrorKind) -> PortError {
        PortError::new(kind, "trying")
    }

    #[test]
    fn a_call_without_effect_on_votes_is_unavailable_or_internal() {
        use FaultKind::{Internal, Unavailable};
        let kinds = KINDS.map(|kind| Fault::of_harmless(error(kind)).kind());
        assert_eq!(kinds, [Unavailable, Unavailable, Internal, Internal]);
    }

    #[test]
    fn a_publish_with_an_unknown_outcome_is_outcome_unknown() {
        use FaultKind::{Internal, OutcomeUnknown, Unavailable};
        let kinds = KINDS.map(|kind| Fault::of_publish(error(kind)).kind());
        assert_eq!(kinds, [Unavailable, OutcomeUnknown, Internal, Internal]);
    }

    #[test]
    fn only_an_internal_fault_is_not_retryable() {
        use FaultKind::{Internal, NoTicket, OutcomeUnknown, Overloaded, Unavailable};
        let kinds = [Overloaded, Unavailable, OutcomeUnknown, NoTicket, Internal];
        let retryable = kinds.map(|kind| Fault::new(kind).is_retryable());
        assert_eq!(retryable, [true, true, true, true, false]);
    }

    #[test]
    fn the_message_says_what_to_do_and_hides_the_cause() {
        let fault = Fault::of_publish(PortError::outcome_unknown("publishing", "the cable"));
        assert!(fault.to_string().contains("send it again"), "{fault}");
        assert!(!fault.to_string().contains("cable"), "{fault}");
        let cause = fault.port_error().map(PortError::chain);
        assert_eq!(
            cause.as_deref(),
            Some("publishing: outcome unknown: the cable")
        );
        assert!(Fault::new(FaultKind::NoTicket).port_error().is_none());
    }
}
