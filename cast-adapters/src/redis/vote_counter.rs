//! The tallies that are shown: one script for each candidate, all of a call in one round trip.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

use async_trait::async_trait;
use bb8_redis::redis::Value;
use cast_core::{
    domain::{AppliedTotal, Candidate, LogPosition, Offset, Partition, Tally, Version},
    ports::{Checkpoint, PendingVotes, PortError, Reading, VoteCounter},
};

use super::{
    Redis,
    error::{Cause, Failed},
    script::{Call, READ, RECONCILE, RECORD, Script},
};

/// Votes go to the scripts in two parts, which Lua's numbers hold exactly: `high * BASE + low`.
const BASE: u64 = 10_000_000_000;

/// A [`VoteCounter`] in Redis, shared by all doors and consumers.
///
/// A candidate without unreconciled votes is forgotten when nobody asked for it for
/// [`idle_kept`](super::RedisOptions::idle_kept); one with unreconciled votes never, so what it takes
/// follows the consumers' lag, and not the number of candidates.
#[derive(Clone)]
pub struct RedisCounter {
    redis: Redis,
}

impl RedisCounter {
    pub(super) const fn on(redis: Redis) -> Self {
        Self { redis }
    }

    /// Begins the call of a script about a candidate.
    fn call(&self, script: &'static Script, candidate: &Candidate) -> Call {
        let server = &self.redis.0;
        let mut call = script.call(&[server.keys.tally(candidate)]);
        // As a text: what the options allow has at most 63 bits.
        call.arg(server.options.idle_kept.as_millis().to_string());
        call
    }

    async fn record_with_cause(
        &self,
        tails: &[PendingVotes],
        show: &[Candidate],
    ) -> Result<Vec<Reading>, Cause> {
        let votes_by_candidate = by_candidate(tails);
        let mut calls = Vec::with_capacity(votes_by_candidate.len().max(show.len()));
        let mut answered_by = HashMap::with_capacity(calls.capacity());
        for (candidate, votes) in votes_by_candidate {
            let mut call = self.call(&RECORD, candidate);
            for (position, votes) in votes {
                let LogPosition { partition, offset } = position;
                call.arg(partition.get())
                    .arg(offset.get())
                    .arg(record_member(partition, offset))
                    .arg(votes / BASE)
                    .arg(votes % BASE);
            }
            answered_by.insert(candidate, calls.len());
            calls.push(call);
        }
        for candidate in show {
            if let Entry::Vacant(new) = answered_by.entry(candidate) {
                new.insert(calls.len());
                calls.push(self.call(&READ, candidate));
            }
        }
        let answers = self.redis.0.nodes.calls(calls).await?;
        show.iter()
            .map(|candidate| reading(candidate, &answers[answered_by[candidate]]))
            .collect()
    }

    async fn reconciled_with_cause(
        &self,
        candidates: &[Candidate],
    ) -> Result<Vec<Vec<AppliedTotal>>, Cause> {
        let calls = candidates.iter().map(|who| self.call(&READ, who));
        let answers = self.redis.0.nodes.calls(calls.collect()).await?;
        answers.iter().map(applied_totals).collect()
    }

    async fn reconcile_with_cause(&self, checkpoints: &[Checkpoint]) -> Result<(), Cause> {
        let calls = checkpoints.iter().map(|checkpoint| {
            let mut call = self.call(&RECONCILE, &checkpoint.candidate);
            call.arg(u8::from(checkpoint.whole));
            for prefix in &checkpoint.applied_totals {
                let AppliedTotal {
                    partition,
                    votes,
                    as_of,
                } = *prefix;
                call.arg(partition.get())
                    .arg(as_of.get())
                    .arg(votes)
                    .arg(tail_members(partition))
                    .arg(record_member(partition, as_of));
            }
            call
        });
        self.redis.0.nodes.calls(calls.collect()).await.map(drop)
    }
}

#[async_trait]
impl VoteCounter for RedisCounter {
    async fn record(
        &self,
        tails: &[PendingVotes],
        show: &[Candidate],
    ) -> Result<Vec<Reading>, PortError> {
        let readings = self.record_with_cause(tails, show).await;
        Ok(readings.map_err(|why| Failed::new("recording votes in Redis", why))?)
    }

    async fn reconcile(&self, checkpoints: &[Checkpoint]) -> Result<(), PortError> {
        let reconciled = self.reconcile_with_cause(checkpoints).await;
        Ok(reconciled.map_err(|why| Failed::new("reconciling tallies in Redis", why))?)
    }

    async fn read(&self, candidates: &[Candidate]) -> Result<Vec<Reading>, PortError> {
        if candidates.is_empty() {
            // Whoever asks for nothing asks whether there is anybody.
            self.redis.ping().await?;
        }
        let readings = self.record_with_cause(&[], candidates).await;
        Ok(readings.map_err(|why| Failed::new("reading tallies from Redis", why))?)
    }

    async fn applied_totals(
        &self,
        candidates: &[Candidate],
    ) -> Result<Vec<Vec<AppliedTotal>>, PortError> {
        let reconciled = self.reconciled_with_cause(candidates).await;
        Ok(reconciled.map_err(|why| Failed::new("reading what is reconciled from Redis", why))?)
    }
}

/// What the members of a partition's tail begin with.
fn tail_members(partition: Partition) -> String {
    format!("t:{:010}:", partition.get())
}

/// What the member of a record begins with: of a width, so that members order as the log does.
fn record_member(partition: Partition, offset: Offset) -> String {
    format!("t:{:010}:{:020}:", partition.get(), offset.get())
}

/// What each candidate is given by the tails, and at which positions.
fn by_candidate(tails: &[PendingVotes]) -> HashMap<&Candidate, Vec<(LogPosition, u64)>> {
    let mut all: HashMap<&Candidate, Vec<(LogPosition, u64)>> = HashMap::new();
    for tail in tails {
        for (candidate, votes) in &tail.votes {
            all.entry(candidate)
                .or_default()
                .push((tail.position, *votes));
        }
    }
    all
}

/// What a script says of a candidate: its age in ms, or -1, and a text for each partition.
///
/// A count that makes no sense is as good as lost: it is a miss, and reconciling replaces it.
fn reading(candidate: &Candidate, answer: &Value) -> Result<Reading, Cause> {
    let Value::Array(answer) = answer else {
        return Err(Cause::Answer("a count is told in a list"));
    };
    let [Value::Int(age_ms), partitions @ ..] = answer.as_slice() else {
        return Err(Cause::Answer("a count begins with its age"));
    };
    let (mut votes, mut version) = (0_u128, 0_u64);
    for partition in partitions {
        let Some((its_votes, its_end)) = partition_count(partition) else {
            return Ok(Reading {
                tally: Tally::none(candidate.clone()),
                age: None,
            });
        };
        votes = votes.saturating_add(its_votes);
        version = version.saturating_add(its_end);
    }
    Ok(Reading {
        tally: Tally {
            candidate: candidate.clone(),
            // More than a tally can show is shown as the most.
            votes: u64::try_from(votes).unwrap_or(u64::MAX),
            version: Version::new(version),
        },
        age: u64::try_from(*age_ms).ok().map(Duration::from_millis),
    })
}

/// What a script says that is reconciled of a candidate, by partition. Of a count that makes no sense,
/// nothing is.
fn applied_totals(answer: &Value) -> Result<Vec<AppliedTotal>, Cause> {
    let Value::Array(answer) = answer else {
        return Err(Cause::Answer("a count is told in a list"));
    };
    let applied_totals = answer.iter().skip(1).map(reconciled_prefix).collect();
    let mut applied_totals: Vec<AppliedTotal> = Option::unwrap_or_default(applied_totals);
    applied_totals.retain(|prefix| prefix.as_of > Offset::START);
    applied_totals.sort_unstable_by_key(|prefix| prefix.partition);
    Ok(applied_totals)
}

/// The reconciled votes of a partition; the text is as in [`partition_count`].
fn reconciled_prefix(text: &Value) -> Option<AppliedTotal> {
    partition_count(text)?;
    let Value::BulkString(text) = text else {
        return None;
    };
    let mut parts = std::str::from_utf8(text).ok()?.split(':').skip(1);
    let partition = Partition::new(parts.next()?.parse().ok()?);
    let as_of = Offset::new(parts.next()?.parse().ok()?);
    let votes = parts.next()?.parse().ok()?;
    Some(AppliedTotal {
        partition,
        votes,
        as_of,
    })
}

/// The votes of a partition, and the offset behind the last record taken in. The text is
/// `b:<partition>:<as_of>:<reconciled>:<last>:<high>:<low>`; see `lua/count.lua`.
fn partition_count(text: &Value) -> Option<(u128, u64)> {
    let Value::BulkString(text) = text else {
        return None;
    };
    let mut parts = std::str::from_utf8(text).ok()?.split(':').skip(2);
    let mut next = || parts.next();
    let as_of: u64 = next()?.parse().ok()?;
    let reconciled: u128 = next()?.parse().ok()?;
    let end = match next()? {
        "" => as_of,
        // A tail lies at or behind `as_of`.
        last => last.parse::<u64>().ok()?.checked_add(1)?,
    };
    let (high, low): (u128, u128) = (next()?.parse().ok()?, next()?.parse().ok()?);
    Some((reconciled + high * u128::from(BASE) + low, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> Option<(u128, u64)> {
        partition_count(&Value::BulkString(text.into()))
    }

    #[test]
    fn a_partitions_count_is_reconciled_votes_and_tail() {
        assert_eq!(count("b:3:10:70::0:0"), Some((70, 10)));
        assert_eq!(count("b:3:10:70:12:0:5"), Some((75, 13)));
        assert_eq!(count("b:0:0:0:0:2:1"), Some((20_000_000_001, 1)));
    }

    #[test]
    fn what_is_no_count_is_not_taken_for_one() {
        for text in ["", "b", "b:0:1:2", "b:0:1:2::x:0", "b:0:-1:2::0:0"] {
            assert_eq!(count(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_count_that_makes_no_sense_is_a_miss() {
        let candidate = Candidate::new("alice").expect("a name");
        let text = |text: &str| Value::BulkString(text.into());
        let answer = Value::Array(vec![Value::Int(5), text("b:0:1:2::0:0"), text("b:1")]);
        let shown = reading(&candidate, &answer).expect("a reading");
        assert_eq!((shown.tally.votes, shown.age), (0, None));
    }

    #[test]
    fn members_of_a_tail_order_as_the_log_does() {
        let of = |partition, offset| record_member(Partition::new(partition), Offset::new(offset));
        let ordered = [of(0, 9), of(0, 10), of(0, u64::MAX), of(9, 0), of(10, 0)];
        assert!(ordered.is_sorted(), "{ordered:?}");
        assert!(of(9, 0).starts_with(&tail_members(Partition::new(9))));
    }

    #[test]
    fn more_votes_than_a_tally_can_show_are_shown_as_the_most() {
        let candidate = Candidate::new("alice").expect("a name");
        let full = Value::BulkString(format!("b:0:1:{}::0:0", u64::MAX).into());
        let answer = Value::Array(vec![Value::Int(-1), full.clone(), full]);
        let shown = reading(&candidate, &answer).expect("a reading");
        assert_eq!((shown.tally.votes, shown.age), (u64::MAX, None));
    }
}
