//! A process that listens: from its start to its exit code.

use std::{io, process::ExitCode, sync::Arc, time::Duration};

use cast_core::{StartError, ports::Clock};
use tokio::runtime;

use super::{
    EXIT_USAGE,
    app::{App, Running, ready},
    open_files,
    signals::Signals,
    terminal::print,
};
use crate::{
    config::{ConfigError, Http, Log, Telemetry},
    telemetry::{self, traces},
};

/// Does the job until it is told to stop. `app` is made on the runtime that runs it.
pub(crate) fn run(
    log: &Log,
    telemetry: &Telemetry,
    http: &Http,
    app: impl FnOnce() -> Result<App, ConfigError>,
) -> ExitCode {
    telemetry::init(log);
    if let Err(error) = start_traces(telemetry) {
        return exit_code(Err(error.into()));
    }
    open_files::allow(http.settings().max_connections);
    let ended = block_on(async { serve(app()?, &http.listen, http.drain_timeout).await });
    exit_code(ended)
}

fn start_traces(telemetry: &Telemetry) -> Result<(), ConfigError> {
    match telemetry.collector()? {
        Some(collector) => traces::start(&collector),
        None => Ok(()),
    }
}

/// Runs `work` to its end.
pub(crate) fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
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

/// Says why it failed, if it did.
pub(crate) fn exit_code(ended: Result<(), Failure>) -> ExitCode {
    let Err(failure) = ended else {
        return ExitCode::SUCCESS;
    };
    tracing::error!("{failure}");
    match failure {
        Failure::Usage(_) => ExitCode::from(EXIT_USAGE),
        _ => ExitCode::FAILURE,
    }
}

/// Why a process ended that was not told to, or not as it was told to.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Settings that cannot work.
    #[error(transparent)]
    Usage(#[from] ConfigError),
    /// The system does not let it.
    #[error("{what}: {error}")]
    System {
        /// What it was doing.
        what: String,
        /// What the system said.
        error: io::Error,
    },
    /// The CAST did not start.
    #[error("{}", told(.0))]
    Start(#[from] StartError),
    /// A server that it needs is not what it must be, and will not be by itself.
    #[error("{0}")]
    Misconfigured(String),
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

/// With what lies beneath: it says what to do.
fn told(error: &StartError) -> String {
    match error {
        StartError::Port(error) => error.chain(),
        StartError::Settings(error) => error.to_string(),
    }
}

/// Serves until a signal asks to drain, or something dies.
pub async fn serve(app: App, listen: &str, drain_timeout: Duration) -> Result<(), Failure> {
    let mut signals = Signals::new().map_err(|error| Failure::System {
        what: "listening for signals".into(),
        error,
    })?;
    let clock = Arc::clone(&app.ports.clock);
    let mut running = tokio::select! {
        running = start(app, listen, &*clock) => running?,
        signal = signals.next() => {
            tracing::info!(signal, "told to stop before it had begun");
            return Ok(());
        }
    };
    let end = tokio::select! {
        died = running.died() => Err(died),
        signal = signals.next() => {
            tracing::info!(signal, "draining");
            Ok(())
        }
    };
    let told = clock.monotonic();
    tokio::select! {
        () = running.drain() => {}
        () = clock.sleep(drain_timeout) => {
            return end.and(Err(Failure::DrainTimeout(drain_timeout)));
        }
        signal = signals.next() => return end.and(Err(Failure::Aborted(signal))),
    }
    tracing::info!("drained");
    // Of the time to drain, traces get what is left.
    let took = clock.monotonic().saturating_sub(told);
    traces::finish(drain_timeout.saturating_sub(took));
    end
}

/// Says where it is as soon as it can do its job.
async fn start(app: App, listen: &str, clock: &dyn Clock) -> Result<Running, Failure> {
    let mut running = app.start(listen).await?;
    let cast = running.cast().clone();
    tokio::select! {
        died = running.died() => return Err(died),
        ready = ready(&cast, clock) => ready?,
    }
    announce(&running);
    Ok(running)
}

/// The one line on standard output: whoever started the process waits for it.
fn announce(running: &Running) {
    let address = running.address();
    let url = format!("http://{address}");
    tracing::info!(%address, "ready");
    let graphql = if running.has_graphql() {
        format!("GraphQL at {url}/graphql, ")
    } else {
        String::new()
    };
    let _ = print(&format!(
        "listening on {url} ({graphql}health at {url}/healthz)\n"
    ));
}
