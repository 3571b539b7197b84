//! What the program does: one file or folder a command, none of which imports another.

pub mod bench;
pub mod cli;
pub mod demo;

mod api;
mod audit;
mod completions;
mod consumer;
mod generator;
mod health;
mod migrate;
mod reference;
mod schema;
mod serve;

use std::{ffi::OsString, process::ExitCode};

use self::cli::{Role, Usage};
pub use self::reference::settings_reference;
use crate::{
    config::{ConfigError, HttpConfig, LogConfig, TelemetryConfig},
    process::{App, exit, run::run},
    wiring,
};

/// Reads the command line, the environment and the file, and runs the command.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match cli::parse(args) {
        Ok(cli) => dispatch(cli.role),
        Err(Usage::CommandLine(error)) => {
            // Help goes to standard output, and is no failure.
            let _ = error.print();
            match error.exit_code() {
                0 => exit::EXIT_OK,
                _ => exit::usage(),
            }
        }
        Err(Usage::Config(error)) => exit::usage_error(&error),
    }
}

fn dispatch(role: Role) -> ExitCode {
    let quiet = |_: &str| {};
    match role {
        Role::Serve(it) => {
            let app = || serve::app(&it);
            listen(&it.log, &it.telemetry, &it.http, app, |url| {
                serve::banner(&it, url);
            })
        }
        Role::Api(it) => listen(&it.log, &it.telemetry, &it.http, || api::app(&it), quiet),
        Role::TicketGenerator(it) => {
            let app = || generator::app(&it);
            listen(&it.log, &it.telemetry, &it.http, app, quiet)
        }
        Role::VoteConsumer(it) => {
            let app = || consumer::app(&it);
            listen(&it.log, &it.telemetry, &it.http, app, quiet)
        }
        Role::Migrate(it) => migrate::run(&it),
        Role::Audit(it) => audit::run(&it),
        Role::Health(it) => health::run(&it),
        Role::Schema => schema::run(),
        Role::Completions(it) => completions::run(&it, cli::command()),
        Role::Bench(it) => bench::run(&it),
        Role::Demo(it) => demo::run(&it),
    }
}

fn listen(
    log: &LogConfig,
    telemetry: &TelemetryConfig,
    http: &HttpConfig,
    app: impl FnOnce() -> Result<App, ConfigError>,
    banner: impl FnOnce(&str),
) -> ExitCode {
    let (clock, _) = wiring::system();
    run(clock, log, telemetry, http, app, banner)
}
