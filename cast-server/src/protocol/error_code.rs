//! The codes of errors, and errors marked with them.

use async_graphql::{Error, ErrorExtensionValues, ServerError, Value};
use cast_core::FaultKind;

use super::{labels::labels, request_id::RequestId};

labels! {
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
    /// The code that an error was marked with, if it was.
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
        for error in errors.iter_mut().filter(|error| !has_code(error)) {
            self.mark(&mut error.extensions);
        }
    }

    /// The error of an internal failure: its cause is in the log, under the request's id.
    pub(crate) fn masked(request: &RequestId) -> ServerError {
        let mut error = Self::Internal.server_error("Internal error");
        set_request_id(&mut error, request);
        error
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

/// Whether a resolver of ours made the error, and not the engine.
pub(crate) fn has_code(error: &ServerError) -> bool {
    error
        .extensions
        .as_ref()
        .is_some_and(|extensions| extensions.get("code").is_some())
}

pub(crate) fn set_request_id(error: &mut ServerError, request: &RequestId) {
    let extensions = error.extensions.get_or_insert_default();
    extensions.set("requestId", request.as_str());
}
