//! The store: each method a transaction or a statement.

mod fold;
mod read;
mod rows;
mod statements;
mod stored_ballots;

use std::sync::Arc;

use async_trait::async_trait;
use cast_core::{
    domain::{BallotId, Candidate, Fate, FoldStep, Partition, Progress, StoredTally, Tally},
    ports::{Applied, PortError, Recount, StoredBallot, VoteStore},
};
use futures_util::FutureExt as _;

use self::{fold::Folded, rows::Rows};
use super::{
    error::Error,
    options::PostgresOptions,
    sessions::{End, Sessions},
};

/// How often a step loses to other partitions that count the same ballots at the same moment. Each
/// time the other one is done with them, so it takes as many partitions to lose so often.
const MAX_RACES: usize = 16;

/// A [`VoteStore`] in PostgreSQL.
///
/// A handle to it is cheap to clone, and any number of processes may work on one database.
#[derive(Clone)]
pub struct PostgresStore {
    sessions: Sessions,
    options: Arc<PostgresOptions>,
}

impl PostgresStore {
    /// A store in this database. Connects when it is first used: a server that is not there yet
    /// makes that call fail, not this one.
    pub fn new(options: PostgresOptions) -> Self {
        Self {
            sessions: Sessions::new(&options),
            options: Arc::new(options),
        }
    }

    /// Whether the database answers, and has the tables that this binary works with.
    ///
    /// # Errors
    ///
    /// `Unavailable` while it may yet come; `Misconfigured` where somebody has to do something (run
    /// `cast-server migrate`, upgrade the binary, correct the URL), which the source names.
    pub async fn check(&self) -> Result<(), PortError> {
        let progress = self.sessions.read(|connection| {
            async { read::progress(connection, Partition::new(0)).await }.boxed()
        });
        let checked = progress.await.map(drop);
        checked.map_err(|error| error.doing("checking the store"))
    }

    /// Runs the transaction of a step, and keeps it or not.
    async fn step(&self, step: &FoldStep, keep: bool) -> Result<Applied, Error> {
        let (partition, rows) = (step.partition, Rows::of(step)?);
        for _ in 0..MAX_RACES {
            if let Folded::Done(applied) = self.attempt(partition, rows.clone(), keep).await? {
                return Ok(applied);
            }
        }
        Err(Error::Raced)
    }

    async fn attempt(&self, partition: Partition, rows: Rows, keep: bool) -> Result<Folded, Error> {
        let limit = self.options.transaction_timeout;
        let folded = self.sessions.transaction(limit, move |connection| {
            async move {
                let folded = fold::fold(connection, partition, rows).await?;
                let changed = matches!(folded, Folded::Done(Applied::Folded { .. }));
                Ok(if changed && keep {
                    End::Commit(folded)
                } else {
                    End::RollBack(folded)
                })
            }
            .boxed()
        });
        folded.await
    }
}

#[async_trait]
impl VoteStore for PostgresStore {
    async fn progress(&self, partition: Partition) -> Result<Progress, PortError> {
        let progress = self
            .sessions
            .read(move |connection| read::progress(connection, partition).boxed());
        let progress = progress.await;
        progress.map_err(|error| error.doing("reading progress"))
    }

    async fn apply(&self, step: &FoldStep) -> Result<Applied, PortError> {
        let applied = self.step(step, true).await;
        applied.map_err(|error| error.doing("applying a step"))
    }

    async fn dry_run(&self, step: &FoldStep) -> Result<(), PortError> {
        let dry_run = self.step(step, false).await.map(drop);
        dry_run.map_err(|error| error.doing("a dry run of a step"))
    }

    async fn tallies(&self, candidates: &[Candidate]) -> Result<Vec<StoredTally>, PortError> {
        let candidates = candidates.to_vec();
        let tallies = self
            .sessions
            .read(move |connection| read::tallies(connection, candidates).boxed());
        let tallies = tallies.await;
        tallies.map_err(|error| error.doing("reading tallies"))
    }

    async fn leaders(&self, first: usize) -> Result<Vec<Tally>, PortError> {
        let leaders = self
            .sessions
            .read(move |connection| read::leaders(connection, first).boxed());
        let leaders = leaders.await;
        leaders.map_err(|error| error.doing("reading the leaders"))
    }

    async fn ballot(&self, id: BallotId) -> Result<Option<Fate>, PortError> {
        let fate = self
            .sessions
            .read(move |connection| read::ballot(connection, id).boxed());
        let fate = fate.await;
        fate.map_err(|error| error.doing("reading a ballot's fate"))
    }

    async fn recount(&self) -> Result<Recount, PortError> {
        let limit = self.options.recount_timeout;
        let recounted = self.sessions.transaction(limit, move |connection| {
            async move { Ok(End::RollBack(read::recount(connection, limit).await?)) }.boxed()
        });
        let recounted = recounted.await;
        recounted.map_err(|error| error.doing("recounting ballots"))
    }

    async fn stored_ballots(
        &self,
        ids: &[BallotId],
    ) -> Result<Vec<Option<StoredBallot>>, PortError> {
        let ids = ids.to_vec();
        let kept = self
            .sessions
            .read(move |connection| stored_ballots::stored_ballots(connection, ids).boxed());
        let kept = kept.await;
        kept.map_err(|error| error.doing("reading ballots"))
    }
}
