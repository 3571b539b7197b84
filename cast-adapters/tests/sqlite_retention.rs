//! Which records of a log are dropped, and which are kept.

mod sqlite;

use std::{
    fs::{self, File},
    path::Path,
    time::Duration,
};

use cast_adapters::sqlite::{DataDir, backup, inspect, restore};
use cast_core::{
    domain::{Offset, Partition, Partitions, Record},
    ports::{EventBus as _, GroupName, PortErrorKind},
};
use cast_testkit::fixtures::Fixtures;
use diesel::connection::SimpleConnection as _;
use sqlite::{
    connect,
    votes::{cast_on, close, counted, new_folder, open, read, vote, voted, votes},
};
use tempfile::TempDir;

const P0: Partition = Partition::new(0);

async fn drop_old(data: &DataDir, age: Duration) -> u64 {
    let dropped = data.retention(age).drop_old().await;
    dropped.expect("it is known what may be dropped")
}

async fn start(data: &DataDir) -> Offset {
    let lag = data.bus().lag(&GroupName::new("new")).await;
    lag.expect("answered")[0].committed
}

/// A backup in a new folder.
fn backed_up(folder: &TempDir) -> TempDir {
    let target = new_folder();
    backup(folder.path(), target.path()).expect("a backup");
    target
}

#[tokio::test]
async fn what_a_backup_and_the_store_have_is_dropped_when_it_is_old() {
    let folder = voted(4).await;
    let data = open(&folder);
    assert_eq!(
        drop_old(&data, Duration::ZERO).await,
        0,
        "there is no backup"
    );
    let copy = backed_up(&folder);
    let cast = cast_on(&data).await;
    let later = vote(&cast, "bob").await;
    counted(&data, later).await;
    assert_eq!(drop_old(&data, Duration::from_hours(1)).await, 0);
    assert_eq!(drop_old(&data, Duration::ZERO).await, 4);
    assert_eq!(drop_old(&data, Duration::ZERO).await, 0);
    assert_eq!(start(&data).await, Offset::new(4));
    cast.shutdown().await;
    drop(cast);
    close(data).await;

    let findings = inspect(folder.path()).expect("looked at");
    assert_eq!(findings.damage, Vec::<String>::new());
    assert_eq!((findings.records, findings.counted), (1, 5));
    let data = open(&folder);
    let cast = cast_on(&data).await;
    let last = vote(&cast, "alice").await;
    counted(&data, last).await;
    assert_eq!(votes(&data, "alice").await, 5);

    // The backup is whole, and knows of no backup of its own.
    let restored = new_folder();
    restore(copy.path(), restored.path()).expect("restored");
    let other = open(&restored);
    assert_eq!(drop_old(&other, Duration::ZERO).await, 0);
    assert_eq!(votes(&other, "alice").await, 4);
}

#[tokio::test]
async fn what_the_store_has_not_folded_is_kept() {
    let folder = new_folder();
    let (data, fixtures) = (open(&folder), Fixtures::new());
    let records: Vec<Record> = (0..3)
        .map(|_| fixtures.record(P0, Partitions::ONE, 1))
        .collect();
    data.bus().publish(&records).await;
    backed_up(&folder);
    assert_eq!(drop_old(&data, Duration::ZERO).await, 0);
    assert_eq!(start(&data).await, Offset::START);
}

#[tokio::test]
async fn what_the_store_has_not_synced_is_kept() {
    let folder = voted(3).await;
    backed_up(&folder);
    let data = open(&folder);
    let cast = cast_on(&data).await;
    // A reader of an old snapshot keeps the WAL from being moved into the file.
    let mut reader = connect(&folder, "votes.db");
    let reading = "BEGIN; SELECT count(*) FROM ballots";
    reader.batch_execute(reading).expect("it reads");
    let later = vote(&cast, "alice").await;
    counted(&data, later).await;
    assert_eq!(drop_old(&data, Duration::ZERO).await, 0);
    reader.batch_execute("COMMIT").expect("it has read");
    assert_eq!(drop_old(&data, Duration::ZERO).await, 3);
}

#[tokio::test]
async fn nothing_is_dropped_while_a_backup_is_made() {
    let folder = voted(2).await;
    backed_up(&folder);
    let data = open(&folder);
    let kept = File::open(folder.path().join("format")).expect("the marker");
    kept.lock_shared().expect("locked");
    assert_eq!(drop_old(&data, Duration::ZERO).await, 0);
    drop(kept);
    assert_eq!(drop_old(&data, Duration::ZERO).await, 2);
}

#[tokio::test]
async fn a_backup_of_another_log_does_not_count() {
    let (folder, other) = (voted(2).await, voted(2).await);
    backed_up(&other);
    let note = |folder: &Path| folder.join("backup");
    fs::copy(note(other.path()), note(folder.path())).expect("copied");
    let data = open(&folder);
    let refused = data.retention(Duration::ZERO).drop_old().await;
    let refused = refused.expect_err("of another log");
    assert_eq!(refused.kind(), PortErrorKind::Misconfigured);
    assert!(
        refused.chain().contains("of another log"),
        "{}",
        refused.chain()
    );
}

#[tokio::test]
async fn a_log_that_begins_after_its_store_is_damage() {
    let folder = voted(3).await;
    backed_up(&folder);
    let data = open(&folder);
    assert_eq!(drop_old(&data, Duration::ZERO).await, 3);
    close(data).await;
    fs::remove_file(folder.path().join("votes.db")).expect("removed");
    let data = open(&folder);
    let refused = read(&data, 0).await.expect_err("the records are gone");
    assert!(refused.chain().contains("are gone"), "{}", refused.chain());
    close(data).await;
    let findings = inspect(folder.path()).expect("looked at");
    assert!(
        findings.damage[0].contains("has lost the records before 3"),
        "{findings:?}"
    );
    assert!(
        findings.advice[0].contains("restore the newest backup"),
        "{findings:?}"
    );
}
