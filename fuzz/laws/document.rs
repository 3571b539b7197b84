//! The text of a GraphQL document.

use serde_json::json;

use super::graphql_request;

/// The laws of a request, for a document without variables.
pub(crate) fn check(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let body = json!({ "query": text }).to_string();
        graphql_request::check(body.as_bytes());
    }
}
