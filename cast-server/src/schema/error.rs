//! What a client is told when something goes wrong.

use async_graphql::{Error, ServerError, Value};
use cast_core::{Fault, FaultKind, domain::BallotId};

use crate::protocol::{ErrorCode, RequestId, error_code::set_request_id};

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
