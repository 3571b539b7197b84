//! A process that listens: its use cases, and the HTTP server in front of them.

use std::{net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use cast_core::{Cast, Ports, Roles, Settings, StartError, domain::KeyRing};
use tokio::net::TcpListener;
use tokio_util::sync::DropGuard;

use super::{failure::Failure, http, readiness};
use crate::{
    endpoint::HttpService,
    protocol::ServerPlaces,
    schema::{self, Backend, CastSchema, DocumentLimits},
    telemetry::{self, metrics::Metrics},
    transport::{HttpSettings, Server},
};

/// A server before its start.
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct App {
    pub ports: Ports,
    pub places: ServerPlaces,
    pub keys: KeyRing,
    pub settings: Settings,
    pub roles: Roles,
    pub http: HttpSettings,
    pub documents: DocumentLimits,
    /// How often the ticket, the log and the store are polled for `/metrics`.
    pub metrics_interval: Duration,
    /// Waits, after the app has ended, until what it wrote is closed.
    pub closing: Option<Closing>,
}

/// What an app waits for last.
pub type Closing = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// A running server.
pub struct Running {
    cast: Cast,
    server: Server,
    has_graphql: bool,
    /// Stops the gauges' tasks when it is dropped.
    _watch: DropGuard,
}

impl App {
    /// One with defaults for all that is not about votes.
    pub fn new(ports: Ports, keys: KeyRing, settings: Settings, roles: Roles) -> Self {
        Self {
            places: ServerPlaces::default(),
            http: HttpSettings::default(),
            documents: DocumentLimits::default(),
            metrics_interval: Duration::from_secs(5),
            closing: None,
            ports,
            keys,
            settings,
            roles,
        }
    }

    /// Listens, and starts all tasks. It answers health checks while it waits for its servers.
    pub async fn start(mut self, listen: &str) -> Result<Running, Failure> {
        let refused = |error| Failure::Listen {
            address: listen.into(),
            error,
        };
        let listener = TcpListener::bind(listen).await.map_err(refused)?;
        let metrics = Metrics::new(&self.ports.clock);
        self.ports = telemetry::measured(&self.ports, &metrics);
        let Ports { clock, entropy, .. } = self.ports.clone();
        let has_graphql = self.roles.api;
        let shared = Arc::clone(&metrics);
        let http = http::serve(listener, has_graphql, clock, entropy, &self.http, shared);
        let (service, server) = http.map_err(refused)?;
        let (group, interval) = (&self.settings.fold.group, self.metrics_interval);
        let watch = telemetry::watch(&self.ports, self.roles, group, interval, &metrics);
        let cast = self.start_cast(&service).await?;
        let engine = has_graphql
            .then(|| schema::engine(&self.backend(&cast, metrics), self.documents.clone()));
        service.open(engine, Some((cast.clone(), self.places)));
        Ok(Running {
            cast,
            server,
            has_graphql,
            _watch: watch,
        })
    }

    fn backend(&self, cast: &Cast, metrics: Arc<Metrics>) -> Backend {
        Backend {
            cast: cast.clone(),
            max_votes: self.settings.ingest.max_votes,
            metrics,
        }
    }

    /// Starts the use cases, as soon as the servers answer that they need for it.
    async fn start_cast(&self, service: &HttpService<CastSchema>) -> Result<Cast, Failure> {
        let mut backoff = readiness::backoff();
        loop {
            let started = Cast::builder(self.ports.clone(), self.keys.clone())
                .settings(self.settings.clone())
                .roles(self.roles)
                .start();
            let error = match started.await {
                Err(StartError::Port(error)) => error,
                other => return Ok(other?),
            };
            let failing = readiness::failing(&self.ports, self.roles, &self.places).await;
            if !error.is_transient() {
                return Err(readiness::refused(error, &failing));
            }
            // The causes are for the log, not for the callers of `/readyz`.
            if service.wait_for(&readiness::kinds(&error, &failing)) {
                tracing::warn!(cause = error.chain(), "waiting for a server");
            }
            self.ports.clock.sleep(backoff.next_pause()).await;
        }
    }
}

impl Running {
    /// The address that it listens at.
    pub const fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The use cases behind it.
    pub const fn cast(&self) -> &Cast {
        &self.cast
    }

    /// Whether it answers GraphQL.
    pub(crate) const fn has_graphql(&self) -> bool {
        self.has_graphql
    }

    /// Waits until a part of it fails.
    pub(crate) async fn died(&mut self) -> Failure {
        tokio::select! {
            died = self.cast.failed() => Failure::Died(died.to_string()),
            () = self.server.failed() => Failure::Died("the HTTP server ended".into()),
        }
    }

    /// Accepts nothing new, answers what was accepted, and ends.
    pub async fn drain(self) {
        // Answers first, for which votes need their flushes; then the tasks without a caller.
        self.server.drain().await;
        self.cast.shutdown().await;
    }
}
