//! The report for people.

use std::fmt::{Display, Write as _};

use super::{
    data::{Latency, Report},
    histogram,
};
use crate::{
    commands::bench::{
        run_stats::Codes,
        verdict::{Difference, Verdict},
    },
    process::terminal::{bad, dim, good, strong, uncertain},
};

/// How many wrong tallies are shown.
const MAX_SHOWN: usize = 10;

/// Rows of a name and what is to be said of it.
pub(in crate::commands::bench) fn text(report: &Report<'_>) -> String {
    let mut table = Table::default();
    load(report, &mut table);
    table.line();
    votes(report, &mut table);
    latency(report, &mut table);
    table.line();
    table.row("verdict", verdict(report));
    wrong_tallies(report, &mut table);
    for note in report.notes() {
        table.row("note", note);
    }
    table.0
}

fn load(report: &Report<'_>, table: &mut Table) {
    let config = &report.run.config;
    let urls: Vec<_> = config.urls.iter().map(ToString::to_string).collect();
    table.row("servers", urls.join(", "));
    let (count, seed) = (config.candidates, report.seed);
    let names = format!("{count}, bench-{seed:016x}-… (--seed {seed})");
    table.row("candidates", names);
    let closed = || "closed loop".to_owned();
    let pace = config
        .rate
        .map_or_else(closed, |rate| format!("{rate} votes/s"));
    let seconds = report.elapsed.as_secs_f64();
    let connections = config.connections;
    let load = format!("{connections} connections, {pace}, {seconds:.1} s");
    table.row("load", load);
}

fn votes(report: &Report<'_>, table: &mut Table) {
    let votes = &report.stats.votes;
    let rate = report.votes_per_second();
    let accepted = format!("{} ({rate:.0} votes/s)", votes.accepted);
    table.row("accepted", strong(accepted));
    table.codes("refused", &votes.refused);
    table.codes("faults", &votes.faults);
    table.codes("unknown", &votes.unknown);
    if !votes.unknown.is_empty() {
        let open = report.open().map_or("?".into(), |open| open.to_string());
        let resolved = votes.resolved;
        let resolved = format!("{resolved} found to count, {open} still open");
        table.row("  sent again", resolved);
    }
    let retries = &report.stats.retries;
    if retries.sent > 0 {
        let (sent, duplicate) = (retries.sent, retries.duplicate);
        table.row("retries", format!("{sent}, {duplicate} of them DUPLICATE"));
        for codes in [&retries.refused, &retries.faults, &retries.unknown] {
            table.each(codes);
        }
    }
}

fn latency(report: &Report<'_>, table: &mut Table) {
    let Some(Latency {
        p50,
        p90,
        p99,
        p99_9,
        max,
    }) = report.latency()
    else {
        return;
    };
    let percentiles =
        format!("p50 {p50:.2}  p90 {p90:.2}  p99 {p99:.2}  p99.9 {p99_9:.2}  max {max:.2}");
    table.row("latency, ms", percentiles);
    for bar in histogram::bars(&report.stats.latencies) {
        table.row("", dim(bar));
    }
}

/// The verdict in a sentence.
fn verdict(report: &Report<'_>) -> String {
    let counting = report.counting();
    let Ok(verdict) = &report.verdict else {
        return uncertain("NOT CHECKED").to_string();
    };
    let fail = |what: &str| bad(format!("FAIL: {what}")).to_string();
    match verdict.word() {
        "exact" if counting == 0 => {
            uncertain("nothing was accepted, and nothing shows").to_string()
        }
        "exact" => good(format!(
            "PASS: all {counting} accepted votes show, each once"
        ))
        .to_string(),
        "unproven" => uncertain(format!(
            "NOT PROVEN: the tallies are possible, but whether {} votes count is not known",
            verdict.open
        ))
        .to_string(),
        "oversold" => fail("all accepted votes show, but a ticket bought more than its limit"),
        "missing" => fail("accepted votes are missing"),
        "doubled" => fail("votes are doubled"),
        _ => fail("accepted votes are missing, and others doubled"),
    }
}

fn wrong_tallies(report: &Report<'_>, table: &mut Table) {
    let Ok(verdict) = &report.verdict else {
        return;
    };
    let Verdict {
        missing, doubled, ..
    } = verdict;
    for (what, list) in [("missing", missing), ("doubled", doubled)] {
        for it in list.iter().take(MAX_SHOWN) {
            table.row(what, wrong_tally(it, &report.run.names));
        }
        if let Some(more) = list.len().checked_sub(MAX_SHOWN).filter(|&more| more > 0) {
            table.row("", format!("and {more} more"));
        }
    }
    for it in &report.lost {
        let fate = it.fate.as_deref().unwrap_or("unknown to the server");
        let name = &report.run.names[it.candidate];
        table.row("lost", format!("ballot {} for {name}: {fate}", it.id));
    }
}

fn wrong_tally(it: &Difference, names: &[String]) -> String {
    let (least, most) = (it.expected.start(), it.expected.end());
    let expected = if least == most {
        least.to_string()
    } else {
        format!("{least} to {most}")
    };
    let (name, shown, url) = (&names[it.candidate], it.shown, &it.url);
    format!("{name}: {shown} shown, {expected} expected, at {url}")
}

/// Names on the left, what is to be said of them on the right.
#[derive(Default)]
struct Table(String);

impl Table {
    fn row(&mut self, name: &str, text: impl Display) {
        // Writing to a text does not fail.
        let _ = writeln!(self.0, "{name:<13}{text}");
    }

    fn line(&mut self) {
        self.0.push('\n');
    }

    fn codes(&mut self, name: &str, codes: &Codes) {
        self.row(name, codes.values().sum::<u64>());
        self.each(codes);
    }

    fn each(&mut self, codes: &Codes) {
        for (code, count) in codes {
            self.row("", format!("{count} {code}"));
        }
    }
}
