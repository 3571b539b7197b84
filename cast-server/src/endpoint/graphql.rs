//! GraphQL over HTTP, by the draft of that name: a thin endpoint over an engine.
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

use std::pin::pin;

use async_graphql::{Executor, ServerError};
use cast_core::deadline::in_time;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use poem::{Request, Response};

use super::{
    app_state::AppState,
    body::{self, BodyError},
    negotiation::{self, MediaType},
    request::{Malformed, Parameters, QueryString},
    response::{self, error_response},
};
use crate::{
    protocol::{ErrorCode, RequestId},
    schema::{Answer, Engine, Refused, error::finish},
};

/// Why there is no result.
struct RequestRejection {
    status: StatusCode,
    errors: Vec<ServerError>,
    /// Whether it is a GraphQL request: under `application/json` each gets a 200.
    is_well_formed: bool,
    header: Option<(HeaderName, &'static str)>,
}

impl<E: Executor> AppState<E> {
    /// `/graphql`.
    pub(super) async fn graphql(&self, request: &mut Request, id: &RequestId) -> Response {
        let Some(engine) = self.engine() else {
            return error_response(
                MediaType::Json,
                StatusCode::SERVICE_UNAVAILABLE,
                ErrorCode::Unavailable,
                "The server is starting; try again in a moment",
            );
        };
        let Some(media_type) = negotiation::accepted(request.headers()) else {
            return error_response(
                MediaType::Json,
                StatusCode::NOT_ACCEPTABLE,
                ErrorCode::BadUserInput,
                "Accept must allow application/graphql-response+json or application/json",
            );
        };
        let answer = match *request.method() {
            Method::POST => self.post(engine, request).await,
            Method::GET => self.get(engine, request).await,
            _ => Err(not_allowed(
                "/graphql answers GET and POST only",
                "GET, POST",
            )),
        };
        match answer {
            Ok(mut answer) => {
                finish(&mut answer.errors, id);
                for code in answer.errors.iter().filter_map(ErrorCode::of) {
                    self.metrics.graphql_errors.count(code);
                }
                response::executed(media_type, &answer.data, &answer.errors)
            }
            Err(rejection) => rejection.response(media_type),
        }
    }

    async fn get(&self, engine: &Engine<E>, request: &Request) -> Result<Answer, RequestRejection> {
        let query = request.params::<QueryString>().map_err(|_| {
            let form = "the query string must have `query`, once and in UTF-8";
            Malformed::Form(form.into())
        })?;
        self.execute(engine, query.parameters()?, true).await
    }

    async fn post(
        &self,
        engine: &Engine<E>,
        request: &mut Request,
    ) -> Result<Answer, RequestRejection> {
        if !negotiation::is_json(request.headers()) {
            let message = "Content-Type must be application/json, in UTF-8";
            return Err(bad_input(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        let limit = self.settings.max_body_size;
        // A client that announces far too much need not send it.
        if content_length(request.headers()) > limit.saturating_mul(64) {
            return Err(too_large(limit));
        }
        // Pinned here, and not moved on: futures are large, and would be copied each time.
        let reading = pin!(body::read(request.take_body(), limit));
        let body = match in_time(&*self.clock, self.settings.body_deadline, reading).await {
            Some(Ok(body)) => body,
            Some(Err(BodyError::TooLarge)) => return Err(too_large(limit)),
            Some(Err(BodyError::Broken)) => {
                return Err(Malformed::Syntax("the body ended early".into()).into());
            }
            None => {
                let (status, code) = (StatusCode::REQUEST_TIMEOUT, ErrorCode::Unavailable);
                let too_slow = rejection(status, code, "The body did not arrive in time");
                return Err(closing(too_slow));
            }
        };
        let parameters = Parameters::from_json(&body)?;
        self.execute(engine, parameters, false).await
    }

    async fn execute(
        &self,
        engine: &Engine<E>,
        parameters: Parameters<'_>,
        read_only: bool,
    ) -> Result<Answer, RequestRejection> {
        let Parameters {
            query,
            operation_name,
            variables,
        } = parameters;
        let name = operation_name.as_deref();
        let plan = engine.plan(&query, name, read_only)?;
        let is_mutation = plan.is_mutation;
        let execution = pin!(engine.execute(plan, &query, name, variables));
        // Dropping a vote is safe at any moment: before its flush it is withdrawn, afterwards it counts.
        // The same happens when a client closes the connection.
        match in_time(&*self.clock, self.settings.request_deadline, execution).await {
            Some(executed) => Ok(executed?),
            None => Err(out_of_time(is_mutation)),
        }
    }
}

fn content_length(headers: &HeaderMap) -> usize {
    headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .unwrap_or(0)
}

impl RequestRejection {
    fn response(self, media_type: MediaType) -> Response {
        let status = match media_type {
            MediaType::Json if self.is_well_formed => StatusCode::OK,
            _ => self.status,
        };
        let mut response = response::rejected(media_type, status, &self.errors);
        if let Some((name, value)) = self.header {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        response
    }
}

fn rejection(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> RequestRejection {
    RequestRejection {
        status,
        errors: vec![code.server_error(message)],
        is_well_formed: false,
        header: None,
    }
}

fn bad_input(status: StatusCode, message: impl Into<String>) -> RequestRejection {
    rejection(status, ErrorCode::BadUserInput, message)
}

/// The rest of the request is not read, so the connection cannot be used again.
fn closing(rejection: RequestRejection) -> RequestRejection {
    RequestRejection {
        header: Some((header::CONNECTION, "close")),
        ..rejection
    }
}

fn not_allowed(message: &str, allowed: &'static str) -> RequestRejection {
    RequestRejection {
        header: Some((header::ALLOW, allowed)),
        ..bad_input(StatusCode::METHOD_NOT_ALLOWED, message)
    }
}

fn too_large(limit: usize) -> RequestRejection {
    let message = format!("The body is larger than {limit} bytes");
    closing(bad_input(StatusCode::PAYLOAD_TOO_LARGE, message))
}

fn out_of_time(is_mutation: bool) -> RequestRejection {
    let (code, message) = if is_mutation {
        let message = "No result in time: it is not known whether the ballot counts. If you sent a \
                       `ballotId`, send the same ballot again; without one it may count twice.";
        (ErrorCode::OutcomeUnknown, message)
    } else {
        (ErrorCode::Unavailable, "No result in time: try again")
    };
    rejection(StatusCode::GATEWAY_TIMEOUT, code, message)
}

impl From<Malformed> for RequestRejection {
    fn from(error: Malformed) -> Self {
        let (status, what) = match error {
            Malformed::Syntax(what) => (StatusCode::BAD_REQUEST, what),
            Malformed::Form(what) => (StatusCode::UNPROCESSABLE_ENTITY, what),
        };
        bad_input(status, format!("Not a GraphQL request: {what}"))
    }
}

impl From<Refused> for RequestRejection {
    fn from(refused: Refused) -> Self {
        let (status, errors) = match refused {
            Refused::Parse(error) => (StatusCode::BAD_REQUEST, vec![error]),
            Refused::Validation(errors) => (StatusCode::UNPROCESSABLE_ENTITY, errors),
            Refused::NotOverGet => return not_allowed("Mutations must be sent by POST", "POST"),
        };
        Self {
            status,
            errors,
            is_well_formed: true,
            header: None,
        }
    }
}
