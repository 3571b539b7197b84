//! Errors as a client gets them.

use async_graphql::{Error, ServerError, Value};
use cast_core::{Fault, FaultKind, domain::BallotId};

use crate::protocol::{ErrorCode, RequestId, error_code::set_request_id};

/// A fault as the error of a field. Its message is that of its kind; its causes stay with the error
/// until [`finish`] logs them.
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

/// A wrong argument, as the error of a field.
pub(crate) fn of_input(message: impl Into<String>) -> Error {
    ErrorCode::BadUserInput.field_error(message)
}

/// The error of an accepted ballot whose tallies do not fit an `Int`. A client that looks at errors only
/// must not take the ballot for lost and vote again: so it says that the ballot counts.
pub(crate) fn of_uncountable(ballot: BallotId) -> Error {
    let message = "The ballot counts, but a tally does not fit an Int: ask for `tallies`";
    let mut error = ErrorCode::CountTooLarge.field_error(message);
    let extensions = error.extensions.get_or_insert_default();
    extensions.set("ballotId", Value::String(ballot.to_string()));
    error
}

/// Prepares errors for the client: each gets a code; an internal fault is logged, once, under the
/// request's id, and the client gets that id and no more.
pub(crate) fn finish(errors: &mut [ServerError], request: &RequestId) {
    // An error without a code is the engine's, about an argument.
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
            // An outage is logged once by the port that has it, not for each request.
            _ => {
                tracing::debug!(request_id = %request, ballot, cause, kind = %fault.kind(), "fault");
            }
        }
    }
}
