//! docs/SETTINGS.md: every setting, from the same source as `--help`.

use std::{collections::BTreeMap, fmt::Write as _};

use cast_server::config::is_setting_of;
use clap::{Arg, Command, builder::StyledStr};

const HEAD: &str = "\
# Settings

Every setting is a flag, an environment variable and a key of `cast.toml`, in this order of precedence; then
comes the default. The variable of `--ticket-uses` is `CAST_TICKET_USES`, its key `ticket-uses`. Durations are
written `2s` or `500ms`, sizes `4096`, `16KiB` or `1MB`. An unknown key or variable is an error.

This file is written by `CAST_TEST_RENEW=1 cargo test -p cast-server --test server settings_reference`, and a
test fails when it is stale.
";

/// A setting, and the commands that have it.
struct Setting {
    arg: Arg,
    commands: Vec<String>,
}

/// The text of docs/SETTINGS.md.
pub(crate) fn text(command: &Command) -> String {
    let mut headings: Vec<String> = Vec::new();
    let mut settings: BTreeMap<String, Setting> = BTreeMap::new();
    let mut order: Vec<(String, String)> = Vec::new();
    for subcommand in command.get_subcommands() {
        for arg in subcommand.get_arguments() {
            let Some(long) = arg.get_long().filter(|_| is_setting_of(subcommand, arg)) else {
                continue;
            };
            let heading = arg.get_help_heading().unwrap_or("The command itself");
            if !headings.iter().any(|known| known == heading) {
                headings.push(heading.to_owned());
            }
            let setting = settings.entry(long.to_owned()).or_insert_with(|| {
                order.push((heading.to_owned(), long.to_owned()));
                Setting {
                    arg: arg.clone(),
                    commands: Vec::new(),
                }
            });
            setting.commands.push(subcommand.get_name().to_owned());
        }
    }
    let mut text = HEAD.to_owned();
    for heading in &headings {
        let _ = write!(
            text,
            "\n## {heading}\n\n| setting | default | commands | meaning |\n|---|---|---|---|\n"
        );
        for (_, long) in order.iter().filter(|(at, _)| at == heading) {
            if let Some(setting) = settings.get(long) {
                row(&mut text, long, setting);
            }
        }
    }
    text.push_str(&commands(command));
    text
}

fn row(text: &mut String, long: &str, setting: &Setting) {
    let defaults = setting.arg.get_default_values();
    let default = match defaults.first().and_then(|value| value.to_str()) {
        Some(value) if setting.arg.get_action().takes_values() => format!("`{value}`"),
        _ => String::new(),
    };
    let names = setting.arg.get_value_names().unwrap_or_default();
    let value = match names
        .first()
        .filter(|_| setting.arg.get_action().takes_values())
    {
        Some(name) => format!(" {name}"),
        None => String::new(),
    };
    let mut help = line(setting.arg.get_long_help().or(setting.arg.get_help()));
    if setting.arg.get_action().takes_values() {
        help.push_str(&possible_values(&setting.arg));
    }
    let commands: Vec<_> = setting
        .commands
        .iter()
        .map(|name| format!("`{name}`"))
        .collect();
    let commands = commands.join(" ");
    let _ = writeln!(
        text,
        "| `--{long}{value}` | {default} | {commands} | {help} |"
    );
}

/// The values that a setting may have, if they are listed: `: A (help of A), B (help of B)`.
fn possible_values(arg: &Arg) -> String {
    let values = arg.get_possible_values();
    let values = values.iter().filter(|value| !value.is_hide_set());
    let values = values.map(|value| match value.get_help() {
        Some(help) => format!("`{}` ({})", value.get_name(), line(Some(help))),
        None => format!("`{}`", value.get_name()),
    });
    let values: Vec<_> = values.collect();
    match values.as_slice() {
        [] => String::new(),
        values => format!(": {}", values.join(", ")),
    }
}

/// Which command does what.
fn commands(command: &Command) -> String {
    let mut text = String::from("\n## Commands\n\n| command | does |\n|---|---|\n");
    for subcommand in command.get_subcommands() {
        let (name, about) = (subcommand.get_name(), line(subcommand.get_about()));
        let _ = writeln!(text, "| `{name}` | {about} |");
    }
    text
}

/// A help text as the cell of a table.
fn line(help: Option<&StyledStr>) -> String {
    let help = help.map(ToString::to_string).unwrap_or_default();
    let words: Vec<_> = help.split_whitespace().collect();
    words.join(" ").replace('|', "\\|")
}
