//! The body of a GraphQL request: a document, and perhaps variables and the name of an operation.

use async_graphql::parser::parse_query;
use cast_server::schema::{DocumentLimits, MAX_DEPTH, MAX_NESTING, MAX_ROOT_FIELDS};
use serde_json::Value;

use super::{
    limits::{self, Limits},
    server,
};

/// In the messages with which a text is refused before it is parsed.
const TEXT_REFUSALS: [&str; 3] = [
    " bytes, and may have ",
    " nests brackets deeper than ",
    " has a block string without an end",
];

/// A request gets the same response when it is repeated, once its document is known to the server. A
/// document that reaches the parser is within the limit of nesting, one that reaches the engine within all.
pub(crate) fn check(body: &[u8]) {
    let (status, reply) = server::post(body);
    assert!(status < 500, "{status} {reply}");
    let (status_again, again) = server::post(body);
    assert_eq!(status_again, status);
    assert_eq!(server::comparable(again), server::comparable(reply.clone()));
    let reached = reached(&reply);
    // The server does not decode the fields that it ignores, and bytes there need not be UTF-8.
    let (true, Ok(request)) = (reached.parser, serde_json::from_slice::<Value>(body)) else {
        return;
    };
    let text = request["query"].as_str().expect("it was parsed");
    let document = parse_query(text).expect("it was parsed");
    assert!(limits::nesting(&document) <= MAX_NESTING);
    if reached.engine {
        let limits = Limits {
            root_fields: MAX_ROOT_FIELDS,
            depth: MAX_DEPTH,
            cost: DocumentLimits::default().max_cost,
        };
        limits::assert_within(&document, limits);
    }
}

/// What a document got to.
struct Reached {
    /// It was parsed, and there is no syntax error.
    parser: bool,
    /// It was validated or executed.
    engine: bool,
}

/// The engine names the location of each error that its validation finds; the checks before it do not.
fn reached(reply: &Value) -> Reached {
    if reply.get("data").is_some() {
        return Reached {
            parser: true,
            engine: true,
        };
    }
    let errors = reply["errors"].as_array().map_or(&[][..], |errors| errors);
    let is_of_text = |error: &Value| {
        let message = error["message"].as_str().unwrap_or_default();
        TEXT_REFUSALS.iter().any(|part| message.contains(part))
    };
    let is_invalid = !errors.is_empty()
        && errors
            .iter()
            .all(|error| error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED");
    Reached {
        parser: is_invalid && !errors.iter().any(is_of_text),
        engine: is_invalid && errors.iter().all(|error| error.get("locations").is_some()),
    }
}
