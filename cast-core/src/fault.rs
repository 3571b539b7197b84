//! What a caller of CAST is told when something is wrong on our side.

use std::{fmt, sync::Arc};

use crate::{
    domain::BallotId,
    ports::{PortError, PortErrorKind},
};

/// Something is wrong on our side. An expected no is a [`Refusal`](crate::domain::Refusal) instead.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{kind}")]
pub struct Fault {
    kind: FaultKind,
    ballot: Option<BallotId>,
    /// Shared: one failed flush is the fault of all its ballots.
    #[source]
    source: Option<Arc<PortError>>,
}

/// What to do about a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The intake is full, or the ballot waited too long in it: nothing happened, try again later.
    Overloaded,
    /// A server that is needed does not answer: this attempt did not count, try again later.
    Unavailable,
    /// The ballot may count or not: send the same ballot with the same id again, it counts once.
    OutcomeUnknown,
    /// No ticket is good now: try again in a moment.
    NoTicket,
    /// Somebody has to look at the log of the server.
    Internal,
}

impl Fault {
    /// A fault without a cause beneath.
    pub const fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            ballot: None,
            source: None,
        }
    }

    /// Names the ballot that it is about.
    #[must_use]
    pub const fn about(mut self, ballot: BallotId) -> Self {
        self.ballot = Some(ballot);
        self
    }

    /// The same, where an earlier attempt may have counted.
    pub(crate) const fn unknown(mut self) -> Self {
        self.kind = FaultKind::OutcomeUnknown;
        self
    }

    /// What it is.
    pub const fn kind(&self) -> FaultKind {
        self.kind
    }

    /// The ballot that it is about; to be sent again with this id.
    pub const fn ballot(&self) -> Option<BallotId> {
        self.ballot
    }

    /// The error of the port beneath, for the log.
    pub fn port_error(&self) -> Option<&PortError> {
        self.source.as_deref()
    }

    /// Whether the same request may succeed later.
    pub const fn is_retryable(&self) -> bool {
        !matches!(self.kind, FaultKind::Internal)
    }

    /// The fault of a call that changed nothing a voter cares for, however it ended.
    pub(crate) fn of_harmless(error: impl Into<Arc<PortError>>) -> Self {
        let source = error.into();
        let kind = if source.is_transient() {
            FaultKind::Unavailable
        } else {
            FaultKind::Internal
        };
        Self {
            kind,
            ballot: None,
            source: Some(source),
        }
    }

    /// The fault of a call after which a ballot may count.
    pub(crate) fn of_publish(error: impl Into<Arc<PortError>>) -> Self {
        let source = error.into();
        let kind = match source.kind() {
            PortErrorKind::Unavailable => FaultKind::Unavailable,
            PortErrorKind::OutcomeUnknown => FaultKind::OutcomeUnknown,
            PortErrorKind::Corrupt | PortErrorKind::Misconfigured => FaultKind::Internal,
        };
        Self {
            kind,
            ballot: None,
            source: Some(source),
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
                "Whether the ballot counts is not known: send it again with the same ballotId"
            }
            Self::NoTicket => "No ticket is good right now: try again",
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
    fn what_harms_nobody_is_unavailable_however_it_ended_or_internal() {
        use FaultKind::{Internal, Unavailable};
        let kinds = KINDS.map(|kind| Fault::of_harmless(error(kind)).kind());
        assert_eq!(kinds, [Unavailable, Unavailable, Internal, Internal]);
    }

    #[test]
    fn after_a_publish_what_is_not_known_is_said_to_be_unknown() {
        use FaultKind::{Internal, OutcomeUnknown, Unavailable};
        let kinds = KINDS.map(|kind| Fault::of_publish(error(kind)).kind());
        assert_eq!(kinds, [Unavailable, OutcomeUnknown, Internal, Internal]);
    }

    #[test]
    fn only_what_somebody_has_to_look_at_is_not_retryable() {
        use FaultKind::{Internal, NoTicket, OutcomeUnknown, Overloaded, Unavailable};
        let kinds = [Overloaded, Unavailable, OutcomeUnknown, NoTicket, Internal];
        let retryable = kinds.map(|kind| Fault::new(kind).is_retryable());
        assert_eq!(retryable, [true, true, true, true, false]);
    }

    #[test]
    fn a_voter_is_told_what_to_do_and_the_log_what_lies_beneath() {
        let fault = Fault::of_publish(PortError::outcome_unknown("publishing", "the cable"));
        assert!(fault.to_string().contains("send it again"), "{fault}");
        assert!(!fault.to_string().contains("cable"), "{fault}");
        let beneath = fault.port_error().map(PortError::chain);
        assert_eq!(
            beneath.as_deref(),
            Some("publishing: outcome unknown: the cable")
        );
        assert!(Fault::new(FaultKind::NoTicket).port_error().is_none());
    }
}
