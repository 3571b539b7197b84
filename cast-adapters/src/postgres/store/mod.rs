//! The store. Each method is a transaction or a single statement.

mod fold;
mod import;
mod read;
mod rows;
mod statements;

use async_trait::async_trait;
use cast_core::{
    domain::{BallotId, Candidate, Fate, FoldStep, Partition, Progress, StoredTally, Tally},
    ports::{Applied, PortError, Recount, StoredBallot, VoteStore},
};
use futures_util::FutureExt as _;

use self::rows::Rows;
use super::{
    error::Error,
    options::PostgresOptions,
    sessions::{End, Sessions},
};

/// How often a step is attempted when the transactions of other partitions insert the same ballots at the
/// same moment. Each attempt loses to another partition, so this many attempts need as many partitions.
const MAX_RACES: usize = 16;

/// A [`VoteStore`] in PostgreSQL.
///
/// A clone shares the connections, and any number of processes may use one database.
#[derive(Clone)]
pub struct PostgresStore {
    sessions: Sessions,
}

impl PostgresStore {
    /// A store in this database. It connects with the first call, which fails if the server is not
    /// running yet.
    pub fn new(options: PostgresOptions) -> Self {
        Self {
            sessions: Sessions::new(options),
        }
    }

    /// Whether the database answers, and has the schema of this binary.
    ///
    /// # Errors
    ///
    /// `Unavailable` if a retry may succeed; `Misconfigured` if an operator must act (run
    /// `cast-server migrate`, upgrade the binary, correct the URL), as the source says.
    pub async fn check(&self) -> Result<(), PortError> {
        let progress = self.sessions.read(|connection| {
            async { read::progress(connection, Partition::new(0)).await }.boxed()
        });
        let checked = progress.await.map(drop);
        checked.map_err(|error| error.with_operation("checking the store"))
    }

    /// Runs the transaction of a step, and commits it or rolls it back.
    async fn step(&self, step: &FoldStep, commit: bool) -> Result<Applied, Error> {
        let (partition, rows) = (step.partition, Rows::of(step)?);
        let limit = self.sessions.options.transaction_timeout;
        for _ in 0..MAX_RACES {
            let rows = rows.clone();
            let folded = self.sessions.transaction(limit, move |connection| {
                async move {
                    let folded = fold::fold(connection, partition, rows).await?;
                    let changed = matches!(folded, Some(Applied::Folded { .. }));
                    Ok(if changed && commit {
                        End::Commit(folded)
                    } else {
                        End::RollBack(folded)
                    })
                }
                .boxed()
            });
            if let Some(applied) = folded.await? {
                return Ok(applied);
            }
        }
        Err(Error::Raced)
    }
}

#[async_trait]
impl VoteStore for PostgresStore {
    async fn progress(&self, partition: Partition) -> Result<Progress, PortError> {
        let progress = self
            .sessions
            .read(move |connection| read::progress(connection, partition).boxed());
        let progress = progress.await;
        progress.map_err(|error| error.with_operation("reading progress"))
    }

    async fn apply(&self, step: &FoldStep) -> Result<Applied, PortError> {
        let applied = self.step(step, true).await;
        applied.map_err(|error| error.with_operation("applying a step"))
    }

    async fn dry_run(&self, step: &FoldStep) -> Result<(), PortError> {
        let dry_run = self.step(step, false).await.map(drop);
        dry_run.map_err(|error| error.with_operation("trying a step in a dry run"))
    }

    async fn tallies(&self, candidates: &[Candidate]) -> Result<Vec<StoredTally>, PortError> {
        let candidates = candidates.to_vec();
        let tallies = self
            .sessions
            .read(move |connection| read::tallies(connection, candidates).boxed());
        let tallies = tallies.await;
        tallies.map_err(|error| error.with_operation("reading tallies"))
    }

    async fn leaders(&self, first: usize) -> Result<Vec<Tally>, PortError> {
        let leaders = self
            .sessions
            .read(move |connection| read::leaders(connection, first).boxed());
        let leaders = leaders.await;
        leaders.map_err(|error| error.with_operation("reading the leaders"))
    }

    async fn ballot(&self, id: BallotId) -> Result<Option<Fate>, PortError> {
        let fate = self
            .sessions
            .read(move |connection| read::ballot(connection, id).boxed());
        let fate = fate.await;
        fate.map_err(|error| error.with_operation("reading a ballot's fate"))
    }

    async fn recount(&self) -> Result<Recount, PortError> {
        let limit = self.sessions.options.recount_timeout;
        let recounted = self.sessions.transaction(limit, move |connection| {
            async move { Ok(End::RollBack(read::recount(connection, limit).await?)) }.boxed()
        });
        let recounted = recounted.await;
        recounted.map_err(|error| error.with_operation("recounting ballots"))
    }

    async fn stored_ballots(
        &self,
        ids: &[BallotId],
    ) -> Result<Vec<Option<StoredBallot>>, PortError> {
        let ids = ids.to_vec();
        let found = self
            .sessions
            .read(move |connection| read::stored_ballots(connection, ids).boxed());
        let found = found.await;
        found.map_err(|error| error.with_operation("reading ballots"))
    }
}
