//! GraphQL over HTTP, by the draft of that name: a thin endpoint over an [`Engine`].
//!
//! | request | answer |
//! |---|---|
//! | `POST` with `application/json` | executed |
//! | `GET` | executed, if it is a query; otherwise 405 |
//! | other content types, among them all that a page of another origin may send without CORS | 415 |
//! | an `Accept` that allows neither of the two response types | 406 |
//! | a body that is too large, or does not arrive in time | 413, 408 |
//! | a body that is not JSON, or a list of requests | 400 |
//! | JSON that is not a GraphQL request | 422 |
//!
//! Under `application/json` every well-formed request gets a 200. Under
//! `application/graphql-response+json` a syntax error gets 400, an invalid document 422, and data with
//! errors 294.

use std::{pin::pin, sync::Arc, time::Duration};

use async_graphql::Executor;
use cast_core::{deadline::in_time, domain::Clock};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use poem::{Request, Response};

use super::{
    body::{self, BodyError},
    negotiation::{self, MediaType},
    request::{Malformed, Parameters, QueryString},
    response::{self, error_response},
};
use crate::{
    protocol::{ErrorCode, RequestId},
    schema::{
        engine::{Engine, Refused},
        error::finish,
    },
    telemetry::metrics::Metrics,
};

/// The limits of GraphQL requests.
#[derive(Clone, Debug)]
pub struct EndpointSettings {
    /// How long a request's body may take to arrive.
    pub body_deadline: Duration,
    /// How long executing it may take.
    pub request_deadline: Duration,
    /// The most bytes of a request's body.
    pub max_body_size: usize,
}

/// `/graphql`: serves an engine.
pub(super) struct GraphqlEndpoint<E> {
    engine: Engine<E>,
    clock: Arc<dyn Clock>,
    settings: EndpointSettings,
    metrics: Arc<Metrics>,
}

impl<E: Executor> GraphqlEndpoint<E> {
    pub(super) fn new(
        engine: Engine<E>,
        clock: Arc<dyn Clock>,
        settings: EndpointSettings,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            engine,
            clock,
            settings,
            metrics,
        }
    }

    pub(crate) async fn answer(&self, request: &mut Request, id: &RequestId) -> Response {
        let Some(media_type) = negotiation::accepted(request.headers()) else {
            return error_response(
                MediaType::Json,
                StatusCode::NOT_ACCEPTABLE,
                ErrorCode::BadUserInput,
                "Accept must allow application/graphql-response+json or application/json",
            );
        };
        match *request.method() {
            Method::POST => self.post(request, media_type, id).await,
            Method::GET => self.get(request, media_type, id).await,
            _ => not_allowed(
                media_type,
                "/graphql answers GET and POST only",
                "GET, POST",
            ),
        }
    }

    async fn get(&self, request: &Request, media_type: MediaType, id: &RequestId) -> Response {
        let Ok(query) = request.params::<QueryString>() else {
            let form = "the query string must have `query`, once and in UTF-8";
            return malformed(media_type, Malformed::Form(form.into()));
        };
        match query.parameters() {
            Ok(parameters) => self.execute(parameters, true, media_type, id).await,
            Err(error) => malformed(media_type, error),
        }
    }

    async fn post(&self, request: &mut Request, media_type: MediaType, id: &RequestId) -> Response {
        if !negotiation::is_json(request.headers()) {
            return error_response(
                media_type,
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                ErrorCode::BadUserInput,
                "Content-Type must be application/json, in UTF-8",
            );
        }
        let limit = self.settings.max_body_size;
        // A client that announces far too much need not send it.
        if content_length(request.headers()) > limit.saturating_mul(64) {
            return too_large(media_type, limit);
        }
        // Pinned here, and not moved on: futures are large, and would be copied each time.
        let reading = pin!(body::read(request.take_body(), limit));
        let body = match in_time(&*self.clock, self.settings.body_deadline, reading).await {
            Some(Ok(body)) => body,
            Some(Err(BodyError::TooLarge)) => return too_large(media_type, limit),
            Some(Err(BodyError::Broken)) => {
                let what = Malformed::Syntax("the body ended early".into());
                return malformed(media_type, what);
            }
            None => return too_slow(media_type),
        };
        match Parameters::from_json(&body) {
            Ok(parameters) => self.execute(parameters, false, media_type, id).await,
            Err(error) => malformed(media_type, error),
        }
    }

    async fn execute(
        &self,
        parameters: Parameters<'_>,
        read_only: bool,
        media_type: MediaType,
        id: &RequestId,
    ) -> Response {
        let Parameters {
            query,
            operation_name,
            variables,
        } = parameters;
        let name = operation_name.as_deref();
        let plan = match self.engine.plan(&query, name, read_only) {
            Ok(plan) => plan,
            Err(refused) => return refuse(media_type, &refused),
        };
        let is_mutation = plan.is_mutation();
        let execution = pin!(self.engine.execute(plan, &query, name, variables));
        // Dropping a vote is safe at any moment: before its flush it is withdrawn, afterwards it counts.
        // The same happens when a client closes the connection.
        match in_time(&*self.clock, self.settings.request_deadline, execution).await {
            Some(Ok(mut answer)) => {
                finish(&mut answer.errors, id);
                for code in answer.errors.iter().filter_map(ErrorCode::of) {
                    self.metrics.graphql_errors.count(code);
                }
                response::executed(media_type, &answer.data, &answer.errors)
            }
            Some(Err(refused)) => refuse(media_type, &refused),
            None => out_of_time(media_type, is_mutation),
        }
    }
}

fn content_length(headers: &HeaderMap) -> usize {
    headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .unwrap_or(0)
}

fn refuse(media_type: MediaType, refused: &Refused) -> Response {
    match refused {
        Refused::Parse(error) => {
            let errors = std::slice::from_ref(error);
            response::request_error(media_type, StatusCode::BAD_REQUEST, errors)
        }
        Refused::Validation(errors) => {
            response::request_error(media_type, StatusCode::UNPROCESSABLE_ENTITY, errors)
        }
        Refused::NotOverGet => not_allowed(media_type, "Mutations must be sent by POST", "POST"),
    }
}

fn not_allowed(media_type: MediaType, message: &str, allowed: &'static str) -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut response = error_response(media_type, status, ErrorCode::BadUserInput, message);
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

fn malformed(media_type: MediaType, error: Malformed) -> Response {
    let (status, message) = match error {
        Malformed::Syntax(what) => (StatusCode::BAD_REQUEST, what),
        Malformed::Form(what) => (StatusCode::UNPROCESSABLE_ENTITY, what),
    };
    let message = format!("Not a GraphQL request: {message}");
    error_response(media_type, status, ErrorCode::BadUserInput, &message)
}

fn too_large(media_type: MediaType, limit: usize) -> Response {
    let message = format!("The body is larger than {limit} bytes");
    let status = StatusCode::PAYLOAD_TOO_LARGE;
    let response = error_response(media_type, status, ErrorCode::BadUserInput, &message);
    closing(response)
}

fn too_slow(media_type: MediaType) -> Response {
    closing(error_response(
        media_type,
        StatusCode::REQUEST_TIMEOUT,
        ErrorCode::Unavailable,
        "The body did not arrive in time",
    ))
}

fn out_of_time(media_type: MediaType, is_mutation: bool) -> Response {
    let (code, message) = if is_mutation {
        let message = "No result in time: it is not known whether the ballot counts. If you sent a \
                       `ballotId`, send the same ballot again; without one it may count twice.";
        (ErrorCode::OutcomeUnknown, message)
    } else {
        (ErrorCode::Unavailable, "No result in time: try again")
    };
    error_response(media_type, StatusCode::GATEWAY_TIMEOUT, code, message)
}

/// The rest of the request is not read, so the connection cannot be used again.
fn closing(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
