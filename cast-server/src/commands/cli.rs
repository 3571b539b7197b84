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

use super::{bench::BenchConfig, demo::DemoConfig};
use crate::config::{
    ApiConfig, AuditConfig, ConfigError, File, HealthConfig, MigrateConfig, ServeConfig,
    TicketGeneratorConfig, VoteConsumerConfig, check_environment, variable_of,
};

/// A voting backend: tickets, votes and tallies over GraphQL.
///
/// Settings come from a flag, or its environment variable, or cast.toml, or the default, in this
/// order. Sizes are written 4096, 16KB or 1MB, durations 2s or 500ms.
#[derive(Debug, Parser)]
#[command(name = "cast-server", version, subcommand_required = true)]
pub struct Cli {
    /// A file with settings: `ticket-uses = 100`, one a line. Otherwise ./cast.toml, if it is there
    #[arg(long, global = true, value_name = "PATH")]
    config: Option<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub role: Role,
}

/// What a process does.
#[derive(Debug, Subcommand)]
pub enum Role {
    /// Does everything in one process; with no flags, needs no other server
    Serve(Box<ServeConfig>),
    /// Takes votes and shows tallies: one role of a deployment of many processes
    Api(Box<ApiConfig>),
    /// Issues a ticket each period; any number of them agree on one
    TicketGenerator(Box<TicketGeneratorConfig>),
    /// Folds the log into the store; any number of them share the work
    VoteConsumer(Box<VoteConsumerConfig>),
    /// Makes the tables and the topic that the other roles need, or brings them up to date
    Migrate(Box<MigrateConfig>),
    /// Compares store, counter and log; exit code 3 says that something differs
    Audit(Box<AuditConfig>),
    /// Asks a process how it is; exit code 1 says that it is not well, or does not answer
    Health(Box<HealthConfig>),
    /// Prints the GraphQL schema in its own language
    Schema,
    /// Drives a server and checks that every vote it accepted was counted once
    ///
    /// It votes for candidates of its own over connections of its own, then sends every ballot that
    /// had no answer again until its fate is known, and then compares the tallies with what it was
    /// told. Exit codes: 0 every accepted vote counts once; 3 one is missing or doubled; 1 nothing
    /// was accepted, or the check could not be made; 2 usage.
    Bench(Box<BenchConfig>),
    /// Walks through tickets and votes against a server, says what happens and why, and checks it
    ///
    /// It votes for candidates of its own, with a dozen uses of the tickets that are good meanwhile.
    /// Exit codes: 0 the server did what each step says; 1 it did not, or did not answer; 2 usage.
    Demo(Box<DemoConfig>),
}

/// Why there is nothing to do.
#[derive(Debug, thiserror::Error)]
pub enum Usage {
    /// The command line is wrong, or asks for help.
    #[error(transparent)]
    CommandLine(#[from] clap::Error),
    /// The environment or the file is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Reads the command line, the environment and the file.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, Usage> {
    let args: Vec<OsString> = args.into_iter().collect();
    let command = with_variables(Cli::command());
    let names = setting_names(&command);
    // Whoever asks for help is helped, whatever is in the file.
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

/// Reads the command line, and what it leaves open from the file.
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

/// Makes what the file says the flags' defaults.
fn with_file(command: Command, file: &File) -> Command {
    command.mut_subcommands(|subcommand| {
        if !has_settings(&subcommand) {
            return subcommand;
        }
        subcommand.mut_args(|arg| {
            let value = arg.get_long().and_then(|long| file.value_of(long));
            match value.map(str::to_owned) {
                // The file may hold passwords: help shows what is built in, or nothing.
                Some(value) => arg.default_value(value).hide_default_value(true),
                None => arg,
            }
        })
    })
}

/// The long names of all settings, of whatever subcommand: one file serves all roles.
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

/// The flags of `bench`, `demo` and `health` say what to do once with another process: no variable
/// and no file has them.
fn has_settings(subcommand: &Command) -> bool {
    !matches!(subcommand.get_name(), "bench" | "demo" | "health")
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

/// Where the file is: needed before the rest of the command line can be read.
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

/// Says where a wrong value stands, if it is the file's.
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

    #[test]
    fn the_command_line_is_sound() {
        with_variables(Cli::command()).debug_assert();
    }

    #[test]
    fn every_setting_has_a_variable_and_a_help_text() {
        let command = with_variables(Cli::command());
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
        let settings = config.settings().unwrap();
        assert_eq!(shown(&settings), shown(&cast_core::Settings::default()));
        assert_eq!(
            shown(&config.http.settings()),
            shown(&crate::transport::HttpSettings::default())
        );
        assert_eq!(
            shown(&config.documents.limits()),
            shown(&crate::schema::DocumentLimits::default())
        );
        assert_eq!(
            shown(&config.telemetry.settings()),
            shown(&crate::telemetry::TelemetrySettings::default())
        );
        assert_eq!(config.fold.consumers(), cast_core::Roles::ALL.consumers);
    }
}
