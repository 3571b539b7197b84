//! What requests are answered from, as far as it is there yet.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use async_graphql::Executor;
use cast_core::domain::Clock;
use http::StatusCode;
use poem::{Request, Response};

use super::{
    graphql::GraphqlEndpoint,
    health::{self, Readiness},
    negotiation::MediaType,
    response::error_response,
    scrape::{self, Scrape},
};
use crate::{
    protocol::{ErrorCode, RequestId},
    telemetry::metrics::Metrics,
};

/// The state that all requests share. A process listens before it can do its job, so that a probe finds
/// it alive, and reads what it waits for.
pub(super) struct AppState<E> {
    opened: OnceLock<Opened<E>>,
    /// What a process that cannot do its job yet waits for, in a few words.
    waiting: Mutex<String>,
    /// Whether there is, or will be, an endpoint for GraphQL.
    pub(super) has_graphql: bool,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
    scrape: Scrape,
}

/// What is there once the process can do its job.
pub(super) struct Opened<E> {
    /// `None` in a role without GraphQL.
    pub(super) graphql: Option<GraphqlEndpoint<E>>,
    /// What `/readyz` checks; without it the server is always ready.
    pub(super) readiness: Option<Readiness>,
}

impl<E: Executor> AppState<E> {
    pub(super) fn new(has_graphql: bool, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        Self {
            opened: OnceLock::new(),
            waiting: Mutex::new("starting".into()),
            has_graphql,
            clock,
            metrics,
            scrape: Scrape::default(),
        }
    }

    /// From now on the process can do its job. Only the first call counts.
    pub(super) fn open(&self, opened: Opened<E>) {
        let _ = self.opened.set(opened);
    }

    /// Sets what the process waits for; returns whether it is another text than before.
    pub(super) fn wait_for(&self, what: &str) -> bool {
        let mut waiting = self.waiting();
        let has_changed = *waiting != what;
        if has_changed {
            what.clone_into(&mut waiting);
        }
        has_changed
    }

    fn waiting(&self) -> MutexGuard<'_, String> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `/graphql`.
    pub(super) async fn graphql(&self, request: &mut Request, id: &RequestId) -> Response {
        let opened = self.opened.get();
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

    /// `/readyz` and `/healthz`.
    pub(super) async fn ready(&self) -> Response {
        match self.opened.get() {
            None => health::waiting(&self.waiting()),
            Some(opened) => match &opened.readiness {
                Some(readiness) => readiness.answer().await,
                None => health::live(),
            },
        }
    }

    /// `/metrics`.
    pub(super) fn scrape(&self) -> Response {
        let readiness = self
            .opened
            .get()
            .and_then(|opened| opened.readiness.as_ref());
        let cast = readiness.map(Readiness::cast);
        let text = self
            .scrape
            .text(self.clock.monotonic(), || self.metrics.render(cast));
        scrape::response(text)
    }
}
