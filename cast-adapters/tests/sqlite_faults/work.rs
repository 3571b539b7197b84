//! What is done on a folder while its disk fails, and what must be true of it afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::Duration,
};

use cast_adapters::{
    sqlite::{DataDir, DataDirError, DataDirOptions},
    system::SystemClock,
};
use cast_core::{
    domain::{
        BallotId, Candidate, FoldStep, LogBatch, LogPosition, LoggedBallot, Offset, Partition,
        Partitions, Record, sum_votes,
    },
    ports::{
        Applied, EventBus as _, GroupName, PortError, PortErrorKind, ResumeFrom, VoteStore as _,
    },
};
use cast_testkit::{
    SeededEntropy,
    disk::Disk,
    fixtures::{Fixtures, Progress},
    within,
};
use tempfile::TempDir;

const P0: Partition = Partition::new(0);
const DEADLINE: Duration = Duration::from_secs(20);

/// What voters know of the records that were published.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) acknowledged: Vec<(LogPosition, Record)>,
    /// Ids of ballots that are in no record of the log.
    pub(crate) refused: BTreeSet<BallotId>,
}

pub(crate) fn new_folder() -> TempDir {
    TempDir::new().expect("a folder")
}

pub(crate) fn open(path: &Path, disk: Option<&Disk>) -> Result<DataDir, DataDirError> {
    let options = DataDirOptions {
        vfs: disk.map(|disk| disk.name().to_owned()),
        ..DataDirOptions::default()
    };
    DataDir::open(path, &options, Arc::new(SystemClock))
}

/// Publishes records and folds them, and closes the folder and opens it again in between; ends with the
/// first error that stays.
pub(crate) async fn work(path: &Path, disk: &Disk, random: &SeededEntropy) -> Known {
    let mut known = Known::default();
    let fixtures = Fixtures::new();
    let names = ["alice", "bob", "carol"].map(|name| fixtures.candidate(name));
    for _ in 0..3 {
        let Ok(data) = open(path, Some(disk)) else {
            break;
        };
        for at in 0..6 {
            let ballots = (0..=random.index(3)).map(|_| {
                let who = &names[random.index(names.len())];
                fixtures.ballot(&[(who, 1)])
            });
            let record = Record::new(P0, ballots.collect::<Vec<_>>());
            publish(&data, record, &mut known).await;
            if at % 3 == 2 {
                // The fold may fail: the log has what it did not apply.
                let _ = fold(&data).await;
            }
        }
        within(DEADLINE, "the folder to be closed", data.close()).await;
    }
    known
}

async fn publish(data: &DataDir, record: Record, known: &mut Known) {
    let ids = record.ballots().iter().map(|ballot| ballot.id);
    match data
        .bus()
        .publish(std::slice::from_ref(&record))
        .await
        .remove(0)
    {
        Ok(published) => {
            let position = published.position.expect("this log knows it");
            known.acknowledged.push((position, record));
        }
        Err(error) if error.kind() == PortErrorKind::Unavailable => known.refused.extend(ids),
        Err(error) => assert_eq!(
            error.kind(),
            PortErrorKind::OutcomeUnknown,
            "{}",
            error.chain()
        ),
    }
}

/// Applies what the log has and the store does not.
pub(crate) async fn fold(data: &DataDir) -> Result<(), PortError> {
    let (bus, store) = (data.bus(), data.store());
    let group = GroupName::new("folding");
    loop {
        let progress = store.progress(P0).await?;
        let end = bus.lag(&group).await?[0].end;
        if progress.next >= end {
            assert_eq!(progress.next, end, "the store is ahead of its log");
            return Ok(());
        }
        let step = FoldStep::from(batch(data, progress).await?);
        let applied = store.apply(&step).await?;
        assert!(matches!(applied, Applied::Folded { .. }), "{applied:?}");
    }
}

async fn batch(
    data: &DataDir,
    progress: cast_core::domain::Progress,
) -> Result<LogBatch, PortError> {
    let resume = Progress::at_start();
    resume.put(P0, progress);
    let resume = Arc::new(resume) as Arc<dyn ResumeFrom>;
    let group = GroupName::new("folding");
    let mut log = data.bus().subscribe(&group, 100, resume).await?;
    within(DEADLINE, "a batch", log.next()).await
}

/// The ballots of the log, by position.
async fn logged(data: &DataDir) -> BTreeMap<u64, Vec<LoggedBallot>> {
    let group = GroupName::new("reading");
    let lag = data.bus().lag(&group).await.expect("the log answers");
    let end = lag[0].end;
    let mut at = cast_core::domain::Progress::at(Offset::START);
    let mut found = BTreeMap::new();
    while at.next < end {
        let batch = batch(data, at).await.expect("the log is whole");
        for entry in batch.entries {
            let ballots = entry.content.expect("readable").to_vec();
            found.insert(entry.offset.get(), ballots);
        }
        at.next = batch.next;
    }
    found
}

/// Why what a folder holds is not what it must.
pub(crate) async fn lost(path: &Path, known: &Known) -> Result<(), String> {
    let data = open(path, None).map_err(|error| format!("not opened: {error}"))?;
    let log = logged(&data).await;
    for (position, record) in &known.acknowledged {
        let found = log.get(&position.offset.get());
        if found.map(Vec::as_slice) != Some(record.ballots()) {
            return Err(format!(
                "the acknowledged record at {position:?} is {found:?}"
            ));
        }
    }
    let refused = log
        .values()
        .flatten()
        .find(|one| known.refused.contains(&one.id));
    if let Some(ballot) = refused {
        return Err(format!("the refused ballot {} is in the log", ballot.id));
    }
    let progress = data.store().progress(P0).await.expect("the store answers");
    check_fold(&data, &log, progress.next).await?;
    fold(&data).await.map_err(|error| error.chain())?;
    check_fold(&data, &log, Offset::new(log.len() as u64)).await?;
    next_follows(&data, log.len() as u64).await
}

/// The store must be the fold of the records before `next`.
async fn check_fold(
    data: &DataDir,
    log: &BTreeMap<u64, Vec<LoggedBallot>>,
    next: Offset,
) -> Result<(), String> {
    let before = log.range(..next.get()).flat_map(|(_, ballots)| ballots);
    let expected: Vec<(Candidate, u64)> = sum_votes(before).into_iter().collect();
    let recount = data.store().recount().await.expect("the store answers");
    let totals = recount
        .counts
        .iter()
        .all(|count| count.votes == count.total);
    if recount.votes() != expected || !totals {
        return Err(format!(
            "at {next:?} the store has {recount:?}, and not {expected:?}"
        ));
    }
    Ok(())
}

/// The next record follows the last one.
async fn next_follows(data: &DataDir, end: u64) -> Result<(), String> {
    let fixtures = Fixtures::new();
    let record = fixtures.record(P0, Partitions::ONE, 1);
    let published = data.bus().publish(&[record]).await.remove(0);
    let position = published.map_err(|error| error.chain())?.position;
    match position {
        Some(position) if position.offset.get() == end => Ok(()),
        other => Err(format!("the record after {end} is at {other:?}")),
    }
}
