//! Which path leads where, and what every answer has.

use std::{panic::AssertUnwindSafe, pin::pin, sync::Arc};

use async_graphql::Executor;
use cast_core::ports::{Clock, Entropy};
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use poem::{Request, Response};
use tracing::{Instrument, Level};

use super::{
    health::{self, Readiness},
    negotiation::MediaType,
    response::{error_response, masked_error},
    scrape::{self, Scrape},
    site::Site,
};
use crate::{
    protocol::{ErrorCode, RequestId, Route, request_id},
    telemetry::{metrics::Metrics, traces},
};

/// The root of the server.
pub(crate) struct Routes<E> {
    pub(crate) site: Arc<Site<E>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) scrape: Scrape,
    pub(crate) metrics: Arc<Metrics>,
}

impl<E: Executor> Routes<E> {
    /// Answers a request, whatever becomes of it.
    pub(crate) async fn call(&self, mut request: Request) -> Response {
        let given = request.headers().get(request_id::HEADER);
        let id = RequestId::of(given, &*self.entropy);
        let (route, start) = (Route::of(request.uri().path()), self.clock.monotonic());
        // Neither the query string nor a body is ever logged: they hold tickets.
        let span = tracing::debug_span!(
            "request",
            request_id = %id,
            method = %request.method(),
            route = route.as_str()
        );
        let trace = traces::request(request.headers(), route, &id);
        let mut response = {
            // Pinned here, and the request lent: futures are copied when they are handed on, and
            // each would hold the request once more.
            let answer = pin!(self.answer(&mut request, route, &id));
            let answer = traces::within(&trace, answer);
            // A panic is our fault: it must neither take the connection's other requests with it
            // nor leave the client without an answer.
            let caught = AssertUnwindSafe(answer.instrument(span))
                .catch_unwind()
                .await;
            caught.unwrap_or_else(|_| internal_error(&id))
        };
        let took = self.clock.monotonic().saturating_sub(start);
        let status = response.status().as_u16();
        self.metrics.http.answered(route, status, took);
        trace.answered(status);
        let name = HeaderName::from_static(request_id::HEADER);
        response.headers_mut().insert(name, id.into_header());
        response
    }

    async fn answer(&self, request: &mut Request, route: Route, id: &RequestId) -> Response {
        let start = tracing::enabled!(Level::DEBUG).then(|| self.clock.monotonic());
        let response = self.dispatch(request, route, id).await;
        if let Some(start) = start {
            let elapsed = self.clock.monotonic().saturating_sub(start);
            tracing::debug!(status = response.status().as_u16(), ?elapsed, "answered");
        }
        response
    }

    async fn dispatch(&self, request: &mut Request, route: Route, id: &RequestId) -> Response {
        let probe = matches!(*request.method(), Method::GET | Method::HEAD);
        match route {
            Route::Graphql if self.site.has_graphql => self.graphql(request, id).await,
            Route::Livez if probe => health::live(),
            Route::Healthz | Route::Readyz if probe => self.ready().await,
            Route::Metrics if probe => self.metrics(),
            Route::Livez | Route::Healthz | Route::Readyz | Route::Metrics => method_not_allowed(),
            Route::Graphql | Route::Other | Route::None => error_response(
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

    fn metrics(&self) -> Response {
        let opened = self.site.opened();
        let readiness = opened.and_then(|opened| opened.readiness.as_ref());
        let cast = readiness.map(Readiness::cast);
        let now = self.clock.monotonic();
        let text = self.scrape.text(now, || self.metrics.render(cast));
        scrape::response(text)
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
