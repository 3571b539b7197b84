//! `serve`: everything in one process.

use std::{io, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use cast_core::{Cast, Ports, Roles, Settings, StartError, domain::KeyRing, ports::Clock};
use tokio::{net::TcpListener, runtime};

use super::{EXIT_USAGE, open_files, print, signals::Signals};
use crate::{
    config::{ConfigError, ServeConfig},
    graphql::{self, Backend, DocumentLimits},
    http::{self, HttpServer, HttpSettings},
    telemetry, wiring,
};

/// How long to wait before asking again whether everything is there: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));

/// Serves until it is told to stop.
pub fn run(config: &ServeConfig) -> ExitCode {
    telemetry::init(&config.log);
    match App::new(config) {
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::from(EXIT_USAGE)
        }
        Ok(app) => {
            open_files::allow(config.http().max_connections);
            match block_on(serve(app, &config.http.listen, config.http.drain_timeout)) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    tracing::error!("{error}");
                    ExitCode::FAILURE
                }
            }
        }
    }
}

/// Why a server ended that was not told to, or not as it was told to.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The system does not let it.
    #[error("{what}: {error}")]
    System {
        /// What it was doing.
        what: String,
        /// What the system said.
        error: io::Error,
    },
    /// The CAST did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A part of it ended that never should.
    #[error("{0}")]
    Died(String),
    /// The drain took longer than it may.
    #[error("the drain took longer than {0:?}: what was not answered was cut off")]
    DrainTimeout(Duration),
    /// It was told to stop a second time.
    #[error("{0} while draining: stopped at once")]
    Aborted(&'static str),
}

fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::System {
        what: "starting threads".into(),
        error,
    })?;
    let result = runtime.block_on(work);
    // What is still running was given up.
    runtime.shutdown_background();
    result
}

/// Serves until a signal asks to drain, or something dies.
pub async fn serve(app: App, listen: &str, drain_timeout: Duration) -> Result<(), Failure> {
    let mut signals = Signals::new().map_err(|error| Failure::System {
        what: "listening for signals".into(),
        error,
    })?;
    let clock = Arc::clone(&app.ports.clock);
    let mut running = tokio::select! {
        running = app.start(listen) => running?,
        signal = signals.next() => {
            tracing::info!(signal, "told to stop before it had begun");
            return Ok(());
        }
    };
    let end = tokio::select! {
        died = running.serve_until_it_dies(&*clock) => Err(died),
        signal = signals.next() => {
            tracing::info!(signal, "draining");
            Ok(())
        }
    };
    tokio::select! {
        () = running.drain() => {}
        () = clock.sleep(drain_timeout) => {
            return end.and(Err(Failure::DrainTimeout(drain_timeout)));
        }
        signal = signals.next() => return end.and(Err(Failure::Aborted(signal))),
    }
    tracing::info!("drained");
    end
}

/// A server that has yet to start.
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct App {
    pub ports: Ports,
    pub keys: KeyRing,
    pub settings: Settings,
    pub roles: Roles,
    pub http: HttpSettings,
    pub documents: DocumentLimits,
}

/// A server that runs.
pub struct Running {
    cast: Cast,
    http: HttpServer,
}

impl App {
    /// What the settings say.
    pub fn new(config: &ServeConfig) -> Result<Self, ConfigError> {
        let ports = wiring::ports(&config.urls)?;
        Ok(Self {
            keys: config.tickets.key_ring(&*ports.entropy)?,
            ports,
            settings: config.settings()?,
            roles: config.roles(),
            http: config.http(),
            documents: config.documents(),
        })
    }

    /// Listens, and starts all tasks.
    pub async fn start(self, listen: &str) -> Result<Running, Failure> {
        let refused = |error| Failure::System {
            what: format!("listening on {listen}"),
            error,
        };
        let listener = TcpListener::bind(listen).await.map_err(refused)?;
        let cast = self.start_cast().await?;
        let backend = Backend {
            cast: cast.clone(),
            max_votes: self.settings.door.max_votes,
            clock: Arc::clone(&self.ports.clock),
            entropy: Arc::clone(&self.ports.entropy),
        };
        let engine = graphql::engine(&backend, self.documents);
        let Ports { clock, entropy, .. } = self.ports;
        let some_cast = Some(cast.clone());
        let http = http::serve(listener, engine, some_cast, clock, entropy, &self.http)
            .map_err(refused)?;
        Ok(Running { cast, http })
    }

    /// Starts the use cases, as soon as what they stand on is there.
    async fn start_cast(&self) -> Result<Cast, StartError> {
        let mut pauses = pauses();
        loop {
            let started = Cast::builder(self.ports.clone(), self.keys.clone())
                .settings(self.settings.clone())
                .roles(self.roles)
                .start();
            match started.await {
                Err(StartError::Port(error)) if error.is_transient() => {
                    tracing::warn!(cause = error.chain(), "waiting for a server");
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

    /// Says where it is as soon as it can do its job. Returns only if a part of it ended.
    async fn serve_until_it_dies(&mut self, clock: &dyn Clock) -> Failure {
        let (cast, address) = (self.cast.clone(), self.address());
        let announced = async {
            ready(&cast, clock).await;
            announce(address);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = announced => unreachable!("it is pending for good"),
            died = cast.failed() => Failure::Died(died.to_string()),
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

/// Waits until everything that is needed answers.
async fn ready(cast: &Cast, clock: &dyn Clock) {
    let mut pauses = pauses();
    let mut told = None;
    while let Some(missing) = http::missing(&cast.readiness().await) {
        // Once for each thing that is missing, not once a try.
        if told.as_ref() != Some(&missing) {
            tracing::warn!(missing = missing.trim_end(), "waiting");
            told = Some(missing);
        }
        clock.sleep(pauses()).await;
    }
}

fn pauses() -> impl FnMut() -> Duration {
    let (mut next, longest) = PAUSES;
    move || {
        let pause = next;
        next = (next * 2).min(longest);
        pause
    }
}

/// The one line on standard output: whoever started the process waits for it.
fn announce(address: SocketAddr) {
    let url = format!("http://{address}");
    tracing::info!(%address, "ready");
    let _ = print(&format!(
        "listening on {url} (GraphQL at {url}/graphql, health at {url}/healthz)\n"
    ));
}
