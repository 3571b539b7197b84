//! The result of a simulation.

use std::fmt;

use super::{
    coverage::Coverage,
    history::History,
    world::{Promise, Ran},
};
use crate::seed::Seed;

/// The result of a simulation.
#[derive(Clone, Debug)]
pub struct Report {
    /// The seed of its first history.
    pub seed: Seed,
    /// How many histories were run.
    pub histories: u64,
    /// How many of them broke a promise.
    pub failed: u64,
    /// The first that did, made as small as possible.
    pub failure: Option<Failure>,
    /// The faults and states reached.
    pub coverage: Coverage,
    /// A hash of everything that happened in all histories: the same options and adapters give the same, if
    /// no history failed.
    pub hash: u64,
}

/// A history that broke a promise.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed of the history.
    pub seed: Seed,
    /// Which promise was broken; `None` if the history did not fail when it was run again: then the
    /// adapters depend on something else than the seed.
    pub promise: Option<Promise>,
    /// How it was broken.
    pub how: String,
    /// The events of the smallest history found that breaks one, one a line.
    pub history: String,
    /// What happened in it, one line each.
    pub trace: Vec<String>,
}

impl Failure {
    pub(super) fn new(seed: Seed, history: &History, ran: Ran) -> Self {
        let (promise, how) = match ran.violation {
            Some(violation) => (Some(violation.promise), violation.how),
            None => (None, "it did not fail when it was run again".into()),
        };
        Self {
            seed,
            promise,
            how,
            history: history.to_string(),
            trace: ran.lines,
        }
    }
}

/// The promise, the history, its trace, and how to run it again.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.promise {
            Some(promise) => writeln!(f, "BROKEN: {promise}: {}", self.how)?,
            None => writeln!(f, "NOT DETERMINISTIC: {}", self.how)?,
        }
        writeln!(
            f,
            "\nin the history of seed {}, shrunk to\n{}",
            self.seed, self.history
        )?;
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        write!(f, "\nto run it again: one history of seed {}", self.seed)
    }
}

/// What was run, what was reached, and what failed.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let coverage = &self.coverage;
        let (ballots, calls, faults) = (coverage.ballots, coverage.calls, coverage.faults());
        write!(f, "{coverage}")?;
        if let Some(failure) = &self.failure {
            writeln!(f, "\n{failure}")?;
        }
        write!(
            f,
            "\n{} histories of seed {}: {ballots} ballots, {calls} calls, {faults} faults; \
             {} histories failed",
            self.histories, self.seed, self.failed
        )
    }
}
