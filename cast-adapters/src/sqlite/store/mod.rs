//! The store: the fold of the log in one file. It is not synced: what a power cut takes of its end is
//! folded again.

mod fold;
mod listing;
mod read;
mod rows;
mod schema;
mod statements;
mod verify;

use std::sync::Arc;

use async_trait::async_trait;
use cast_core::{
    domain::{
        BallotId, Candidate, Clock, Fate, FoldStep, Offset, Partition, Progress, StoredTally, Tally,
    },
    ports::{Applied, PortError, Recount, StoredBallot, VoteStore},
};
use diesel::SqliteConnection;
use diesel_migrations::embed_migrations;

pub(super) use self::verify::{StoreContents, verify};

use self::rows::Rows;
use super::{
    database::Database,
    error::Error,
    file::{File, Purpose},
    folder::{self, Folder},
    writer::End,
};

static VOTES: Purpose = Purpose {
    name: folder::VOTES,
    // "CSTv"
    application_id: 0x4353_5476,
    synchronous: "NORMAL",
    page_bytes: 4_096,
    // 64 MiB: a page that many ballots change is written once for all of them.
    checkpoint_pages: 16_384,
    cache_kib: 65_536,
    migrations: embed_migrations!("migrations/sqlite/votes"),
};

/// A [`VoteStore`] in a file of this machine.
///
/// A step is one transaction. It is not synced: after a power cut the file is what it was some steps
/// before, with the progress of then, and the consumer folds the log again from there.
#[derive(Clone)]
pub struct SqliteStore {
    database: Database,
    clock: Arc<dyn Clock>,
}

impl SqliteStore {
    /// Opens the store of a folder, and makes it if there is none; with the offset up to which it has
    /// folded each partition. It blocks.
    pub(super) fn open(
        folder: Arc<Folder>,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Vec<(Partition, Offset)>), Error> {
        let file = File {
            folder,
            purpose: &VOTES,
            must_exist: false,
        };
        let (database, progress) = Database::open(file, read::all_progress)?;
        Ok((Self { database, clock }, progress))
    }

    /// Opens the store of a folder to read it, beside a process that may be writing it. It blocks.
    pub(super) fn inspect(folder: Arc<Folder>, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let file = File {
            folder,
            purpose: &VOTES,
            must_exist: true,
        };
        let (database, ()) = Database::inspect(file, |_| Ok(()))?;
        Ok(Self { database, clock })
    }

    /// Makes the disk have all that was folded before. Returns whether it does: not, while others use the
    /// file for longer than a moment.
    pub(super) async fn sync(&self) -> Result<bool, PortError> {
        let synced = self.database.sync().await;
        synced.map_err(|error| error.with_operation("syncing the store"))
    }

    async fn step(&self, step: &FoldStep, keep: bool) -> Result<Applied, Error> {
        let rows = Rows::of(step, self.clock.now())?;
        let fold = move |connection: &mut SqliteConnection| {
            let applied = fold::fold(connection, &rows)?;
            Ok(if keep {
                End::Keep(applied)
            } else {
                End::Undo(applied)
            })
        };
        self.database.write(fold).await
    }

    async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        query: impl FnOnce(&mut SqliteConnection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, PortError> {
        let read = self.database.read(query).await;
        read.map_err(|error| error.with_operation(operation))
    }
}

#[async_trait]
impl VoteStore for SqliteStore {
    async fn progress(&self, partition: Partition) -> Result<Progress, PortError> {
        self.read("reading progress", move |c| read::progress(c, partition))
            .await
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
        self.read("reading tallies", move |c| read::tallies(c, &candidates))
            .await
    }

    async fn leaders(&self, first: usize) -> Result<Vec<Tally>, PortError> {
        self.read("reading the leaders", move |c| read::leaders(c, first))
            .await
    }

    async fn ballot(&self, id: BallotId) -> Result<Option<Fate>, PortError> {
        self.read("reading a ballot's fate", move |c| read::ballot(c, id))
            .await
    }

    async fn recount(&self) -> Result<Recount, PortError> {
        self.read("recounting ballots", read::recount).await
    }

    async fn stored_ballots(
        &self,
        ids: &[BallotId],
    ) -> Result<Vec<Option<StoredBallot>>, PortError> {
        let ids = ids.to_vec();
        self.read("reading ballots", move |c| read::stored_ballots(c, &ids))
            .await
    }
}
