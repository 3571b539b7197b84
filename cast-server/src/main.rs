//! The program: reads the settings, and does what they say.

use std::{env, process::ExitCode};

use cast_server::{
    commands::{
        self,
        cli::{self, Usage},
    },
    process,
};

/// A vote makes some dozen small allocations, and frees many of them on another thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::parse(env::args_os()) {
        Ok(cli) => commands::run(cli.role),
        Err(Usage::CommandLine(error)) => {
            // Help goes to standard output, and is no failure.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(process::EXIT_USAGE))
        }
        Err(Usage::Config(error)) => {
            let error =
                clap::Error::raw(clap::error::ErrorKind::InvalidValue, format!("{error}\n"));
            let _ = error.print();
            ExitCode::from(process::EXIT_USAGE)
        }
    }
}
