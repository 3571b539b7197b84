//! What a run comes to.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use hdrhistogram::Histogram;

use crate::commands::bench::{
    allowance::Allowance,
    run::Run,
    run_stats::{RetryCounts, VoteCounts},
    verdict::Verdict,
    verify::LostBallot,
};

/// A vote is missing or doubled, or a ticket bought too much.
const EXIT_DIFFERENCE: u8 = 3;

/// What a run comes to.
#[derive(Debug)]
pub(in crate::commands::bench) struct Report {
    pub(super) urls: Vec<String>,
    pub(super) names: Vec<String>,
    pub(super) connections: usize,
    pub(super) rate: Option<u32>,
    pub(super) has_ids: bool,
    pub(super) load: Load,
    pub(super) votes: VoteCounts,
    pub(super) retries: RetryCounts,
    pub(super) not_begun: u64,
    pub(super) failed_connects: u64,
    /// The share of their time that connections waited for tickets.
    pub(super) waited_share: f64,
    pub(super) allowance: Allowance,
    /// Of accepted votes, in microseconds.
    pub(super) latencies: Histogram<u64>,
    pub(super) checked: Checked,
}

/// How the load went.
#[derive(Debug)]
pub(in crate::commands::bench) struct Load {
    pub(in crate::commands::bench) elapsed: Duration,
    pub(in crate::commands::bench) seed: u64,
    /// A signal ended it early.
    pub(in crate::commands::bench) is_interrupted: bool,
    /// Whether there were votes for the candidates before.
    pub(in crate::commands::bench) had_votes: bool,
}

/// What the check at the end found.
#[derive(Debug)]
pub(in crate::commands::bench) struct Checked {
    /// Or why it was not made.
    pub(in crate::commands::bench) verdict: Result<Verdict, String>,
    pub(in crate::commands::bench) lost: Vec<LostBallot>,
}

/// Latencies of accepted votes, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Latency {
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) p99_9: f64,
    pub(super) max: f64,
}

impl Report {
    #[expect(clippy::cast_precision_loss, reason = "numbers to be shown")]
    pub(in crate::commands::bench) fn new(run: &Run, load: Load, checked: Checked) -> Self {
        let stats = run.stats();
        let config = &run.config;
        let all = load.elapsed.as_secs_f64() * config.connections as f64;
        Self {
            urls: config.urls.iter().map(ToString::to_string).collect(),
            names: run.names.clone(),
            connections: config.connections,
            rate: config.rate,
            has_ids: !config.no_ballot_ids,
            load,
            votes: stats.votes.clone(),
            retries: stats.retries.clone(),
            not_begun: stats.not_begun,
            failed_connects: run.failed_connects.load(Relaxed),
            waited_share: run.waited_for_tickets().as_secs_f64() / all,
            allowance: stats.allowance(),
            latencies: stats.latencies.clone(),
            checked,
        }
    }

    /// 0: every accepted vote counts once. 3: one does not. 1: it is not known, or nothing was
    /// accepted.
    pub(in crate::commands::bench) fn exit_code(&self) -> u8 {
        match &self.checked.verdict {
            Ok(verdict) if verdict.is_broken() => EXIT_DIFFERENCE,
            Ok(verdict) if verdict.open == 0 && self.counting() > 0 => 0,
            _ => 1,
        }
    }

    /// Ballots that are known to count.
    pub(super) const fn counting(&self) -> u64 {
        self.votes.accepted + self.votes.resolved
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate to be shown")]
    pub(super) fn votes_per_second(&self) -> f64 {
        self.votes.accepted as f64 / self.load.elapsed.as_secs_f64()
    }

    /// Ballots of which it is not known whether they count; `None` if the check was not made.
    pub(super) fn open(&self) -> Option<u64> {
        let verdict = self.checked.verdict.as_ref().ok();
        verdict.map(|verdict| verdict.open)
    }

    /// `None` where nothing was accepted: no percentile is 0.
    #[expect(clippy::cast_precision_loss, reason = "numbers to be shown")]
    pub(super) fn latency(&self) -> Option<Latency> {
        let as_ms = |us: u64| us as f64 / 1_000.0;
        let at = |share| as_ms(self.latencies.value_at_quantile(share));
        (self.votes.accepted > 0).then(|| Latency {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: as_ms(self.latencies.max()),
        })
    }

    /// What a reader of the numbers should know.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        notes.extend(self.note_on_tickets());
        let votes = &self.votes;
        if self.load.is_interrupted {
            notes.push("a signal ended the load early".into());
        }
        if votes.refused.contains_key("TICKET_INVALID") && self.urls.len() > 1 {
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
            self.retries.accepted_again,
            "ballots were accepted a second time: their server had lost the ids",
        );
        count(self.failed_connects, "connection attempts failed");
        count(
            self.not_begun,
            "votes were due and could not begin: the rate was not reached",
        );
        if self.load.had_votes {
            notes.push("the candidates had votes before: another run had this seed".into());
        }
        if !self.has_ids && !votes.unknown.is_empty() {
            notes.push("without ballot ids, votes without an answer stay unknown".into());
        }
        notes.extend(self.notes_on_check());
        notes
    }

    fn notes_on_check(&self) -> Vec<String> {
        let verdict = match &self.checked.verdict {
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
        if !self.votes.refused.contains_key("TICKET_EXHAUSTED") {
            return None;
        }
        let uses = self.allowance.uses;
        let bound = match self.allowance.votes_per_second() {
            Some(bound) => format!("about {bound:.0} votes/s"),
            None => format!("{uses} votes until the next one comes"),
        };
        let waited = self.waited_share * 100.0;
        Some(format!(
            "tickets were used up, so they bound the rate: {uses} uses each allow {bound}, whatever \
             the server could do. Connections waited for tickets {waited:.0} % of the time. To \
             measure the server, start it with --ticket-uses 1000000"
        ))
    }
}
