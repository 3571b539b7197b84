//! The program: reads the command line, and runs the command.

use std::{env, process::ExitCode};

use cast_server::commands;

/// A vote makes some dozen small allocations, and many of them are freed on another thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    commands::main(env::args_os())
}
