//! A data folder: how many ballots a second its log takes and its store folds, and what many ballots
//! change.
//!
//! ```sh
//! cargo bench -p cast-adapters --features sqlite --bench sqlite
//! CAST_BENCH_BALLOTS=50000000 TMPDIR=/large/disk cargo bench -p cast-adapters --features sqlite --bench sqlite
//! ```
//!
//! The store is filled twice: with ids that the server minted (UUID version 7) and with ids that clients
//! chose (version 4). Rates are of each quarter, so that a rate that falls is seen. Then it is filled with
//! votes for a million candidates. Bounded: a million ballots take about a minute.
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]
#![expect(
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    clippy::unwrap_used,
    reason = "a benchmark measures real time, computes with rounded figures, and may give up"
)]

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use cast_adapters::{
    sqlite::{DataDir, DataDirOptions, SqliteStore, inspect},
    system::{SystemClock, SystemEntropy},
};
use cast_core::{
    domain::{
        BallotId, Candidate, Clock as _, FoldStep, LoggedBallot, MAX_SELECTIONS, Offset, Partition,
        Partitions, PositionedBallot, Record,
    },
    ports::{Applied, EventBus as _, VoteStore as _},
};
use cast_testkit::fixtures;
use tempfile::TempDir;
use tokio::task::JoinSet;
use uuid::Uuid;

const P0: Partition = Partition::new(0);
const CANDIDATES: usize = 100;
/// As a consumer reads them.
const STEP: u64 = 2_000;
/// As the vote service has it by default.
const FLUSHES_IN_FLIGHT: usize = 4;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ballots = std::env::var("CAST_BENCH_BALLOTS");
    let ballots: u64 = ballots.map_or(1_000_000, |count| count.parse().unwrap());
    runtime.block_on(async {
        for size in [1, 64, 512] {
            append(size).await;
        }
        for (name, id) in [
            ("minted ids", minted as fn() -> BallotId),
            ("ids of clients", chosen),
        ] {
            fill(name, ballots, id).await;
        }
        crowd(1_000_000).await;
    });
}

fn open(path: &Path) -> DataDir {
    let options = DataDirOptions::default();
    DataDir::open(path, &options, Arc::new(SystemClock)).unwrap()
}

fn minted() -> BallotId {
    BallotId::mint(P0, Partitions::ONE, SystemClock.now(), &SystemEntropy)
}

fn chosen() -> BallotId {
    BallotId::new(Uuid::from_u128(
        u128::from_be_bytes(random()) & !(0xf << 76) | (4 << 76),
    ))
    .unwrap()
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    cast_core::domain::Entropy::fill(&SystemEntropy, &mut bytes);
    bytes
}

fn candidates() -> Vec<Candidate> {
    let names = (0..CANDIDATES).map(|number| format!("candidate-{number}"));
    names.map(|name| Candidate::new(&name).unwrap()).collect()
}

/// Publishes records of so many ballots, some at a time, for two seconds.
async fn append(ballots: usize) {
    let folder = TempDir::new().unwrap();
    let data = open(folder.path());
    let who = candidates();
    let records: Vec<_> = (0..64)
        .map(|_| {
            let of =
                (0..ballots).map(|at| fixtures::ballot(minted(), &[(&who[at % CANDIDATES], 1)]));
            Record::new(P0, of.collect::<Vec<_>>())
        })
        .collect();
    let records = Arc::new(records);
    let begun = Instant::now();
    let mut publishers = JoinSet::new();
    for _ in 0..FLUSHES_IN_FLIGHT {
        let (bus, records) = (data.bus(), Arc::clone(&records));
        publishers.spawn(async move {
            let mut published = 0;
            for record in records.iter().cycle() {
                if begun.elapsed() > Duration::from_secs(2) {
                    return published;
                }
                for result in bus.publish(std::slice::from_ref(record)).await {
                    result.unwrap();
                    published += 1;
                }
            }
            published
        });
    }
    let published: usize = publishers.join_all().await.into_iter().sum();
    let rate = published as f64 / begun.elapsed().as_secs_f64();
    println!(
        "log, {ballots} ballots a record: {rate:.0} records/s, {:.0} ballots/s",
        rate * ballots as f64
    );
}

/// Folds so many ballots, and measures what that did to the folder.
async fn fill(name: &str, ballots: u64, id: fn() -> BallotId) {
    let folder = TempDir::new().unwrap();
    let data = open(folder.path());
    let (store, who) = (data.store(), candidates());
    let mut folding = Duration::ZERO;
    let mut since = Duration::ZERO;
    let quarter = (ballots / 4).max(STEP);
    let mut rates = Vec::new();
    let mut next = Offset::START;
    for done in (0..ballots).step_by(usize::try_from(STEP).unwrap()) {
        let step = step(&mut next, &who, id);
        let begun = Instant::now();
        let applied = store.apply(&step).await.unwrap();
        folding += begun.elapsed();
        assert!(matches!(applied, Applied::Folded { .. }));
        if (done + STEP) % quarter < STEP {
            rates.push(format!(
                "{:.0}",
                quarter as f64 / folding.saturating_sub(since).as_secs_f64()
            ));
            since = folding;
        }
    }
    println!("store, {name}: {} ballots/s by quarter", rates.join(", "));
    measure(&store, &who).await;
    drop(store);
    fill_log(&data, next.get()).await;
    data.close().await;
    let bytes = fs::metadata(folder.path().join("votes.db")).unwrap().len();
    let begun = Instant::now();
    let data = open(folder.path());
    data.store().progress(P0).await.unwrap();
    println!(
        "  {:.1} bytes a ballot, opened in {:?}, {} MB of memory",
        bytes as f64 / ballots as f64,
        begun.elapsed(),
        memory_mb()
    );
}

/// Votes for so many candidates, as many in a ballot as it can have.
async fn crowd(candidates: usize) {
    let folder = TempDir::new().unwrap();
    let data = open(folder.path());
    let store = data.store();
    let begun = Instant::now();
    let names: Vec<_> = (0..candidates)
        .map(|number| Candidate::new(&format!("candidate-{number}")).unwrap())
        .collect();
    let mut next = Offset::START;
    for of_step in names.chunks(2_000) {
        let ballots = of_step.chunks(MAX_SELECTIONS).map(|of_ballot| {
            let votes: Vec<_> = of_ballot.iter().map(|who| (who, 1)).collect();
            fixtures::ballot(minted(), &votes)
        });
        let step = one_record(&mut next, ballots.collect());
        store.apply(&step).await.unwrap();
    }
    let folded = begun.elapsed();
    println!("{candidates} candidates, folded in {folded:.1?}");
    measure(&store, &names[..CANDIDATES]).await;
    drop(store);
    fill_log(&data, next.get()).await;
    data.close().await;
    let begun = Instant::now();
    let looked = tokio::task::block_in_place(|| inspect(folder.path()).unwrap());
    println!(
        "  {} votes checked in {:.1?}",
        looked.votes,
        begun.elapsed()
    );
}

async fn measure(store: &SqliteStore, who: &[Candidate]) {
    let begun = Instant::now();
    store.leaders(10).await.unwrap();
    let leaders = begun.elapsed();
    store.tallies(who).await.unwrap();
    let tallies = begun.elapsed().saturating_sub(leaders);
    println!(
        "  ten leaders in {leaders:?}, {} tallies in {tallies:?}",
        who.len()
    );
}

fn step(next: &mut Offset, who: &[Candidate], id: fn() -> BallotId) -> FoldStep {
    let ballots = (0..STEP).map(|at| {
        let who = &who[usize::try_from(at).unwrap() % CANDIDATES];
        fixtures::ballot(id(), &[(who, 1)])
    });
    one_record(next, ballots.collect())
}

/// A step of one record, and the offset after it.
fn one_record(next: &mut Offset, ballots: Vec<LoggedBallot>) -> FoldStep {
    let offset = *next;
    *next = offset.next();
    let ballots = ballots
        .into_iter()
        .map(|ballot| PositionedBallot { offset, ballot });
    FoldStep {
        partition: P0,
        start: offset,
        next: *next,
        ballots: ballots.collect(),
        rejections: vec![],
    }
}

/// Appends so many records: a log that lacks what its store has folded is refused.
async fn fill_log(data: &DataDir, records: u64) {
    let who = &candidates()[..1];
    let record = |_| Record::new(P0, vec![fixtures::ballot(minted(), &[(&who[0], 1)])]);
    for first in (0..records).step_by(500) {
        let some: Vec<_> = (first..records.min(first + 500)).map(record).collect();
        for published in data.bus().publish(&some).await {
            published.unwrap();
        }
    }
}

/// The most memory that this process had.
fn memory_mb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1_024
}
