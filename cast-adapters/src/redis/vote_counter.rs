//! The tallies that are shown: one script for each candidate, all of a call in one round trip.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use bb8_redis::redis::Value;
use cast_core::{
    domain::{AppliedTotal, Candidate, LogPosition, Offset, Partition, Tally, Version},
    ports::{Checkpoint, PendingVotes, PortError, Reading, VoteCounter},
};

use super::{
    error::Cause,
    script::{Call, READ, RECONCILE, RECORD, Script, ms},
    server::Server,
};

/// Votes are passed to the scripts in two parts, which Lua's numbers hold exactly: `high * BASE + low`.
const BASE: u64 = 10_000_000_000;

/// A [`VoteCounter`] in Redis, shared by all API servers and consumers.
///
/// A candidate without pending votes expires if it is not read for
/// [`idle_kept`](super::RedisOptions::idle_kept). One with pending votes does not, so the memory for them
/// is bounded by the consumers' lag and not by the number of candidates.
#[derive(Clone)]
pub struct RedisCounter {
    pub(super) server: Arc<Server>,
}

impl RedisCounter {
    /// A call of a script for a candidate; further arguments follow.
    fn call(&self, script: &'static Script, candidate: &Candidate) -> Call {
        let server = &self.server;
        let mut call = script.call(&[server.keys.tally(candidate)]);
        call.arg(ms(server.options.idle_kept));
        call
    }

    async fn record_with_cause(
        &self,
        pending: &[PendingVotes],
        show: &[Candidate],
    ) -> Result<Vec<Reading>, Cause> {
        let mut calls: Vec<Call> = Vec::new();
        let mut answered_by = HashMap::new();
        let mut call_for = |calls: &mut Vec<Call>, script, candidate| {
            *answered_by.entry(candidate).or_insert_with(|| {
                calls.push(self.call(script, candidate));
                calls.len() - 1
            })
        };
        for PendingVotes { position, votes } in pending {
            let LogPosition { partition, offset } = *position;
            for (candidate, votes) in votes {
                let call = call_for(&mut calls, &RECORD, candidate);
                calls[call]
                    .arg(partition.get())
                    .arg(offset.get())
                    .arg(record_member(partition, offset))
                    .arg(votes / BASE)
                    .arg(votes % BASE);
            }
        }
        for candidate in show {
            call_for(&mut calls, &READ, candidate);
        }
        let answers = self.server.cluster.calls(calls).await?;
        show.iter()
            .map(|candidate| reading(candidate, &answers[answered_by[candidate]]))
            .collect()
    }

    async fn applied_totals_with_cause(
        &self,
        candidates: &[Candidate],
    ) -> Result<Vec<Vec<AppliedTotal>>, Cause> {
        let calls = candidates
            .iter()
            .map(|candidate| self.call(&READ, candidate));
        let answers = self.server.cluster.calls(calls.collect()).await?;
        answers.iter().map(applied_totals).collect()
    }

    async fn reconcile_with_cause(&self, checkpoints: &[Checkpoint]) -> Result<(), Cause> {
        let calls = checkpoints.iter().map(|checkpoint| {
            let mut call = self.call(&RECONCILE, &checkpoint.candidate);
            call.arg(u8::from(checkpoint.whole));
            for total in &checkpoint.applied_totals {
                let AppliedTotal {
                    partition,
                    votes,
                    as_of,
                } = *total;
                call.arg(partition.get())
                    .arg(as_of.get())
                    .arg(votes)
                    .arg(pending_members(partition))
                    .arg(record_member(partition, as_of));
            }
            call
        });
        self.server.cluster.calls(calls.collect()).await.map(drop)
    }
}

#[async_trait]
impl VoteCounter for RedisCounter {
    async fn record(
        &self,
        pending: &[PendingVotes],
        show: &[Candidate],
    ) -> Result<Vec<Reading>, PortError> {
        let readings = self.record_with_cause(pending, show).await;
        readings.map_err(|cause| cause.with_operation("recording votes in Redis"))
    }

    async fn reconcile(&self, checkpoints: &[Checkpoint]) -> Result<(), PortError> {
        let reconciled = self.reconcile_with_cause(checkpoints).await;
        reconciled.map_err(|cause| cause.with_operation("reconciling tallies in Redis"))
    }

    async fn read(&self, candidates: &[Candidate]) -> Result<Vec<Reading>, PortError> {
        if candidates.is_empty() {
            // Without candidates the call is a health check.
            self.server.ping().await?;
        }
        let readings = self.record_with_cause(&[], candidates).await;
        readings.map_err(|cause| cause.with_operation("reading tallies from Redis"))
    }

    async fn applied_totals(
        &self,
        candidates: &[Candidate],
    ) -> Result<Vec<Vec<AppliedTotal>>, PortError> {
        let totals = self.applied_totals_with_cause(candidates).await;
        totals.map_err(|cause| cause.with_operation("reading applied totals from Redis"))
    }
}

/// The beginning of the members of a partition's pending records.
fn pending_members(partition: Partition) -> String {
    format!("t:{:010}:", partition.get())
}

/// The beginning of the member of a pending record. Its numbers have a fixed width, so that the members
/// are ordered as the log is.
fn record_member(partition: Partition, offset: Offset) -> String {
    format!("t:{:010}:{:020}:", partition.get(), offset.get())
}

/// The reading in the answer of a script: the age in ms, or -1, and a text for each partition.
///
/// An invalid count is a miss, and reconciling replaces it.
fn reading(candidate: &Candidate, answer: &Value) -> Result<Reading, Cause> {
    let Value::Array(answer) = answer else {
        return Err(Cause::Answer("a count is not a list"));
    };
    let [Value::Int(age_ms), partitions @ ..] = answer.as_slice() else {
        return Err(Cause::Answer("a count does not begin with its age"));
    };
    let (mut votes, mut version) = (0_u128, 0_u64);
    for partition in partitions {
        let Some((_, its_votes, its_end)) = partition_count(partition) else {
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
            // A tally beyond 64 bits shows the largest number.
            votes: u64::try_from(votes).unwrap_or(u64::MAX),
            version: Version::new(version),
        },
        age: u64::try_from(*age_ms).ok().map(Duration::from_millis),
    })
}

/// The applied totals in the answer of a script, by partition; none if the count is invalid.
fn applied_totals(answer: &Value) -> Result<Vec<AppliedTotal>, Cause> {
    let Value::Array(answer) = answer else {
        return Err(Cause::Answer("a count is not a list"));
    };
    let totals = answer.iter().skip(1).map(partition_count);
    let totals = totals.map(|count| count.map(|(applied, ..)| applied));
    let mut applied_totals: Vec<_> = Option::unwrap_or_default(totals.collect());
    applied_totals.retain(|total| total.as_of > Offset::START);
    applied_totals.sort_unstable_by_key(|total| total.partition);
    Ok(applied_totals)
}

/// The applied total of a partition, all its votes, and the offset after the last record that is counted. The text is
/// `b:<partition>:<as_of>:<applied>:<last>:<high>:<low>`; see `lua/count.lua`.
fn partition_count(text: &Value) -> Option<(AppliedTotal, u128, u64)> {
    let Value::BulkString(text) = text else {
        return None;
    };
    let mut parts = std::str::from_utf8(text).ok()?.split(':').skip(1);
    let mut next = || parts.next();
    let applied = AppliedTotal {
        partition: Partition::new(next()?.parse().ok()?),
        as_of: Offset::new(next()?.parse().ok()?),
        votes: next()?.parse().ok()?,
    };
    let end = match next()? {
        "" => applied.as_of.get(),
        // Pending records are at `as_of` or later.
        last => last.parse::<u64>().ok()?.checked_add(1)?,
    };
    let (high, low): (u128, u128) = (next()?.parse().ok()?, next()?.parse().ok()?);
    let votes = u128::from(applied.votes) + high * u128::from(BASE) + low;
    Some((applied, votes, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> Option<(u128, u64)> {
        let count = partition_count(&Value::BulkString(text.into()));
        count.map(|(_, votes, end)| (votes, end))
    }

    #[test]
    fn the_count_of_a_partition_is_its_applied_total_and_its_pending_votes() {
        assert_eq!(count("b:3:10:70::0:0"), Some((70, 10)));
        assert_eq!(count("b:3:10:70:12:0:5"), Some((75, 13)));
        assert_eq!(count("b:0:0:0:0:2:1"), Some((20_000_000_001, 1)));
    }

    #[test]
    fn an_invalid_count_is_not_read() {
        for text in ["", "b", "b:0:1:2", "b:0:1:2::x:0", "b:0:-1:2::0:0"] {
            assert_eq!(count(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_candidate_with_an_invalid_count_is_a_miss() {
        let candidate = Candidate::new("alice").expect("a name");
        let text = |text: &str| Value::BulkString(text.into());
        let answer = Value::Array(vec![Value::Int(5), text("b:0:1:2::0:0"), text("b:1")]);
        let shown = reading(&candidate, &answer).expect("a reading");
        assert_eq!((shown.tally.votes, shown.age), (0, None));
    }

    #[test]
    fn pending_records_are_ordered_as_the_log_is() {
        let of = |partition, offset| record_member(Partition::new(partition), Offset::new(offset));
        let ordered = [of(0, 9), of(0, 10), of(0, u64::MAX), of(9, 0), of(10, 0)];
        assert!(ordered.is_sorted(), "{ordered:?}");
        assert!(of(9, 0).starts_with(&pending_members(Partition::new(9))));
    }

    #[test]
    fn a_tally_beyond_64_bits_shows_the_largest_number() {
        let candidate = Candidate::new("alice").expect("a name");
        let full = Value::BulkString(format!("b:0:1:{}::0:0", u64::MAX).into());
        let answer = Value::Array(vec![Value::Int(-1), full.clone(), full]);
        let shown = reading(&candidate, &answer).expect("a reading");
        assert_eq!((shown.tally.votes, shown.age), (u64::MAX, None));
    }
}
