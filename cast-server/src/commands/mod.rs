//! What the program does. `roles` builds the apps of the commands that listen; the others have one file or
//! folder each. None of them imports another.

pub mod bench;
pub mod demo;
mod failure;

mod audit;
mod banner;
mod completions;
mod data;
mod health;
mod migrate;
mod roles;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{Command, CommandFactory, FromArgMatches, Parser, Subcommand};

use self::{bench::BenchConfig, completions::CompletionsConfig, demo::DemoConfig};
use crate::{
    app::{failure::usage_error, run::run},
    config::{
        self, ApiConfig, AuditConfig, BackupConfig, CheckConfig, ExportConfig, HealthConfig,
        MigrateConfig, MoveConfig, RestoreConfig, ServeConfig, TicketGeneratorConfig, Usage,
        VoteConsumerConfig,
    },
    process::{exit, terminal::print},
    schema, wiring,
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
    /// Copies the folder of a `serve`, running or stopped, and verifies the copy
    ///
    /// The backup is a data folder itself. It has the ticket keys: keep it as secret as them.
    Backup(BackupConfig),
    /// Makes the folder of a `serve` from a backup
    Restore(RestoreConfig),
    /// Reads everything in the folder of a `serve`, running or stopped, and says what is damaged and what
    /// to do; exits with 3 if something is
    Check(CheckConfig),
    /// Writes the ballots or the tallies of a folder to standard output
    Export(ExportConfig),
    /// Moves the votes of a folder into a deployment, and verifies them there
    ///
    /// No server may run on the folder, and the deployment is empty, or was begun by this command:
    /// after an interruption, run it again. Migrate the deployment first, and start its API servers
    /// afterwards, with the ticket keys of the folder.
    Move(Box<MoveConfig>),
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
                0 => exit::OK.into(),
                _ => exit::USAGE.into(),
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
pub fn command() -> Command {
    config::with_variables(Cli::command())
}

fn dispatch(role: Role) -> ExitCode {
    let (clock, _) = wiring::system();
    let quiet = |_: &str| {};
    match role {
        Role::Serve(it) => {
            let process = (&it.vote_api.http, &it.observability);
            let banner = |url: &str| banner::show(&it, url);
            run(clock, process, || roles::serve(&it), banner)
        }
        Role::Api(it) => {
            let process = (&it.vote_api.http, &it.observability);
            run(clock, process, || roles::api(&it), quiet)
        }
        Role::TicketGenerator(it) => {
            let process = (&it.http, &it.observability);
            run(clock, process, || roles::ticket_generator(&it), quiet)
        }
        Role::VoteConsumer(it) => {
            let process = (&it.http, &it.observability);
            run(clock, process, || roles::vote_consumer(&it), quiet)
        }
        Role::Migrate(it) => migrate::run(&it),
        Role::Audit(it) => audit::run(&it),
        Role::Backup(it) => data::backup(&it),
        Role::Restore(it) => data::restore(&it),
        Role::Check(it) => data::check(&it),
        Role::Export(it) => data::export(&it),
        Role::Move(it) => data::transfer(&it),
        Role::Health(it) => health::run(&it),
        Role::Schema => print(&schema::sdl()),
        Role::Completions(it) => completions::run(&it, command()),
        Role::Bench(it) => bench::run(&it),
        Role::Demo(it) => demo::run(&it),
    }
}

#[cfg(test)]
mod tests {
    use cast_adapters::memory;
    use cast_core::{Roles, Settings, domain::KeyRing};

    use super::*;
    use crate::{
        app::{App, settings},
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
        assert_eq!(shown(&of_core), shown(&Settings::default()));
        assert_eq!(
            shown(&settings::http(&config.vote_api.http)),
            shown(&crate::transport::HttpSettings::default())
        );
        assert_eq!(
            shown(&settings::documents(&config.documents)),
            shown(&crate::schema::DocumentLimits::default())
        );
        let ports = memory::ports();
        let keys = KeyRing::generate(&*ports.entropy);
        let app = App::new(ports, keys, of_core, Roles::ALL);
        let interval = config.observability.telemetry.metrics_interval;
        assert_eq!(interval, app.metrics_interval);
        assert_eq!(config.fold.consumers, Roles::ALL.consumers);
    }
}
