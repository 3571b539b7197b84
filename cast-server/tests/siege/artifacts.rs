//! The logs and the report of a siege.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use cast_core::ledger::Expectation;
use cast_testkit::Seed;

use crate::{
    ballot_history::log_references,
    check::Findings,
    fault_phase::Counts,
    ledger::{Ledger, VoteResponse},
    program::process::LOGS,
    stack::Stack,
    workload::Workload,
};

/// How many lines of the processes' logs are shown.
const LINES_SHOWN: usize = 40;

/// A folder with the logs of all processes.
pub(crate) struct Artifacts {
    path: PathBuf,
}

impl Artifacts {
    /// From now on, the logs of all processes are kept.
    pub(crate) fn begin(seed: Seed) -> Self {
        let name = format!("siege-{seed}");
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        // Of an earlier run with this seed.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("cargo's own folder");
        LOGS.set(path.clone()).expect("there is one siege");
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Which promise broke, for which ballots, and what the processes logged about them.
    pub(crate) fn show(&self, found: &Findings, workload: &Workload) {
        let names = found.breaches.iter().flat_map(|breach| &breach.ballots);
        let ledger = workload.ledger();
        let references = names.flat_map(|name| log_references(name, &ledger));
        let lines = self.lines_with(&references.collect::<Vec<_>>());
        let listed = found.breaches.iter().map(|breach| format!("{breach:?}"));
        let all: Vec<_> = listed.chain([found.text.clone()]).collect();
        let all = format!("{}\n{}\n", all.join("\n"), lines.join("\n"));
        fs::write(self.path.join("broken.txt"), all).expect("a folder of ours");
        eprintln!("{}", found.text);
        if !lines.is_empty() {
            let shown = lines.len().min(LINES_SHOWN);
            let shown = lines[..shown].join("\n");
            eprintln!(
                "what the processes logged about these ballots ({} lines):\n{shown}",
                lines.len()
            );
        }
    }

    /// The lines of all logs that have one of these words, each with its file's name.
    fn lines_with(&self, words: &[String]) -> Vec<String> {
        let mut found = Vec::new();
        for file in fs::read_dir(&self.path).expect("a folder of ours") {
            let file = file.expect("a folder of ours");
            let text = fs::read_to_string(file.path()).unwrap_or_default();
            let lines = text.lines();
            let lines = lines.filter(|line| words.iter().any(|word| line.contains(word)));
            let name = file.file_name();
            let name = name.to_string_lossy();
            found.extend(lines.map(|line| format!("{name}: {line}")));
        }
        found
    }

    /// How often everything happened.
    pub(crate) fn summary(&self, counts: &Counts, workload: &Workload) {
        for (what, count) in counts.all() {
            eprintln!("{count:>8}  {what}");
        }
        for (what, count) in workload.read(outcomes) {
            eprintln!("{count:>8}  {what}");
        }
        let assigned = "partitions were assigned to this consumer";
        let assigned = self.lines_with(&[assigned.to_owned()]).len();
        eprintln!("{assigned:>8}  assignments of partitions to a consumer");
    }

    /// Keeps the logs of the servers, too.
    pub(crate) fn keep(&self, stack: &mut Stack) {
        let (redis, kafka) = (stack.redis.log(), stack.kafka.own().log());
        let postgres = stack.postgres.own().log();
        for (name, log) in [("redis", redis), ("kafka", kafka), ("postgres", postgres)] {
            let file = self.path.join(format!("{name}.log"));
            fs::write(file, log).expect("a folder of ours");
        }
    }

    pub(crate) fn discard(self) {
        let _ = fs::remove_dir_all(self.path);
    }
}

/// What became of ballots, and how their sendings were answered.
fn outcomes(ledger: &Ledger) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let mut add = |what: String| *counts.entry(what).or_default() += 1;
    for ballot in ledger.ballots.values() {
        let outcome = match ledger.answers.expectation(ballot.entry) {
            Expectation::Counted if ballot.was_unknown() => {
                "acknowledged, after an unknown outcome"
            }
            Expectation::Counted => "acknowledged",
            Expectation::NotCounted => "given up, refused or not taken",
            Expectation::Open => "given up without an id, of unknown outcome",
        };
        add(format!("ballots {outcome}"));
        if ballot.sendings.len() > 1 {
            add("ballots sent more than once".into());
        }
    }
    for sending in ledger.sendings() {
        let response = match &sending.response {
            VoteResponse::Accepted => "accepted".into(),
            VoteResponse::Duplicate => "accepted before (DUPLICATE)".into(),
            VoteResponse::Refused(code) => format!("refused: {code}"),
            VoteResponse::Unavailable(code) => format!("not taken: {code}"),
            VoteResponse::Unknown(why) => {
                format!("unknown: {}", why.split(':').next().unwrap_or(why))
            }
            VoteResponse::TimedOut => "without an answer by the deadline".into(),
        };
        add(format!("sendings {response}"));
    }
    counts
}
