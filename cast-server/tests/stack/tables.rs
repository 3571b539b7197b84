//! What is in the tables.

use std::collections::BTreeMap;

use cast_testkit::servers::Database;
use serde::Deserialize;
use uuid::Uuid;

use crate::stack::Stack;

/// What is in the tables, in one view.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) ballots: Vec<StoredBallot>,
    /// By candidate: the table that people look at.
    pub(crate) votes: BTreeMap<String, u64>,
    /// By candidate: what it adds up.
    pub(crate) totals: BTreeMap<String, u64>,
    pub(crate) rejected: u64,
    /// By partition: the first record that was not applied.
    pub(crate) progress: BTreeMap<u32, u64>,
}

/// A ballot that was counted.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct StoredBallot {
    pub(crate) id: Uuid,
    pub(crate) voter: String,
    pub(crate) candidates: Vec<String>,
    pub(crate) votes: Vec<u64>,
}

const STORED: &str = "SELECT json_build_object(
    'ballots', (SELECT coalesce(json_agg(ballots ORDER BY id), '[]')
                FROM (SELECT id, voter, candidates, votes FROM ballots) AS ballots),
    'votes', (SELECT coalesce(json_object_agg(username, count), '{}') FROM votes),
    'totals', (SELECT coalesce(json_object_agg(candidate, votes), '{}')
               FROM (SELECT candidate, sum(votes) AS votes FROM totals GROUP BY candidate) AS sums),
    'rejected', (SELECT count(*) FROM rejected),
    'progress', (SELECT coalesce(json_object_agg(partition, next), '{}') FROM progress))";

const PROGRESS: &str = "SELECT coalesce(json_object_agg(partition, next), '{}') FROM progress";

impl Stored {
    /// What is in the tables now.
    pub(crate) async fn read(stack: &Stack) -> Self {
        let text = stack.database.sql(STORED).await;
        serde_json::from_str(&text).expect("what was asked for")
    }

    /// The ballots counted again, by candidate.
    pub(crate) fn recount(&self) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for ballot in &self.ballots {
            for (candidate, votes) in ballot.selections() {
                *sums.entry(candidate).or_default() += votes;
            }
        }
        sums
    }

    /// The ballots by the name that their voters gave them.
    pub(crate) fn by_name(&self) -> BTreeMap<&str, Vec<&StoredBallot>> {
        let mut by_name: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for ballot in &self.ballots {
            by_name.entry(&ballot.voter).or_default().push(ballot);
        }
        by_name
    }
}

impl StoredBallot {
    /// Whom it votes for, in the order sent.
    pub(crate) fn selections(&self) -> Vec<(String, u64)> {
        let candidates = self.candidates.iter().cloned();
        candidates.zip(self.votes.iter().copied()).collect()
    }
}

/// By partition: the first record that was not applied.
pub(crate) async fn progress(database: &Database) -> BTreeMap<u32, u64> {
    let text = database.sql(PROGRESS).await;
    serde_json::from_str(&text).expect("what was asked for")
}

/// How many of these ballots are counted.
pub(crate) async fn counted(database: &Database, ids: &[Uuid]) -> usize {
    let ids: Vec<_> = ids.iter().map(|id| format!("'{id}'")).collect();
    let ids = ids.join(", ");
    let count = format!("SELECT count(*) FROM ballots WHERE id IN ({ids})");
    let count = database.sql(&count).await;
    count.parse().expect("what was asked for")
}
