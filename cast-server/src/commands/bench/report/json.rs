//! The report for programs.

use std::sync::atomic::Ordering::Relaxed;

use serde_json::{Value, json};

use super::data::Report;
use crate::commands::bench::{
    verdict::{Difference, Oversold, Verdict},
    verify::LostBallot,
};

/// One object, on one line. Its names are documented in docs/BENCHMARKS.md.
pub(in crate::commands::bench) fn json(report: &Report<'_>) -> String {
    let (run, stats) = (report.run, &report.stats);
    let (config, votes) = (&run.config, &stats.votes);
    let verdict = report.verdict.clone().unwrap_or_default();
    let word = report.verdict.as_ref();
    let differences = |list: &[Difference]| -> Vec<Value> {
        let values = list.iter().map(|it| difference(it, &run.names));
        values.collect()
    };
    let lost = report.lost.iter();
    let lost = lost.map(|it| lost_ballot(it, &run.names));
    let urls = config.urls.iter().map(ToString::to_string);
    let allowance = stats.limits.allowance();
    let value = json!({
        "urls": urls.collect::<Vec<_>>(),
        "seed": report.seed,
        "candidates": run.names.len(),
        "connections": config.connections,
        "rate": config.rate,
        "duration_s": report.elapsed.as_secs_f64(),
        "interrupted": report.is_interrupted,
        "sent": votes.sent,
        "accepted": votes.accepted,
        "votes_per_second": report.votes_per_second(),
        "refused": votes.refused,
        "faults": votes.faults,
        "unknown": votes.unknown,
        "unknown_resolved": votes.resolved,
        "unknown_open": report.open(),
        "latency_ms": report.latency(),
        "retries": stats.retries,
        "tickets": {
            "seen": allowance.tickets,
            "uses": allowance.uses,
            "votes_per_second": allowance.votes_per_second(),
            "waited_share": report.waited_share(),
        },
        "failed_connects": run.failed_connects.load(Relaxed),
        "not_begun": stats.not_begun,
        "shown_too_low": votes.shown_too_low,
        "verdict": word.map_or("unchecked", Verdict::word),
        "missing": differences(&verdict.missing),
        "doubled": differences(&verdict.doubled),
        "oversold_tickets": verdict.oversold.iter().map(oversold).collect::<Vec<_>>(),
        "lost_ballots": lost.collect::<Vec<_>>(),
        "notes": report.notes(),
        "exit_code": report.exit_code(),
    });
    format!("{value}\n")
}

fn difference(it: &Difference, names: &[String]) -> Value {
    json!({
        "url": it.url,
        "candidate": names[it.candidate],
        "expected_min": it.expected.start(),
        "expected_max": it.expected.end(),
        "shown": it.shown,
    })
}

fn lost_ballot(it: &LostBallot, names: &[String]) -> Value {
    json!({
        "ballot_id": it.id.to_string(),
        "candidate": names[it.candidate],
        "fate": it.fate,
    })
}

fn oversold(it: &Oversold) -> Value {
    json!({"ticket": it.ticket + 1, "uses": it.uses, "accepted": it.bought})
}
