//! Votes on a data folder with one partition.

use std::{path::Path, sync::Arc, time::Duration};

use cast_adapters::{
    sqlite::{self as adapter, DataDir, DataDirOptions},
    system::{SystemClock, SystemEntropy},
};
use cast_core::{
    Cast, Roles,
    domain::{Ballot, BallotId, Candidate, Fate, LogBatch, Offset, Outcome, Partition},
    ports::{EventBus as _, GroupName, PortError, ResumeFrom, VoteStore as _},
};
use cast_testkit::{eventually, fixtures::Progress};
use tempfile::TempDir;

pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
pub(crate) const P0: Partition = Partition::new(0);

pub(crate) fn open(folder: &TempDir) -> DataDir {
    let options = DataDirOptions::default();
    let opened = DataDir::open(folder.path(), &options, Arc::new(SystemClock));
    opened.expect("the folder is opened")
}

/// Why a folder is refused.
pub(crate) fn refusal(path: &Path) -> String {
    let opened = DataDir::open(path, &DataDirOptions::default(), Arc::new(SystemClock));
    opened.err().expect("the folder is refused").to_string()
}

pub(crate) fn new_folder() -> TempDir {
    TempDir::new().expect("a folder")
}

/// A CAST on a folder.
pub(crate) async fn cast_on(data: &DataDir) -> Cast {
    let keys = data.key_ring(&SystemEntropy).expect("keys");
    let cast = Cast::builder(adapter::ports(data), keys).roles(Roles::ALL);
    cast.start().await.expect("started")
}

pub(crate) async fn vote(cast: &Cast, name: &str) -> BallotId {
    let ticket = cast.current_ticket().await.expect("a ticket");
    let ballot = Ballot::new(ticket.id).select(name, 1).expect("a ballot");
    let outcome = cast.vote(ballot).await.expect("answered");
    let Outcome::Accepted(receipt) = outcome else {
        panic!("{outcome:?}");
    };
    receipt.ballot
}

pub(crate) async fn counted(data: &DataDir, id: BallotId) {
    let store = data.store();
    let counted = eventually(DEADLINE, "the ballot to be counted", async || {
        let fate = store.ballot(id).await.expect("answered");
        matches!(fate, Some(Fate::Counted(_))).then_some(())
    });
    counted.await;
}

pub(crate) async fn votes(data: &DataDir, name: &str) -> u64 {
    let candidate = [Candidate::new(name).expect("a name")];
    let tallies = data.store().tallies(&candidate).await.expect("answered");
    let totals = tallies[0].applied_totals.iter();
    totals.map(|total| total.votes).sum()
}

/// A closed folder with so many counted votes for alice.
pub(crate) async fn voted(count: usize) -> TempDir {
    let folder = new_folder();
    let data = open(&folder);
    let cast = cast_on(&data).await;
    for _ in 0..count {
        let id = vote(&cast, "alice").await;
        counted(&data, id).await;
    }
    cast.shutdown().await;
    drop(cast);
    close(data).await;
    folder
}

pub(crate) async fn close(data: DataDir) {
    cast_testkit::within(DEADLINE, "the folder to be closed", data.close()).await;
}

pub(crate) async fn read(data: &DataDir, from: u64) -> Result<LogBatch, PortError> {
    let progress = Progress::at_start();
    progress.set(P0, Offset::new(from));
    let resume = Arc::new(progress) as Arc<dyn ResumeFrom>;
    let group = GroupName::new("reading");
    let mut log = data.bus().subscribe(&group, 100, resume).await?;
    cast_testkit::within(DEADLINE, "a batch or an error", log.next()).await
}
