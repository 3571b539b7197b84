//! The command line.

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;

use std::{
    collections::BTreeSet,
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::{
    Arg, Command, CommandFactory, FromArgMatches, Parser, Subcommand,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::{bench::BenchConfig, completions::CompletionsConfig, demo::DemoConfig};
use crate::config::{
    ApiConfig, AuditConfig, ConfigError, File, HealthConfig, MigrateConfig, ServeConfig,
    TicketGeneratorConfig, VoteConsumerConfig, check_environment, variable_of,
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

    /// The command.
    #[command(subcommand)]
    pub role: Role,
}

/// A command.
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

/// Why no command runs.
#[derive(Debug, thiserror::Error)]
pub enum Usage {
    /// The command line is wrong, or asks for help.
    #[error(transparent)]
    CommandLine(#[from] clap::Error),
    /// The environment or the file is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// The command line as clap describes it, with the variable of each setting.
pub(crate) fn command() -> Command {
    with_variables(Cli::command())
}

/// Reads the command line, the environment and the file.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, Usage> {
    let args: Vec<OsString> = args.into_iter().collect();
    let command = command();
    let names = setting_names(&command);
    // Help is shown whatever is in the file.
    let file = if asks_for_help(&args) {
        File::default()
    } else {
        let variables: Vec<_> = env::vars_os().collect();
        let pairs = variables.iter().map(|(name, value)| (&**name, &**value));
        let known = names.iter().map(|name| variable_of(name));
        check_environment(pairs, &known.chain([variable_of("config")]).collect())?;
        let file = File::read(config_path(&args).as_deref())?;
        file.check(&names)?;
        file
    };
    parse_with(command, &file, &args)
}

/// Reads the command line, and the settings that it does not give from the file.
fn parse_with(command: Command, file: &File, args: &[OsString]) -> Result<Cli, Usage> {
    let matches = with_file(command, file)
        .try_get_matches_from(args)
        .map_err(|error| name_the_file(error, file))?;
    Ok(Cli::from_arg_matches(&matches)?)
}

/// Gives each flag its environment variable.
fn with_variables(command: Command) -> Command {
    let set = |arg: Arg| match arg.get_long() {
        Some(long) if is_setting(long) || long == "config" => {
            let variable = variable_of(long);
            arg.env(variable)
        }
        _ => arg,
    };
    command.mut_args(set).mut_subcommands(|subcommand| {
        if has_settings(&subcommand) {
            subcommand.mut_args(set)
        } else {
            subcommand
        }
    })
}

/// Makes the settings of the file the flags' defaults.
fn with_file(command: Command, file: &File) -> Command {
    command.mut_subcommands(|subcommand| {
        if !has_settings(&subcommand) {
            return subcommand;
        }
        subcommand.mut_args(|arg| {
            let value = arg.get_long().and_then(|long| file.value_of(long));
            match value.map(str::to_owned) {
                // The file may hold passwords: help shows built-in defaults only.
                Some(value) => arg.default_value(value).hide_default_value(true),
                None => arg,
            }
        })
    })
}

/// The long names of the settings of all subcommands: one file serves all roles.
fn setting_names(command: &Command) -> BTreeSet<String> {
    command
        .get_subcommands()
        .filter(|subcommand| has_settings(subcommand))
        .flat_map(Command::get_arguments)
        .filter_map(Arg::get_long)
        .filter(|long| is_setting(long))
        .map(String::from)
        .collect()
}

/// Whether the flags of a subcommand are settings, with a variable and a key. Those of `bench`,
/// `demo` and `health` are about one run against another process.
fn has_settings(subcommand: &Command) -> bool {
    !matches!(
        subcommand.get_name(),
        "bench" | "demo" | "health" | "completions"
    )
}

/// Whether a flag of a subcommand is a setting.
pub(crate) fn is_setting_of(subcommand: &Command, arg: &Arg) -> bool {
    has_settings(subcommand) && arg.get_long().is_some_and(is_setting)
}

fn is_setting(long: &str) -> bool {
    !matches!(long, "help" | "version" | "config")
}

fn asks_for_help(args: &[OsString]) -> bool {
    args.iter()
        .skip(1)
        .any(|arg| arg == "--help" || arg == "-h" || arg == "--version" || arg == "-V")
        || args.get(1).is_none_or(|arg| arg == "help")
}

/// The path of the file: needed before the rest of the command line can be read.
fn config_path(args: &[OsString]) -> Option<PathBuf> {
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--config" {
            return args.next().map(PathBuf::from);
        }
        if let Some(path) = arg.to_str().and_then(|arg| arg.strip_prefix("--config=")) {
            return Some(path.into());
        }
    }
    env::var_os(variable_of("config")).map(PathBuf::from)
}

/// Names the file in the error about a value of its.
fn name_the_file(mut error: clap::Error, file: &File) -> clap::Error {
    if !matches!(
        error.kind(),
        ErrorKind::ValueValidation | ErrorKind::InvalidValue
    ) {
        return error;
    }
    let (Some(ContextValue::String(arg)), Some(ContextValue::String(value))) = (
        error.get(ContextKind::InvalidArg),
        error.get(ContextKind::InvalidValue),
    ) else {
        return error;
    };
    let long = arg.trim_start_matches('-').split([' ', '=']).next();
    let long = long.unwrap_or_default().to_owned();
    if file.value_of(&long) == Some(value.as_str()) {
        let place = format!("{} in {}", long, Path::display(file.path()));
        error.insert(ContextKind::InvalidArg, ContextValue::String(place));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::settings;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_setting_has_a_variable_and_a_help_text() {
        let command = command();
        let settings = command
            .get_subcommands()
            .filter(|subcommand| has_settings(subcommand))
            .flat_map(Command::get_arguments)
            .filter(|arg| arg.get_long().is_some_and(is_setting));
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
