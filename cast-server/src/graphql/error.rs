//! What a client is told when something goes wrong.

use async_graphql::{Error, ErrorExtensionValues, ServerError, Value};
use cast_core::{Fault, FaultKind, domain::BallotId};

use crate::http::RequestId;

/// Names what went wrong, in `extensions.code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorCode {
    Overloaded,
    Unavailable,
    OutcomeUnknown,
    NoTicket,
    BadUserInput,
    CountTooLarge,
    ParseFailed,
    ValidationFailed,
    Internal,
}

impl ErrorCode {
    /// All of them, in the order above.
    pub(crate) const ALL: [Self; 9] = [
        Self::Overloaded,
        Self::Unavailable,
        Self::OutcomeUnknown,
        Self::NoTicket,
        Self::BadUserInput,
        Self::CountTooLarge,
        Self::ParseFailed,
        Self::ValidationFailed,
        Self::Internal,
    ];

    /// The code that an error was marked with, if it was.
    pub(crate) fn of(error: &ServerError) -> Option<Self> {
        let marked = error.extensions.as_ref()?.get("code")?;
        let is_it = |code: &Self| matches!(marked, Value::String(text) if text == code.as_str());
        Self::ALL.into_iter().find(is_it)
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Overloaded => "OVERLOADED",
            Self::Unavailable => "UNAVAILABLE",
            Self::OutcomeUnknown => "OUTCOME_UNKNOWN",
            Self::NoTicket => "NO_TICKET",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::CountTooLarge => "COUNT_TOO_LARGE",
            Self::ParseFailed => "GRAPHQL_PARSE_FAILED",
            Self::ValidationFailed => "GRAPHQL_VALIDATION_FAILED",
            Self::Internal => "INTERNAL_SERVER_ERROR",
        }
    }

    /// Whether the same request may succeed later.
    pub(crate) const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Overloaded | Self::Unavailable | Self::OutcomeUnknown | Self::NoTicket
        )
    }

    /// An error that nobody's field raised.
    pub(crate) fn server_error(self, message: impl Into<String>) -> ServerError {
        let mut error = ServerError::new(message, None);
        self.mark(&mut error.extensions);
        error
    }

    /// An error of a field.
    pub(crate) fn field_error(self, message: impl Into<String>) -> Error {
        let mut error = Error::new(message);
        self.mark(&mut error.extensions);
        error
    }

    /// Marks errors that came without a code.
    pub(crate) fn mark_bare(self, errors: &mut [ServerError]) {
        for error in errors.iter_mut().filter(|error| !has_code(error)) {
            self.mark(&mut error.extensions);
        }
    }

    /// What a client is told of what only the log may tell: where to look for it there.
    pub(crate) fn masked(request: &RequestId) -> ServerError {
        let mut error = Self::Internal.server_error("Internal error");
        set_request_id(&mut error, request);
        error
    }

    fn mark(self, extensions: &mut Option<ErrorExtensionValues>) {
        let extensions = extensions.get_or_insert_default();
        extensions.set("code", self.as_str());
        extensions.set("retryable", self.is_retryable());
    }
}

impl From<FaultKind> for ErrorCode {
    fn from(kind: FaultKind) -> Self {
        match kind {
            FaultKind::Overloaded => Self::Overloaded,
            FaultKind::Unavailable => Self::Unavailable,
            FaultKind::OutcomeUnknown => Self::OutcomeUnknown,
            FaultKind::NoTicket => Self::NoTicket,
            FaultKind::Internal => Self::Internal,
        }
    }
}

/// Whether a resolver of ours made the error, and not the engine.
pub(crate) fn has_code(error: &ServerError) -> bool {
    error
        .extensions
        .as_ref()
        .is_some_and(|extensions| extensions.get("code").is_some())
}

/// A fault as the error of a field. Its message is that of its kind; what lies beneath stays with
/// the error until [`finish`] logs it.
pub(crate) fn of_fault(fault: Fault) -> Error {
    let code = ErrorCode::from(fault.kind());
    let ballot = fault.ballot();
    let mut error = Error::new_with_source(fault);
    code.mark(&mut error.extensions);
    if let (Some(ballot), Some(extensions)) = (ballot, &mut error.extensions) {
        extensions.set("ballotId", Value::String(ballot.to_string()));
    }
    error
}

/// What a client did wrong with an argument, as the error of a field.
pub(crate) fn of_input(message: impl Into<String>) -> Error {
    ErrorCode::BadUserInput.field_error(message)
}

/// That an accepted ballot's tallies do not fit where they are asked for. It says all that a voter
/// needs: whoever looks at errors only must not take the ballot for lost, and vote anew.
pub(crate) fn of_uncountable(ballot: BallotId) -> Error {
    let message = "The ballot counts, but a tally does not fit an Int: ask for `tallies`";
    let mut error = ErrorCode::CountTooLarge.field_error(message);
    let extensions = error.extensions.get_or_insert_default();
    extensions.set("ballotId", Value::String(ballot.to_string()));
    error
}

/// Last touches before errors leave: each gets a code; a fault that somebody has to look into is
/// logged, once, under the request's id, and the client is told that id and no more.
pub(crate) fn finish(errors: &mut [ServerError], request: &RequestId) {
    // Without a code it is the engine's, and says that an argument is wrong.
    ErrorCode::BadUserInput.mark_bare(errors);
    for error in errors {
        let Some(fault) = error.source::<Fault>() else {
            continue;
        };
        let cause = fault.port_error().map(cast_core::ports::PortError::chain);
        let ballot = fault.ballot().map(tracing::field::display);
        match fault.kind() {
            FaultKind::Internal => {
                tracing::error!(request_id = %request, ballot, cause, "internal error");
                set_request_id(error, request);
            }
            // Whoever lost a server says so once; each of its requests need not.
            _ => {
                tracing::debug!(request_id = %request, ballot, cause, kind = %fault.kind(), "fault");
            }
        }
    }
}

fn set_request_id(error: &mut ServerError, request: &RequestId) {
    let extensions = error.extensions.get_or_insert_default();
    extensions.set("requestId", request.as_str());
}
