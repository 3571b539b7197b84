//! What the program does: one file or folder a command, none of which imports another.

pub mod bench;
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

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{Command, CommandFactory, FromArgMatches, Parser, Subcommand};

use self::{bench::BenchConfig, completions::CompletionsConfig, demo::DemoConfig};
use crate::{
    app::{App, failure::usage_error, run::run},
    config::{
        self, ApiConfig, AuditConfig, ConfigError, HealthConfig, HttpConfig, LogConfig,
        MigrateConfig, ServeConfig, TelemetryConfig, TicketGeneratorConfig, Usage,
        VoteConsumerConfig,
    },
    process::exit,
    wiring,
};

/// A voting backend: tickets, votes and tallies over GraphQL.
///
/// Settings come from a flag, or its environment variable, or cast.toml, or the default, in this
/// order. Sizes are written 4096, 16KiB or 1MB, durations 2s or 500ms.
#[derive(Debug, Parser)]
#[command(name = "cast-server", version, subcommand_required = true)]
pub struct Cli {
    /// A file with settings: `ticket-uses = 100`, one a line. Otherwise ./cast.toml, if it exists
    #[arg(long, global = true, value_name = "PATH")]
    config: Option<PathBuf>,

    /// What to run, with its settings.
    #[command(subcommand)]
    pub role: Role,
}

/// The commands; their comments are the help texts.
#[derive(Debug, Subcommand)]
pub enum Role {
    /// Does everything in one process; with no flags, needs no other server
    Serve(Box<ServeConfig>),
    /// Accepts votes and shows tallies: one role of a deployment of several processes
    Api(Box<ApiConfig>),
    /// Issues a ticket each period; several instances agree on one
    TicketGenerator(Box<TicketGeneratorConfig>),
    /// Applies logged votes to the database; instances share the partitions
    VoteConsumer(Box<VoteConsumerConfig>),
    /// Creates the tables and the topic that the roles need, or updates them
    Migrate(Box<MigrateConfig>),
    /// Compares database, counter and log; exits with 3 where they differ
    Audit(Box<AuditConfig>),
    /// Health check: exits with 1 if a process is not ready or does not answer
    Health(Box<HealthConfig>),
    /// Prints the GraphQL schema in its own language
    Schema,
    /// Prints a script with which a shell completes commands and flags
    ///
    /// For example: `source <(cast-server completions bash)`.
    Completions(CompletionsConfig),
    /// Load generator: measures a server and checks that each accepted vote was counted once
    ///
    /// It votes for candidates of its own over its own connections, then sends each ballot without
    /// an answer again until its outcome is known, and then compares the tallies with the answers.
    /// Exit codes: 0 every accepted vote counts once; 3 a vote is missing or doubled; 1 nothing was
    /// accepted, or the check failed; 2 usage.
    Bench(Box<BenchConfig>),
    /// Walks through tickets and votes against a server, explains each step, and checks it
    ///
    /// It votes for candidates of its own, with a dozen uses of the current tickets. Exit codes: 0
    /// each step went as expected; 1 one did not, or the server does not answer; 2 usage.
    Demo(Box<DemoConfig>),
}

/// Reads the command line, the environment and the file, and runs the command.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match parse(args) {
        Ok(cli) => dispatch(cli.role),
        Err(Usage::CommandLine(error)) => {
            // Help goes to standard output, and is no failure.
            let _ = error.print();
            match error.exit_code() {
                0 => exit::OK,
                _ => exit::usage(),
            }
        }
        Err(Usage::Config(error)) => usage_error(&error),
    }
}

/// Reads the command line, the environment and the file.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, Usage> {
    let args: Vec<OsString> = args.into_iter().collect();
    let matches = config::matches(command(), &args)?;
    Ok(Cli::from_arg_matches(&matches)?)
}

/// The command line as clap describes it, with the variable of each setting.
fn command() -> Command {
    config::with_variables(Cli::command())
}

/// The text of docs/SETTINGS.md.
pub fn settings_reference() -> String {
    reference::text(&command())
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
        Role::Completions(it) => completions::run(&it, command()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::settings,
        config::{is_setting_of, variable_of},
    };

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_setting_has_a_variable_and_a_help_text() {
        let command = command();
        let settings = command.get_subcommands().flat_map(|subcommand| {
            let settings = subcommand.get_arguments();
            settings.filter(|arg| is_setting_of(subcommand, arg))
        });
        for arg in settings {
            let long = arg.get_long().unwrap_or_default();
            let variable = arg.get_env().and_then(|name| name.to_str());
            assert_eq!(variable, Some(&*variable_of(long)));
            assert!(arg.get_help().is_some(), "{long}");
        }
    }

    #[test]
    fn the_defaults_of_the_flags_are_those_of_the_settings() {
        let matches = Cli::command()
            .try_get_matches_from(["cast-server", "serve"])
            .unwrap();
        let Role::Serve(config) = Cli::from_arg_matches(&matches).unwrap().role else {
            panic!("not serve");
        };
        let shown = |value: &dyn std::fmt::Debug| format!("{value:#?}");
        let of_core = config.settings().unwrap();
        assert_eq!(shown(&of_core), shown(&cast_core::Settings::default()));
        assert_eq!(
            shown(&settings::http(&config.http)),
            shown(&crate::transport::HttpSettings::default())
        );
        assert_eq!(
            shown(&settings::documents(&config.documents)),
            shown(&crate::schema::DocumentLimits::default())
        );
        assert_eq!(
            shown(&settings::telemetry(&config.telemetry)),
            shown(&crate::telemetry::TelemetrySettings::default())
        );
        assert_eq!(config.fold.consumers, cast_core::Roles::ALL.consumers);
    }
}
