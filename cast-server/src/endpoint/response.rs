//! GraphQL responses.

use async_graphql::{ServerError, Value};
use http::{HeaderValue, StatusCode, header};
use poem::Response;
use serde::Serialize;

use super::negotiation::MediaType;
use crate::protocol::{ErrorCode, RequestId, error_code::set_request_id};

/// A response's body: without `data` if nothing was executed.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
}

/// Most responses fit.
const TYPICAL_LEN: usize = 512;

/// The response to an executed request: `data`, perhaps with errors.
pub(super) fn executed(media_type: MediaType, data: &Value, errors: &[ServerError]) -> Response {
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

/// The response to a request that was not executed.
pub(super) fn rejected(
    media_type: MediaType,
    status: StatusCode,
    errors: &[ServerError],
) -> Response {
    write(media_type, status, &Body { errors, data: None })
}

/// The response to what is not a GraphQL request, or could not be executed.
pub(super) fn error_response(
    media_type: MediaType,
    status: StatusCode,
    code: ErrorCode,
    message: &str,
) -> Response {
    rejected(media_type, status, &[code.server_error(message)])
}

/// The response after an internal error: what happened is in the log, under the request's id.
pub(super) fn masked_error(request: &RequestId) -> Response {
    let mut error = ErrorCode::Internal.server_error("Internal error");
    set_request_id(&mut error, request);
    rejected(MediaType::Json, StatusCode::INTERNAL_SERVER_ERROR, &[error])
}

/// The draft's status for `data` with `errors`.
fn partial_success() -> StatusCode {
    StatusCode::from_u16(294).expect("294 is a status")
}

fn write(media_type: MediaType, status: StatusCode, body: &Body<'_>) -> Response {
    let mut bytes = Vec::with_capacity(TYPICAL_LEN);
    serde_json::to_writer(&mut bytes, body).expect("a GraphQL value is JSON");
    uncached(status, media_type.content_type(), bytes)
}

/// A response that no cache keeps: tallies change with each vote, `cas` returns a ticket, and health and
/// metrics are those of now.
pub(super) fn uncached(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<poem::Body>,
) -> Response {
    let mut response = Response::default();
    response.set_status(status);
    response.set_body(body);
    let headers = response.headers_mut();
    let (content_type, no_store) = (
        HeaderValue::from_static(content_type),
        HeaderValue::from_static("no-store"),
    );
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CACHE_CONTROL, no_store);
    response
}
