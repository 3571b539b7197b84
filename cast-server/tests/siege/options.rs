//! What the command line says.

use std::time::Duration;

use cast_testkit::Seed;
use clap::Parser;

/// Breaks a deployment of CAST at random while voters vote, and sees whether every promise held.
#[derive(Debug, Parser)]
#[command(name = "siege")]
pub(crate) struct Options {
    /// How long to go on; without it, until everything that can break broke once
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = humantime::parse_duration)]
    pub(crate) duration: Duration,

    /// What all randomness follows from; otherwise `CAST_TEST_SEED`, or a new one
    #[arg(long)]
    pub(crate) seed: Option<Seed>,

    /// How many voters vote at once
    #[arg(long, value_name = "COUNT", default_value = "16")]
    pub(crate) voters: usize,

    /// Breaks one machine that keeps its votes in a folder, and not a deployment
    #[arg(long)]
    pub(crate) one_machine: bool,

    #[command(flatten)]
    harness: Harness,
}

/// The arguments that `cargo test` gives to each test binary.
#[derive(Debug, Parser)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags of another program, most of which mean nothing here"
)]
struct Harness {
    /// Parts of names: it runs if its own has one of them
    #[arg(hide = true)]
    filters: Vec<String>,
    #[arg(long, hide = true)]
    skip: Vec<String>,
    #[arg(long, hide = true)]
    exact: bool,
    #[arg(long, hide = true)]
    list: bool,
    #[arg(long, hide = true)]
    ignored: bool,
    #[arg(long, hide = true)]
    include_ignored: bool,
    #[arg(long, hide = true)]
    nocapture: bool,
    #[arg(long, hide = true)]
    show_output: bool,
    #[arg(long, short, hide = true)]
    quiet: bool,
    #[arg(long, hide = true)]
    test_threads: Option<usize>,
    #[arg(long, hide = true)]
    format: Option<String>,
}

/// The name by which `cargo test` is asked for it.
const NAME: &str = "siege";

impl Options {
    /// Whether this is what was asked for.
    pub(crate) fn is_meant(&self) -> bool {
        let Harness {
            filters,
            skip,
            exact,
            ignored,
            list,
            ..
        } = &self.harness;
        let named = |word: &String| word == NAME || (!exact && NAME.contains(word.as_str()));
        let is_asked = filters.is_empty() || filters.iter().any(named);
        is_asked && !skip.iter().any(named) && !ignored && !list
    }
}
