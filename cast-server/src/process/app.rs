//! What a process that listens is made of.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use cast_core::{
    Cast, Check, Ports, Roles, Settings, StartError,
    domain::KeyRing,
    ports::{Clock, PortErrorKind},
};
use tokio::net::TcpListener;
use tokio_util::sync::DropGuard;

use super::{
    http::{self, HttpServer},
    run::Failure,
};
use crate::{
    endpoint::Waiting,
    schema::{self, Backend, CastSchema, DocumentLimits},
    telemetry::{self, TelemetrySettings, metrics::Metrics},
    transport::HttpSettings,
};

/// How long to wait before asking again whether everything is there: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));

/// A server that has yet to start.
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct App {
    pub ports: Ports,
    pub keys: KeyRing,
    pub settings: Settings,
    pub roles: Roles,
    pub http: HttpSettings,
    pub documents: DocumentLimits,
    pub telemetry: TelemetrySettings,
}

/// A server that runs.
pub struct Running {
    cast: Cast,
    http: HttpServer<CastSchema>,
    has_graphql: bool,
    /// Ends with this.
    _watch: DropGuard,
}

impl App {
    /// Listens, and starts all tasks. While it waits for a server that it needs, its health is told.
    pub async fn start(mut self, listen: &str) -> Result<Running, Failure> {
        let refused = |error| Failure::System {
            what: format!("listening on {listen}"),
            error,
        };
        let listener = TcpListener::bind(listen).await.map_err(refused)?;
        let metrics = Metrics::new(&self.ports.clock);
        self.ports = telemetry::measured(&self.ports, &metrics);
        let Ports { clock, entropy, .. } = self.ports.clone();
        // GraphQL is the door's.
        let has_graphql = self.roles.api;
        let shared = Arc::clone(&metrics);
        let http = http::serve(listener, has_graphql, clock, entropy, &self.http, shared);
        let http = http.map_err(refused)?;
        let (group, interval) = (&self.settings.fold.group, self.telemetry.metrics_interval);
        let watch = telemetry::watch(&self.ports, self.roles, group, interval, &metrics);
        let cast = self.start_cast(http.waiting()).await?;
        let engine =
            has_graphql.then(|| schema::engine(&self.backend(&cast, metrics), self.documents));
        http.open(engine, Some(cast.clone()));
        Ok(Running {
            cast,
            http,
            has_graphql,
            _watch: watch,
        })
    }

    fn backend(&self, cast: &Cast, metrics: Arc<Metrics>) -> Backend {
        Backend {
            cast: cast.clone(),
            max_votes: self.settings.ingest.max_votes,
            clock: Arc::clone(&self.ports.clock),
            entropy: Arc::clone(&self.ports.entropy),
            metrics,
        }
    }

    /// Starts the use cases, as soon as what they stand on is there.
    async fn start_cast(&self, waiting: &Waiting) -> Result<Cast, StartError> {
        let mut pauses = pauses();
        loop {
            let started = Cast::builder(self.ports.clone(), self.keys.clone())
                .settings(self.settings.clone())
                .roles(self.roles)
                .start();
            match started.await {
                Err(StartError::Port(error)) if error.is_transient() => {
                    // What lies beneath is for the log, not for whoever asks.
                    if waiting.set(&error.to_string()) {
                        tracing::warn!(cause = error.chain(), "waiting for a server");
                    }
                    self.ports.clock.sleep(pauses()).await;
                }
                other => return other,
            }
        }
    }
}

impl Running {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.http.address()
    }

    /// The use cases behind it.
    pub const fn cast(&self) -> &Cast {
        &self.cast
    }

    /// Whether it answers GraphQL.
    pub(crate) const fn has_graphql(&self) -> bool {
        self.has_graphql
    }

    /// Waits until a part of it ended, which none does by itself.
    pub(crate) async fn died(&mut self) -> Failure {
        tokio::select! {
            died = self.cast.failed() => Failure::Died(died.to_string()),
            () = self.http.failed() => Failure::Died("the HTTP server ended".into()),
        }
    }

    /// Takes nothing new, answers what was taken in, and ends.
    pub async fn drain(self) {
        // Answers first, for which votes need their flushes; then what nobody waits for.
        self.http.drain().await;
        self.cast.shutdown().await;
    }
}

/// Waits until everything that is needed answers. A server that answers and is not what it must
/// be will not become it by waiting, needed or not.
pub(crate) async fn ready(cast: &Cast, clock: &dyn Clock) -> Result<(), Failure> {
    let mut pauses = pauses();
    let mut told = None;
    loop {
        let checks = cast.readiness().await;
        if let Some(wrong) = misconfigured(&checks) {
            return Err(Failure::Misconfigured(wrong));
        }
        let Some(missing) = missing(&checks) else {
            return Ok(());
        };
        // Once for each thing that is missing, not once a try.
        if told.as_ref() != Some(&missing) {
            tracing::warn!(missing, "waiting");
            told = Some(missing);
        }
        clock.sleep(pauses()).await;
    }
}

/// What answers as it never should, with what to do about it. A ticket of another key ring is left
/// out: rings are changed while processes run, and the next ticket may be one of ours.
fn misconfigured(checks: &[Check]) -> Option<String> {
    checks
        .iter()
        .filter(|check| check.name != "tickets")
        .filter_map(|check| check.result.as_ref().err()?.port_error())
        .find(|error| error.kind() == PortErrorKind::Misconfigured)
        .map(cast_core::ports::PortError::chain)
}

/// What is needed and missing, and why; `None` when the process can do its job.
fn missing(checks: &[Check]) -> Option<String> {
    let needed = checks.iter().filter(|check| check.needed);
    let missing: Vec<_> = needed
        .filter_map(|check| {
            let fault = check.result.as_ref().err()?;
            let why = fault.port_error().map(cast_core::ports::PortError::chain);
            let why = why.unwrap_or_else(|| fault.to_string());
            Some(format!("{}: {why}", check.name))
        })
        .collect();
    (!missing.is_empty()).then(|| missing.join("; "))
}

pub(crate) fn pauses() -> impl FnMut() -> Duration {
    let (mut next, longest) = PAUSES;
    move || {
        let pause = next;
        next = (next * 2).min(longest);
        pause
    }
}
