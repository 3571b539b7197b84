//! What a run comes to.

use std::{
    sync::{MutexGuard, atomic::Ordering::Relaxed},
    time::Duration,
};

use serde::Serialize;

use crate::{
    commands::bench::{run::Run, run_stats::RunStats, verdict::Verdict, verify::LostBallot},
    process::exit,
};

/// What a run comes to.
pub(in crate::commands::bench) struct Report<'a> {
    pub(in crate::commands::bench) run: &'a Run,
    pub(in crate::commands::bench) stats: MutexGuard<'a, RunStats>,
    /// How long the load took.
    pub(in crate::commands::bench) elapsed: Duration,
    pub(in crate::commands::bench) seed: u64,
    /// Whether there were votes for the candidates before.
    pub(in crate::commands::bench) had_votes: bool,
    /// What the check at the end found, or why it was not made.
    pub(in crate::commands::bench) verdict: Result<Verdict, String>,
    pub(in crate::commands::bench) lost: Vec<LostBallot>,
}

/// Latencies of accepted votes, in milliseconds.
#[derive(Serialize)]
pub(super) struct Latency {
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) p99_9: f64,
    pub(super) max: f64,
}

impl Report<'_> {
    /// 0: every accepted vote counts once. 3: one does not. 1: it is not known, or nothing was
    /// accepted.
    pub(in crate::commands::bench) fn exit_code(&self) -> u8 {
        match &self.verdict {
            Ok(verdict) if verdict.is_broken() => exit::DIFFERENCE,
            Ok(verdict) if verdict.open == 0 && self.counting() > 0 => exit::OK,
            _ => exit::FAILED,
        }
    }

    /// Ballots that are known to count.
    pub(super) fn counting(&self) -> u64 {
        self.stats.votes.accepted + self.stats.votes.resolved
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate to be shown")]
    pub(super) fn votes_per_second(&self) -> f64 {
        self.stats.votes.accepted as f64 / self.elapsed.as_secs_f64()
    }

    /// Ballots of which it is not known whether they count; `None` if the check was not made.
    pub(super) fn open(&self) -> Option<u64> {
        let verdict = self.verdict.as_ref().ok();
        verdict.map(|verdict| verdict.open)
    }

    /// The share of their time that connections waited for tickets.
    #[expect(clippy::cast_precision_loss, reason = "a number to be shown")]
    pub(super) fn waited_share(&self) -> f64 {
        let all = self.elapsed.as_secs_f64() * self.run.config.connections as f64;
        self.run.waited_for_tickets().as_secs_f64() / all
    }

    /// `None` where nothing was accepted: no percentile is 0.
    #[expect(clippy::cast_precision_loss, reason = "numbers to be shown")]
    pub(super) fn latency(&self) -> Option<Latency> {
        let as_ms = |us: u64| us as f64 / 1_000.0;
        let at = |share| as_ms(self.stats.latencies.value_at_quantile(share));
        (self.stats.votes.accepted > 0).then(|| Latency {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: as_ms(self.stats.latencies.max()),
        })
    }

    /// What a reader of the numbers should know.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        notes.extend(self.note_on_tickets());
        let (votes, config) = (&self.stats.votes, &self.run.config);
        if self.run.is_interrupted.load(Relaxed) {
            notes.push("a signal ended the load early".into());
        }
        if votes.refused.contains_key("TICKET_INVALID") && config.urls.len() > 1 {
            let what = "tickets were refused as invalid: servers of one deployment share the key \
                        ring (--ticket-secret) and the tickets (--tickets-url)";
            notes.push(what.into());
        }
        let mut count = |count: u64, what: &str| {
            if count > 0 {
                notes.push(format!("{count} {what}"));
            }
        };
        count(
            votes.shown_too_low,
            "answers showed fewer votes than were acknowledged before",
        );
        count(
            self.stats.retries.accepted_again,
            "ballots were accepted a second time: their server had lost the ids",
        );
        count(
            self.run.failed_connects.load(Relaxed),
            "connection attempts failed",
        );
        count(
            self.stats.not_begun,
            "votes were due and could not begin: the rate was not reached",
        );
        if self.had_votes {
            notes.push("the candidates had votes before: another run had this seed".into());
        }
        if config.no_ballot_ids && !votes.unknown.is_empty() {
            notes.push("without ballot ids, votes without an answer stay unknown".into());
        }
        notes.extend(self.notes_on_check());
        notes
    }

    fn notes_on_check(&self) -> Vec<String> {
        let verdict = match &self.verdict {
            Ok(verdict) => verdict,
            Err(why) => return vec![format!("the tallies were not checked: {why}")],
        };
        let oversold = verdict.oversold.iter().map(|it| {
            let (number, uses, bought) = (it.ticket + 1, it.uses, it.bought);
            format!("ticket {number} had {uses} uses left and bought {bought} ballots")
        });
        oversold.collect()
    }

    /// By default tickets, not the hardware, bound how fast a server accepts votes.
    fn note_on_tickets(&self) -> Option<String> {
        if !self.stats.votes.refused.contains_key("TICKET_EXHAUSTED") {
            return None;
        }
        let allowance = self.stats.limits.allowance();
        let uses = allowance.uses;
        let bound = match allowance.votes_per_second() {
            Some(bound) => format!("about {bound:.0} votes/s"),
            None => format!("{uses} votes until the next one comes"),
        };
        let waited = self.waited_share() * 100.0;
        Some(format!(
            "tickets were used up, so they bound the rate: {uses} uses each allow {bound}, whatever \
             the server could do. Connections waited for tickets {waited:.0} % of the time. To \
             measure the server, start it with --ticket-uses 1000000"
        ))
    }
}
