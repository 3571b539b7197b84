//! Runs an app until a signal or a failure, and drains it.

use std::{io, process::ExitCode, sync::Arc, time::Duration};

use cast_core::domain::Clock;
use tokio::runtime::Runtime;

use super::{
    failure::{Failure, exit_code},
    readiness, settings,
    start::{App, Running},
};
use crate::{
    config::{HttpConfig, LogFormat, ObservabilityConfig},
    process::{open_files, signals::Signals, terminal},
    telemetry::traces,
};

/// Runs the app of a role until it ends. `app` is called on the runtime that runs it; `banner` gets
/// the URL once the process is ready, unless standard error is for programs.
pub(crate) fn run(
    clock: Arc<dyn Clock>,
    (http, observability): (&HttpConfig, &ObservabilityConfig),
    app: impl FnOnce() -> Result<App, Failure>,
    banner: impl FnOnce(&str),
) -> ExitCode {
    let ObservabilityConfig { telemetry, log } = observability;
    settings::start_log(log);
    if let Err(error) = settings::start_traces(telemetry, clock) {
        return exit_code(log.log_format, Err(error.into()));
    }
    open_files::allow(http.max_connections);
    let has_banner = log.log_format == LogFormat::Text;
    let ended = block_on(async {
        let app = app()?;
        let ready = |url: &str| {
            if has_banner {
                banner(url);
            }
        };
        serve(app, &http.listen, http.drain_timeout, ready).await
    });
    exit_code(log.log_format, ended)
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> Failure {
    move |error| Failure::System { what, error }
}

/// Runs `work` to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = Runtime::new().map_err(system("starting threads"))?;
    let result = runtime.block_on(work);
    // What is still running was given up.
    runtime.shutdown_background();
    result
}

/// Serves until a signal asks for a graceful shutdown, or a part of the process fails.
pub async fn serve(
    mut app: App,
    listen: &str,
    drain_timeout: Duration,
    ready: impl FnOnce(&str),
) -> Result<(), Failure> {
    let closing = app.closing.take();
    let mut signals = Signals::new().map_err(system("listening for signals"))?;
    let clock = Arc::clone(&app.ports.clock);
    let mut running = tokio::select! {
        running = start(app, listen, &*clock) => running?,
        signal = signals.next() => {
            tracing::info!(signal, "stopped before it was ready");
            return Ok(());
        }
    };
    announce(&running, ready);
    let end = tokio::select! {
        died = running.died() => Err(died),
        signal = signals.next() => {
            tracing::info!(signal, "draining");
            Ok(())
        }
    };
    let begun = clock.monotonic();
    let drain = async {
        running.drain().await;
        if let Some(closing) = closing {
            closing.await;
        }
    };
    tokio::select! {
        () = drain => {}
        () = clock.sleep(drain_timeout) => {
            return end.and(Err(Failure::DrainTimeout(drain_timeout)));
        }
        signal = signals.next() => return end.and(Err(Failure::Aborted(signal))),
    }
    tracing::info!("drained");
    // Traces get what is left of the time to drain.
    let took = clock.monotonic().saturating_sub(begun);
    traces::finish(drain_timeout.saturating_sub(took));
    end
}

/// Starts the app, and waits until it can do its job.
async fn start(app: App, listen: &str, clock: &dyn Clock) -> Result<Running, Failure> {
    let places = app.places.clone();
    let mut running = app.start(listen).await?;
    let cast = running.cast().clone();
    tokio::select! {
        died = running.died() => return Err(died),
        ready = readiness::ready(&cast, &places, clock) => ready?,
    }
    Ok(running)
}

/// The one line on standard output, which the caller of the process waits for.
fn announce(running: &Running, ready: impl FnOnce(&str)) {
    let address = running.address();
    let url = format!("http://{address}");
    tracing::info!(%address, "ready");
    ready(&url);
    let graphql = if running.has_graphql() {
        format!("GraphQL at {url}/graphql, ")
    } else {
        String::new()
    };
    let _ = terminal::print(&format!(
        "listening on {url} ({graphql}health at {url}/healthz)\n"
    ));
}
