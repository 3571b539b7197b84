//! What a run comes to: a table for people, an object for programs, an exit code for scripts.

use std::{fmt::Write as _, time::Duration};

use serde_json::{Value, json};

use super::{
    drive::{Bench, LostBallot},
    ledger::{Allowance, Codes, Counts, Difference, Retries, Verdict},
};

/// A vote is missing or doubled, or a ticket bought too much.
pub(super) const EXIT_DIFFERENCE: u8 = 3;
/// How many wrong tallies a table shows.
const MAX_SHOWN: usize = 10;

/// Latencies of accepted votes, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Latency {
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) p99_9: f64,
    pub(super) max: f64,
}

/// What a run comes to.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) urls: Vec<String>,
    pub(super) seed: u64,
    pub(super) names: Vec<String>,
    pub(super) connections: usize,
    pub(super) rate: Option<u32>,
    pub(super) has_ids: bool,
    /// How long the load took.
    pub(super) elapsed: Duration,
    pub(super) is_interrupted: bool,
    pub(super) counts: Counts,
    pub(super) retries: Retries,
    pub(super) not_begun: u64,
    pub(super) failed_connects: u64,
    /// The share of their time that connections waited for tickets.
    pub(super) waited_share: f64,
    pub(super) allowance: Allowance,
    pub(super) latency: Latency,
    /// Whether there were votes for the candidates before.
    pub(super) had_votes: bool,
    /// Of the check at the end; or why there was none.
    pub(super) verdict: Result<Verdict, String>,
    pub(super) lost: Vec<LostBallot>,
}

impl Report {
    /// What is written down, and what the check said.
    #[expect(clippy::cast_precision_loss, reason = "numbers to be shown")]
    pub(super) fn of(
        bench: &Bench,
        elapsed: Duration,
        seed: u64,
        is_interrupted: bool,
        had_votes: bool,
        (verdict, lost): (Result<Verdict, String>, Vec<LostBallot>),
    ) -> Self {
        let books = bench.books();
        let at = |share| books.latencies.value_at_quantile(share) as f64 / 1_000.0;
        let config = &bench.config;
        let all = elapsed.as_secs_f64() * config.connections as f64;
        Self {
            urls: config.urls.iter().map(|it| it.url.clone()).collect(),
            seed,
            names: bench.names.clone(),
            connections: config.connections,
            rate: config.rate,
            has_ids: !config.no_ballot_ids,
            elapsed,
            is_interrupted,
            counts: books.ledger.counts().clone(),
            retries: books.ledger.retries().clone(),
            not_begun: books.not_begun,
            failed_connects: bench.failed_connects(),
            waited_share: bench.waited_for_tickets().as_secs_f64() / all,
            allowance: books.ledger.allowance(),
            latency: Latency {
                p50: at(0.5),
                p90: at(0.9),
                p99: at(0.99),
                p99_9: at(0.999),
                max: books.latencies.max() as f64 / 1_000.0,
            },
            had_votes,
            verdict,
            lost,
        }
    }

    /// 0: every accepted vote counts once. 3: one does not. 1: it is not known, or nothing was
    /// accepted.
    pub(super) fn exit_code(&self) -> u8 {
        match &self.verdict {
            Ok(verdict) if verdict.is_broken() => EXIT_DIFFERENCE,
            Ok(verdict) if verdict.open == 0 && self.counting() > 0 => 0,
            _ => 1,
        }
    }

    /// Ballots that are known to count.
    fn counting(&self) -> u64 {
        self.counts.accepted + self.counts.resolved
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate to be shown")]
    fn votes_per_second(&self) -> f64 {
        self.counts.accepted as f64 / self.elapsed.as_secs_f64()
    }

    fn word(&self) -> &'static str {
        self.verdict.as_ref().map_or("unchecked", Verdict::word)
    }

    /// One object, on one line. Its names are documented in docs/BENCHMARKS.md.
    pub(super) fn json(&self) -> String {
        let verdict = self.verdict.clone().unwrap_or_default();
        let difference = |it: &Difference| {
            json!({
                "url": it.url,
                "candidate": self.names[it.candidate],
                "expected_min": it.expected.start(),
                "expected_max": it.expected.end(),
                "shown": it.shown,
            })
        };
        let lost = |it: &LostBallot| {
            json!({
                "ballot_id": it.id.to_string(),
                "candidate": self.names[it.candidate],
                "fate": it.fate,
            })
        };
        let oversold = verdict
            .oversold
            .iter()
            .map(|it| json!({"ticket": it.ticket + 1, "uses": it.uses, "accepted": it.bought}));
        let value = json!({
            "urls": self.urls,
            "seed": self.seed,
            "candidates": self.names.len(),
            "connections": self.connections,
            "rate": self.rate,
            "duration_s": self.elapsed.as_secs_f64(),
            "interrupted": self.is_interrupted,
            "sent": self.counts.sent,
            "accepted": self.counts.accepted,
            "votes_per_second": self.votes_per_second(),
            "refused": self.counts.refused,
            "faults": self.counts.faults,
            "unknown": self.counts.unknown,
            "unknown_resolved": self.counts.resolved,
            "unknown_open": verdict_open(&self.verdict),
            "latency_ms": self.latency_json(),
            "retries": self.retries_json(),
            "tickets": self.tickets_json(),
            "failed_connects": self.failed_connects,
            "not_begun": self.not_begun,
            "shown_too_low": self.counts.shown_too_low,
            "verdict": self.word(),
            "missing": verdict.missing.iter().map(difference).collect::<Vec<_>>(),
            "doubled": verdict.doubled.iter().map(difference).collect::<Vec<_>>(),
            "oversold_tickets": oversold.collect::<Vec<_>>(),
            "lost_ballots": self.lost.iter().map(lost).collect::<Vec<_>>(),
            "notes": self.notes(),
            "exit_code": self.exit_code(),
        });
        format!("{value}\n")
    }

    /// Nothing where nothing was accepted: no percentile is 0.
    fn latency_json(&self) -> Value {
        let Latency {
            p50,
            p90,
            p99,
            p99_9,
            max,
        } = self.latency;
        if self.counts.accepted == 0 {
            return Value::Null;
        }
        json!({"p50": p50, "p90": p90, "p99": p99, "p99_9": p99_9, "max": max})
    }

    fn retries_json(&self) -> Value {
        let retries = &self.retries;
        json!({
            "sent": retries.sent,
            "duplicate": retries.duplicate,
            "accepted_again": retries.accepted_again,
            "refused": retries.refused,
            "faults": retries.faults,
            "unknown": retries.unknown,
        })
    }

    fn tickets_json(&self) -> Value {
        json!({
            "seen": self.allowance.tickets,
            "uses": self.allowance.uses,
            "votes_per_second": self.allowance.votes_per_second(),
            "waited_share": self.waited_share,
        })
    }

    /// The same for people.
    pub(super) fn table(&self) -> String {
        let mut table = Table::default();
        let counts = &self.counts;
        table.row("servers", self.urls.join(", "));
        let (count, seed) = (self.names.len(), self.seed);
        table.row(
            "candidates",
            format!("{count}, bench-{seed:016x}-… (--seed {seed})"),
        );
        let loop_ = self.rate.map_or("closed loop".into(), |rate| {
            format!("{rate} votes a second")
        });
        let seconds = self.elapsed.as_secs_f64();
        table.row(
            "load",
            format!("{} connections, {loop_}, {seconds:.1} s", self.connections),
        );
        table.line();
        let rate = self.votes_per_second();
        table.row(
            "accepted",
            format!("{} ({rate:.0} votes/s)", counts.accepted),
        );
        table.codes("refused", &counts.refused);
        table.codes("faults", &counts.faults);
        table.codes("unknown", &counts.unknown);
        if !counts.unknown.is_empty() {
            let open = verdict_open(&self.verdict).map_or("?".into(), |open| open.to_string());
            let found = format!("{} found to count, {open} still open", counts.resolved);
            table.row("  sent again", found);
        }
        if self.retries.sent > 0 {
            let Retries {
                sent, duplicate, ..
            } = self.retries;
            table.row("retries", format!("{sent}, {duplicate} of them DUPLICATE"));
            for codes in [
                &self.retries.refused,
                &self.retries.faults,
                &self.retries.unknown,
            ] {
                table.each(codes);
            }
        }
        if counts.accepted > 0 {
            let Latency {
                p50,
                p90,
                p99,
                p99_9,
                max,
            } = self.latency;
            table.row(
                "latency, ms",
                format!("p50 {p50:.2}  p90 {p90:.2}  p99 {p99:.2}  p99.9 {p99_9:.2}  max {max:.2}"),
            );
        }
        table.line();
        table.row("tallies", self.sentence());
        self.wrong_tallies(&mut table);
        for note in self.notes() {
            table.row("note", note);
        }
        table.0
    }

    fn wrong_tallies(&self, table: &mut Table) {
        let Ok(verdict) = &self.verdict else { return };
        for (what, list) in [("missing", &verdict.missing), ("doubled", &verdict.doubled)] {
            for it in list.iter().take(MAX_SHOWN) {
                let (least, most) = (it.expected.start(), it.expected.end());
                let expected = if least == most {
                    least.to_string()
                } else {
                    format!("{least} to {most}")
                };
                let (name, shown, url) = (&self.names[it.candidate], it.shown, &it.url);
                table.row(
                    what,
                    format!("{name}: {shown} shown, {expected} expected, at {url}"),
                );
            }
            if let Some(more) = list.len().checked_sub(MAX_SHOWN).filter(|&more| more > 0) {
                table.row("", format!("and {more} more"));
            }
        }
        for it in &self.lost {
            let fate = it.fate.as_deref().unwrap_or("unknown to the server");
            let name = &self.names[it.candidate];
            table.row("lost", format!("ballot {} for {name}: {fate}", it.id));
        }
    }

    /// The verdict in a sentence.
    fn sentence(&self) -> String {
        let counting = self.counting();
        let Ok(verdict) = &self.verdict else {
            return "NOT CHECKED".into();
        };
        match verdict.word() {
            "exact" if counting == 0 => "nothing was accepted, and nothing shows".into(),
            "exact" => format!("all {counting} accepted votes show, each once"),
            "unproven" => format!(
                "NOT PROVEN: they lie where they may, but whether {} votes count is not known",
                verdict.open
            ),
            "oversold" => "all accepted votes show, but a ticket bought MORE THAN IT COULD".into(),
            "missing" => "ACCEPTED VOTES ARE MISSING".into(),
            "doubled" => "VOTES ARE DOUBLED".into(),
            _ => "ACCEPTED VOTES ARE MISSING, AND OTHERS DOUBLED".into(),
        }
    }

    /// What a reader of the numbers should know.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        notes.extend(self.note_on_tickets());
        let counts = &self.counts;
        if self.is_interrupted {
            notes.push("the load was ended early by a signal".into());
        }
        if counts.refused.contains_key("TICKET_INVALID") && self.urls.len() > 1 {
            let what = "tickets were refused as invalid: servers of one deployment share the key \
                        ring (ticket-secret) and the tickets (tickets-url)";
            notes.push(what.into());
        }
        if counts.shown_too_low > 0 {
            let n = counts.shown_too_low;
            notes.push(format!(
                "{n} answers showed fewer votes than were acknowledged before"
            ));
        }
        if self.retries.accepted_again > 0 {
            let n = self.retries.accepted_again;
            notes.push(format!(
                "{n} ballots were accepted a second time: their server had forgotten the ids"
            ));
        }
        if self.failed_connects > 0 {
            notes.push(format!("connecting failed {} times", self.failed_connects));
        }
        if self.not_begun > 0 {
            let n = self.not_begun;
            notes.push(format!(
                "{n} votes were due and could not begin: the rate was not reached"
            ));
        }
        if self.had_votes {
            notes.push("the candidates had votes before: another run had this seed".into());
        }
        if !self.has_ids && !counts.unknown.is_empty() {
            notes.push("without ballot ids, votes without an answer stay unknown".into());
        }
        if let Err(why) = &self.verdict {
            notes.push(format!("the tallies were not checked: {why}"));
        }
        if let Ok(verdict) = &self.verdict {
            notes.extend(verdict.oversold.iter().map(|it| {
                let (number, uses, bought) = (it.ticket + 1, it.uses, it.bought);
                format!("ticket {number} had {uses} uses left and bought {bought} ballots")
            }));
        }
        notes
    }

    /// By default tickets, not the hardware, bound how fast a server accepts votes.
    fn note_on_tickets(&self) -> Option<String> {
        let used_up = self.counts.refused.contains_key("TICKET_EXHAUSTED");
        if !used_up {
            return None;
        }
        let uses = self.allowance.uses;
        let bound = match self.allowance.votes_per_second() {
            Some(bound) => format!("about {bound:.0} votes a second"),
            None => format!("{uses} votes until the next one comes"),
        };
        let waited = self.waited_share * 100.0;
        Some(format!(
            "tickets were used up, so they bound the rate: {uses} uses each allow {bound}, whatever \
             the server could do. Connections waited for tickets {waited:.0} % of the time. To \
             measure the server, start it with more: --ticket-uses 1000000"
        ))
    }
}

/// None if it was not checked.
fn verdict_open(verdict: &Result<Verdict, String>) -> Option<u64> {
    verdict.as_ref().ok().map(|verdict| verdict.open)
}

/// Names on the left, what is to be said of them on the right.
#[derive(Default)]
struct Table(String);

impl Table {
    fn row(&mut self, name: &str, text: impl std::fmt::Display) {
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
