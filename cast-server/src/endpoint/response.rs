//! What a GraphQL answer looks like on the wire.

use async_graphql::{ServerError, Value};
use http::{HeaderValue, StatusCode, header};
use poem::Response;
use serde::Serialize;

use super::negotiation::MediaType;
use crate::protocol::{ErrorCode, RequestId};

/// How an answer is written: without `data` where nothing was executed.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
}

/// Most answers fit.
const TYPICAL_LEN: usize = 512;

/// An answer of the engine: `data`, perhaps with errors beside it.
pub(crate) fn executed(media_type: MediaType, data: &Value, errors: &[ServerError]) -> Response {
    let status = match media_type {
        MediaType::GraphqlResponse if !errors.is_empty() => partial_success(),
        _ => StatusCode::OK,
    };
    write(
        media_type,
        status,
        &Body {
            errors,
            data: Some(data),
        },
    )
}

/// An answer to a request that was well formed, and not executed.
///
/// `status` is what its media type lets it say: `application/json` always says 200.
pub(crate) fn request_error(
    media_type: MediaType,
    status: StatusCode,
    errors: &[ServerError],
) -> Response {
    let status = match media_type {
        MediaType::Json => StatusCode::OK,
        MediaType::GraphqlResponse => status,
    };
    write(media_type, status, &Body { errors, data: None })
}

/// An answer to what was no GraphQL request, or could not be answered as one.
pub(crate) fn error_response(
    media_type: MediaType,
    status: StatusCode,
    code: ErrorCode,
    message: &str,
) -> Response {
    let errors = &[code.server_error(message)];
    write(media_type, status, &Body { errors, data: None })
}

/// An answer to a request that we failed to answer: what happened is in the log, under its id.
pub(crate) fn masked_error(request: &RequestId) -> Response {
    let (errors, status) = (
        &[ErrorCode::masked(request)],
        StatusCode::INTERNAL_SERVER_ERROR,
    );
    write(MediaType::Json, status, &Body { errors, data: None })
}

/// `data` and `errors` together, by the standard's first edition.
fn partial_success() -> StatusCode {
    StatusCode::from_u16(294).expect("294 is a status")
}

fn write(media_type: MediaType, status: StatusCode, body: &Body<'_>) -> Response {
    let mut bytes = Vec::with_capacity(TYPICAL_LEN);
    serde_json::to_writer(&mut bytes, body).expect("a GraphQL value is JSON");
    let mut response = Response::default();
    response.set_status(status);
    response.set_body(bytes);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, media_type.header());
    // Tallies change with each vote, and `cas` hands out a ticket.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
