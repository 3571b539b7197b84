//! The laws of a request's body.

use super::request::Parameters;
use crate::schema::fuzzing::is_answered_alike;

/// The body of a request: a document, and perhaps variables and an operation's name.
///
/// See [`document`](crate::schema::fuzzing::document) for the laws.
pub fn graphql_request(bytes: &[u8]) {
    let Ok(parameters) = Parameters::from_json(bytes) else {
        return;
    };
    let operation = parameters.operation_name.as_deref();
    is_answered_alike(&parameters.query, operation, &parameters.variables);
}
