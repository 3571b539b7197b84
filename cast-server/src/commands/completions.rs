//! `completions`: the script with which a shell completes commands and flags.

use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::{Shell, generate};

use crate::process::terminal::print;

/// The flags of `completions`.
#[derive(Args, Clone, Debug)]
pub struct CompletionsConfig {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub(super) fn run(config: &CompletionsConfig, mut command: Command) -> ExitCode {
    let mut script = Vec::new();
    generate(config.shell, &mut command, "cast-server", &mut script);
    print(&String::from_utf8_lossy(&script))
}
