//! What requests are answered from, as far as it is there yet.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use async_graphql::Executor;
use cast_core::domain::Clock;
use http::StatusCode;
use poem::Response;

use super::{
    health::{self, Readiness},
    response,
    scrape::{self, Scrape},
};
use crate::{schema::Engine, telemetry::metrics::Metrics};

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

/// The state that all requests share. A process listens before it can do its job, so that a probe finds
/// it alive, and reads what it waits for.
pub(super) struct AppState<E> {
    /// Set once the process can do its job.
    pub(super) opened: OnceLock<Opened<E>>,
    /// What a process that cannot do its job yet waits for, in a few words.
    pub(super) waiting: Mutex<String>,
    /// Whether there is, or will be, an endpoint for GraphQL.
    pub(super) has_graphql: bool,
    pub(super) settings: EndpointSettings,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) scrape: Scrape,
}

/// What requests need beyond the state that is there from the start.
pub(super) struct Opened<E> {
    /// `None` in a role without GraphQL.
    pub(super) engine: Option<Engine<E>>,
    /// What `/readyz` checks; without it the server is always ready.
    pub(super) readiness: Option<Readiness>,
}

impl<E: Executor> AppState<E> {
    pub(super) fn waiting(&self) -> MutexGuard<'_, String> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine, once there is one.
    pub(super) fn engine(&self) -> Option<&Engine<E>> {
        self.opened.get()?.engine.as_ref()
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
        response::uncached(StatusCode::OK, scrape::FORMAT, text)
    }
}
