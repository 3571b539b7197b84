//! Where the values of settings come from: flags, variables, the file, defaults.

use std::{
    collections::BTreeSet,
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::{
    Arg, ArgMatches, Command,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::{
    environment,
    file::File,
    values::{ConfigError, variable_of},
};

/// The subcommands whose flags are no settings, with a variable and a key: they are about one run
/// against another process, or none.
const WITHOUT_SETTINGS: [&str; 4] = ["bench", "demo", "health", "completions"];

/// Why the settings could not be read.
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
pub(crate) fn matches(command: Command, args: &[OsString]) -> Result<ArgMatches, Usage> {
    let names = setting_names(&command);
    // Help is shown whatever is in the file.
    let file = if asks_for_help(args) {
        File::default()
    } else {
        let variables: Vec<_> = env::vars_os().collect();
        let pairs = variables.iter().map(|(name, value)| (&**name, &**value));
        let known = names.iter().map(|name| variable_of(name));
        environment::check(pairs, &known.chain([variable_of("config")]).collect())?;
        let file = File::read(config_path(args).as_deref())?;
        file.check(&names)?;
        file
    };
    matches_with(command, &file, args)
}

/// Reads the command line, and the settings that it does not give from the file.
pub(crate) fn matches_with(
    command: Command,
    file: &File,
    args: &[OsString],
) -> Result<ArgMatches, Usage> {
    let matches = with_file(command, file).try_get_matches_from(args);
    Ok(matches.map_err(|error| name_the_file(error, file))?)
}

/// Gives each flag its environment variable.
pub(crate) fn with_variables(command: Command) -> Command {
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
pub(crate) fn setting_names(command: &Command) -> BTreeSet<String> {
    command
        .get_subcommands()
        .filter(|subcommand| has_settings(subcommand))
        .flat_map(Command::get_arguments)
        .filter_map(Arg::get_long)
        .filter(|long| is_setting(long))
        .map(String::from)
        .collect()
}

fn has_settings(subcommand: &Command) -> bool {
    !WITHOUT_SETTINGS.contains(&subcommand.get_name())
}

/// Whether a flag of a subcommand is a setting.
pub fn is_setting_of(subcommand: &Command, arg: &Arg) -> bool {
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
