//! What HTTP requests are answered with: GraphQL, health checks, `/metrics`.
//!
//! | file | holds |
//! |---|---|
//! | `routes` | which path leads where: poem's routes and middleware |
//! | `app_state` | what requests are answered from, as far as it is there yet |
//! | `graphql`, `body`, `negotiation`, `request`, `response` | GraphQL over HTTP |
//! | `health` | `/livez`, `/readyz`, `/healthz` |
//! | `scrape` | `/metrics` |

mod app_state;
mod body;
mod graphql;
mod health;
mod negotiation;
mod request;
mod response;
mod routes;
mod scrape;

use std::{
    io,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{Arc, Mutex, OnceLock},
};

use async_graphql::Executor;
use bytes::Bytes;
use cast_core::{
    Cast,
    deadline::in_time,
    domain::{Clock, Entropy},
};
use futures_util::FutureExt as _;
use http::{HeaderName, Method, StatusCode};
use http_body_util::combinators::BoxBody;
use poem::{Endpoint as _, Request, Response, endpoint::BoxEndpoint};
use tracing::{Instrument as _, Level};

pub use self::app_state::EndpointSettings;
use self::{
    app_state::{AppState, Opened},
    health::Readiness,
    negotiation::MediaType,
    response::{error_response, masked_error},
    scrape::Scrape,
};
use crate::{
    protocol::{ErrorCode, RequestId, Route, ServerPlaces, request_id},
    schema::Engine,
    telemetry::{metrics::Metrics, traces},
};

/// Answers all requests of a server.
pub struct HttpService<E> {
    state: Arc<AppState<E>>,
    routes: BoxEndpoint<'static>,
    entropy: Arc<dyn Entropy>,
}

impl<E: Executor> HttpService<E> {
    /// A service that answers that the process lives, and waits. `has_graphql` says whether there will be
    /// an engine once it [opens](Self::open).
    pub(crate) fn new(
        has_graphql: bool,
        settings: EndpointSettings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let state = Arc::new(AppState {
            opened: OnceLock::new(),
            waiting: Mutex::new("starting".into()),
            has_graphql,
            settings,
            clock,
            metrics,
            scrape: Scrape::default(),
        });
        Self {
            routes: routes::routes(&state),
            state,
            entropy,
        }
    }

    /// From now on GraphQL is executed, and `/readyz` asks the CAST. With no `cast` the server is ready
    /// as long as it lives.
    pub fn open(&self, engine: Option<Engine<E>>, cast: Option<(Cast, ServerPlaces)>) {
        let readiness = cast.map(|(cast, places)| Readiness::new(cast, places));
        // Only the first call counts.
        let _ = self.state.opened.set(Opened { engine, readiness });
    }

    /// Sets what `/readyz` says that the process waits for, until it opens; returns whether it is another
    /// text than before.
    pub(crate) fn wait_for(&self, what: &str) -> bool {
        let mut waiting = self.state.waiting();
        let has_changed = *waiting != what;
        if has_changed {
            what.clone_into(&mut waiting);
        }
        has_changed
    }

    /// Answers a request, whatever happens.
    pub(crate) async fn answer(
        &self,
        mut request: Request,
    ) -> http::Response<BoxBody<Bytes, io::Error>> {
        let given = request.headers().get(request_id::HEADER);
        let id = RequestId::of(given, &*self.entropy);
        let clock = &self.state.clock;
        let (route, start) = (Route::of(request.uri().path()), clock.monotonic());
        // Neither the query string nor a body is ever logged: they hold tickets.
        let span = tracing::debug_span!(
            "request",
            request_id = %id,
            method = %request.method(),
            route = route.as_str()
        );
        let trace = traces::request(request.headers(), route, &id);
        let mut response = {
            // Pinned here, and the request lent: futures are copied when they are moved, and each would
            // hold the request once more.
            let answer = pin!(self.dispatch(&mut request, route, &id));
            let answer = traces::within(&trace, answer);
            // A panic is our fault: it must neither end the connection nor leave the client without an
            // answer. poem's middleware for it does not know the request, whose id is in the answer.
            let caught = AssertUnwindSafe(answer.instrument(span))
                .catch_unwind()
                .await;
            caught.unwrap_or_else(|_| {
                tracing::error!(request_id = %id, "a request panicked");
                masked_error(&id)
            })
        };
        let took = clock.monotonic().saturating_sub(start);
        let status = response.status().as_u16();
        self.state.metrics.http.answered(route, status, took);
        trace.answered(status);
        let name = HeaderName::from_static(request_id::HEADER);
        response.headers_mut().insert(name, id.into_header());
        response.into()
    }

    /// The path of a vote is matched first: poem's routes copy the request, and allocate a few times for
    /// what only they need.
    async fn dispatch(&self, request: &mut Request, route: Route, id: &RequestId) -> Response {
        let clock = &self.state.clock;
        let start = tracing::enabled!(Level::DEBUG).then(|| clock.monotonic());
        let is_post = *request.method() == Method::POST;
        let response = if is_post && route == Route::Graphql && self.state.has_graphql {
            self.state.graphql(request, id).await
        } else {
            let mut request = std::mem::take(request);
            request.set_data(id.clone());
            // `POST /graphql` has its own deadlines.
            let answer = pin!(self.routes.get_response(request));
            let answer = in_time(&**clock, self.state.settings.request_deadline, answer).await;
            answer.unwrap_or_else(out_of_time)
        };
        if let Some(start) = start {
            let elapsed = clock.monotonic().saturating_sub(start);
            tracing::debug!(status = response.status().as_u16(), ?elapsed, "answered");
        }
        response
    }
}

fn out_of_time() -> Response {
    error_response(
        MediaType::Json,
        StatusCode::GATEWAY_TIMEOUT,
        ErrorCode::Unavailable,
        "No response in time: try again",
    )
}
