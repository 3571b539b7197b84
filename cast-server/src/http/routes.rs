//! Which path leads where, and what every answer has.

use std::{panic::AssertUnwindSafe, pin::pin, sync::Arc};

use async_graphql::Executor;
use cast_core::ports::{Clock, Entropy};
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use poem::{Request, Response};
use tracing::{Instrument, Level};

use super::{
    graphql::{MediaType, error_response, masked_error},
    health,
    request_id::{self, RequestId},
    site::Site,
};
use crate::graphql::error::ErrorCode;

/// The root of the server.
pub(super) struct Routes<E> {
    pub(super) site: Arc<Site<E>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
}

impl<E: Executor> Routes<E> {
    /// Answers a request, whatever becomes of it.
    pub(super) async fn call(&self, mut request: Request) -> Response {
        let given = request.headers().get(request_id::HEADER);
        let id = RequestId::of(given, &*self.entropy);
        // Neither the query string nor a body is ever logged: they hold tickets.
        let span = tracing::debug_span!(
            "request",
            request_id = %id,
            method = %request.method(),
            route = route(request.uri().path())
        );
        let mut response = {
            // Pinned here, and the request lent: futures are copied when they are handed on, and
            // each would hold the request once more.
            let answer = pin!(self.answer(&mut request, &id));
            // A panic is our fault: it must neither take the connection's other requests with it
            // nor leave the client without an answer.
            let caught = AssertUnwindSafe(answer.instrument(span))
                .catch_unwind()
                .await;
            caught.unwrap_or_else(|_| internal_error(&id))
        };
        let name = HeaderName::from_static(request_id::HEADER);
        response.headers_mut().insert(name, id.into_header());
        response
    }

    async fn answer(&self, request: &mut Request, id: &RequestId) -> Response {
        let start = tracing::enabled!(Level::DEBUG).then(|| self.clock.monotonic());
        let response = self.dispatch(request, id).await;
        if let Some(start) = start {
            let elapsed = self.clock.monotonic().saturating_sub(start);
            tracing::debug!(status = response.status().as_u16(), ?elapsed, "answered");
        }
        response
    }

    async fn dispatch(&self, request: &mut Request, id: &RequestId) -> Response {
        let probe = matches!(*request.method(), Method::GET | Method::HEAD);
        match request.uri().path() {
            "/graphql" if self.site.has_graphql => self.graphql(request, id).await,
            "/livez" if probe => health::live(),
            "/healthz" | "/readyz" if probe => self.ready().await,
            "/livez" | "/healthz" | "/readyz" => method_not_allowed(),
            _ => error_response(
                MediaType::Json,
                StatusCode::NOT_FOUND,
                ErrorCode::BadUserInput,
                "There is nothing at this path: GraphQL is at /graphql",
            ),
        }
    }

    async fn graphql(&self, request: &mut Request, id: &RequestId) -> Response {
        let opened = self.site.opened();
        match opened.and_then(|opened| opened.graphql.as_ref()) {
            Some(graphql) => graphql.answer(request, id).await,
            None => error_response(
                MediaType::Json,
                StatusCode::SERVICE_UNAVAILABLE,
                ErrorCode::Unavailable,
                "The server is starting; try again in a moment",
            ),
        }
    }

    async fn ready(&self) -> Response {
        match self.site.opened() {
            None => health::waiting(&self.site.waits_for()),
            Some(opened) => match &opened.readiness {
                Some(readiness) => readiness.answer().await,
                None => health::live(),
            },
        }
    }
}

/// The path, if it is one of ours: a client's own words stay out of the log.
fn route(path: &str) -> &'static str {
    const ROUTES: [&str; 4] = ["/graphql", "/livez", "/healthz", "/readyz"];
    ROUTES
        .into_iter()
        .find(|route| *route == path)
        .unwrap_or("other")
}

fn method_not_allowed() -> Response {
    let mut response = error_response(
        MediaType::Json,
        StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::BadUserInput,
        "This path answers GET and HEAD",
    );
    let allowed = HeaderValue::from_static("GET, HEAD");
    response.headers_mut().insert(header::ALLOW, allowed);
    response
}

fn internal_error(id: &RequestId) -> Response {
    tracing::error!(request_id = %id, "a request panicked");
    masked_error(id)
}
