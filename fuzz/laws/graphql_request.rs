//! The body of a GraphQL request: a document, and perhaps variables and the name of an operation.

use async_graphql::parser::parse_query;
use cast_server::schema::DocumentLimits;
use serde_json::Value;

use super::{
    limits::{self, Limits},
    server,
};

/// A request gets the same response when it is repeated, once its document is known to the server. A
/// document that is executed is within the limits.
pub(crate) fn check(body: &[u8]) {
    let (status, reply) = server::post(body);
    assert!(status < 500, "{status} {reply}");
    assert_eq!(server::post(body), (status, reply.clone()));
    if reply.get("data").is_none() {
        return;
    }
    // The server does not decode the fields that it ignores, and bytes there need not be UTF-8.
    let Ok(request) = serde_json::from_slice::<Value>(body) else {
        return;
    };
    let text = request["query"].as_str().expect("it was executed");
    let document = parse_query(text).expect("it was executed");
    let max = DocumentLimits::default();
    assert!(limits::nesting(&document) <= max.max_nesting);
    limits::assert_within(
        &document,
        Limits {
            root_fields: max.max_root_fields,
            depth: max.max_depth,
            cost: max.max_cost,
        },
    );
}
