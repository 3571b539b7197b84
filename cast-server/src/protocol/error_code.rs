//! The codes of errors, and errors marked with them.

use async_graphql::{Error, ErrorExtensionValues, ServerError, Value};
use cast_core::FaultKind;

use super::{request_id::RequestId, text_enum::text_enum};

text_enum! {
    /// Names what went wrong, in `extensions.code`.
    ErrorCode {
        Overloaded = "OVERLOADED",
        Unavailable = "UNAVAILABLE",
        OutcomeUnknown = "OUTCOME_UNKNOWN",
        NoTicket = "NO_TICKET",
        BadUserInput = "BAD_USER_INPUT",
        CountTooLarge = "COUNT_TOO_LARGE",
        ParseFailed = "GRAPHQL_PARSE_FAILED",
        ValidationFailed = "GRAPHQL_VALIDATION_FAILED",
        Internal = "INTERNAL_SERVER_ERROR",
    }
}

impl ErrorCode {
    /// The code that an error is marked with. Errors of our resolvers are; the engine's are not until
    /// `mark_bare`.
    pub(crate) fn of(error: &ServerError) -> Option<Self> {
        let marked = error.extensions.as_ref()?.get("code")?;
        let is_it = |code: &Self| matches!(marked, Value::String(text) if text == code.as_str());
        Self::ALL.into_iter().find(is_it)
    }

    /// Whether the same request may succeed later.
    pub(crate) const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Overloaded | Self::Unavailable | Self::OutcomeUnknown | Self::NoTicket
        )
    }

    /// An error of a request, not of a field.
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
        for error in errors.iter_mut().filter(|error| Self::of(error).is_none()) {
            self.mark(&mut error.extensions);
        }
    }

    pub(crate) fn mark(self, extensions: &mut Option<ErrorExtensionValues>) {
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

pub(crate) fn set_request_id(error: &mut ServerError, request: &RequestId) {
    let extensions = error.extensions.get_or_insert_default();
    extensions.set("requestId", request.as_str());
}
