//! The report for programs.

use serde_json::{Value, json};

use super::data::Report;
use crate::commands::bench::{
    verdict::{Difference, Oversold, Verdict},
    verify::LostBallot,
};

/// One object, on one line. Its names are documented in docs/BENCHMARKS.md.
pub(in crate::commands::bench) fn json(report: &Report) -> String {
    let verdict = report.checked.verdict.clone().unwrap_or_default();
    let word = report.checked.verdict.as_ref();
    let differences = |list: &[Difference]| -> Vec<Value> {
        let values = list.iter().map(|it| difference(it, &report.names));
        values.collect()
    };
    let lost = report.checked.lost.iter();
    let lost = lost.map(|it| lost_ballot(it, &report.names));
    let votes = &report.votes;
    let value = json!({
        "urls": report.urls,
        "seed": report.load.seed,
        "candidates": report.names.len(),
        "connections": report.connections,
        "rate": report.rate,
        "duration_s": report.load.elapsed.as_secs_f64(),
        "interrupted": report.load.is_interrupted,
        "sent": votes.sent,
        "accepted": votes.accepted,
        "votes_per_second": report.votes_per_second(),
        "refused": votes.refused,
        "faults": votes.faults,
        "unknown": votes.unknown,
        "unknown_resolved": votes.resolved,
        "unknown_open": report.open(),
        "latency_ms": latency(report),
        "retries": retries(report),
        "tickets": tickets(report),
        "failed_connects": report.failed_connects,
        "not_begun": report.not_begun,
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

fn latency(report: &Report) -> Value {
    report.latency().map_or(Value::Null, |it| {
        json!({
            "p50": it.p50,
            "p90": it.p90,
            "p99": it.p99,
            "p99_9": it.p99_9,
            "max": it.max,
        })
    })
}

fn retries(report: &Report) -> Value {
    let retries = &report.retries;
    json!({
        "sent": retries.sent,
        "duplicate": retries.duplicate,
        "accepted_again": retries.accepted_again,
        "refused": retries.refused,
        "faults": retries.faults,
        "unknown": retries.unknown,
    })
}

fn tickets(report: &Report) -> Value {
    json!({
        "seen": report.allowance.tickets,
        "uses": report.allowance.uses,
        "votes_per_second": report.allowance.votes_per_second(),
        "waited_share": report.waited_share,
    })
}
