//! Simulates CAST over the memory adapters: `cargo run --release -p cast-testkit --example simulate
//! -- --histories 10000`. With `--seed`, the first history is that of the seed.
//!
//! Fails if a promise is violation; and, where enough histories were run, if any fault or rare state was
//! never reached.

mod memory;

use std::{num::NonZero, process::ExitCode, sync::Arc, thread::available_parallelism};

use cast_testkit::{
    Seed,
    simulation::{Deployment, Opening, Options, simulate},
};

use self::memory::InMemory;

const USAGE: &str = "usage: simulate [--histories N] [--seed S] [--jobs N]";

/// From so many histories on, whatever was never reached is a failure.
const ENOUGH: u64 = 10_000;

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(wrong) => return tell(2, &format!("{wrong}\n{USAGE}")),
    };
    let report = simulate(&open, &options);
    let missing = report.coverage.missing();
    if report.failure.is_some() {
        return tell(1, &report.to_string());
    }
    if report.histories >= ENOUGH && !missing.is_empty() {
        return tell(1, &format!("{report}\nnever reached: {missing:#?}"));
    }
    tell(0, &report.to_string())
}

fn open(opening: &Opening) -> Arc<dyn Deployment> {
    Arc::new(InMemory::open(opening))
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let jobs = available_parallelism().map_or(1, NonZero::get);
    let mut options = Options {
        jobs,
        ..Options::default()
    };
    while let Some(name) = args.next() {
        let value = args.next().ok_or(format!("{name} needs a value"))?;
        let wrong = |_| format!("{name}: {value} is no number");
        match name.as_str() {
            "--histories" => options.histories = value.parse().map_err(wrong)?,
            "--jobs" => options.jobs = value.parse::<usize>().map_err(wrong)?,
            "--seed" => options.seed = value.parse::<Seed>().map_err(wrong)?,
            _ => return Err(format!("{name} is not known")),
        }
    }
    Ok(options)
}

#[expect(
    clippy::print_stdout,
    reason = "this is what a program on a command line is for"
)]
fn tell(code: u8, text: &str) -> ExitCode {
    println!("{text}");
    ExitCode::from(code)
}
