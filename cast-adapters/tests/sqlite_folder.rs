//! A data folder: what it keeps, what it refuses, and what it says of damage.

mod sqlite;

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc, time::Duration};

use cast_adapters::{
    sqlite::{self as adapter, DataDir, DataDirOptions, backup, inspect, restore},
    system::{SystemClock, SystemEntropy},
};
use cast_core::{
    Cast, Roles,
    domain::{
        Ballot, BallotId, Candidate, Fate, LogBatch, Offset, Outcome, Partition, Partitions, Record,
    },
    ports::{EventBus as _, GroupName, PortErrorKind, ResumeFrom, VoteStore as _},
};
use cast_testkit::{
    eventually,
    fixtures::{Fixtures, Progress},
};
use diesel::connection::SimpleConnection as _;
use sqlite::connect;
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(20);
const P0: Partition = Partition::new(0);

fn open(folder: &TempDir) -> DataDir {
    let options = DataDirOptions::default();
    let opened = DataDir::open(folder.path(), &options, Arc::new(SystemClock));
    opened.expect("the folder is opened")
}

fn refusal(path: &Path) -> String {
    let opened = DataDir::open(path, &DataDirOptions::default(), Arc::new(SystemClock));
    opened.err().expect("the folder is refused").to_string()
}

fn new_folder() -> TempDir {
    TempDir::new().expect("a folder")
}

/// A CAST on a folder, which votes for names and waits until the store has counted them.
async fn cast_on(data: &DataDir) -> Cast {
    let keys = data.key_ring(&SystemEntropy).expect("keys");
    let cast = Cast::builder(adapter::ports(data), keys).roles(Roles::ALL);
    cast.start().await.expect("started")
}

async fn vote(cast: &Cast, name: &str) -> BallotId {
    let ticket = cast.current_ticket().await.expect("a ticket");
    let ballot = Ballot::new(ticket.id).select(name, 1).expect("a ballot");
    let outcome = cast.vote(ballot).await.expect("answered");
    let Outcome::Accepted(receipt) = outcome else {
        panic!("{outcome:?}");
    };
    receipt.ballot
}

async fn counted(data: &DataDir, id: BallotId) {
    let store = data.store();
    let counted = eventually(DEADLINE, "the ballot to be counted", async || {
        let fate = store.ballot(id).await.expect("answered");
        matches!(fate, Some(Fate::Counted(_))).then_some(())
    });
    counted.await;
}

async fn votes(data: &DataDir, name: &str) -> u64 {
    let candidate = [Candidate::new(name).expect("a name")];
    let tallies = data.store().tallies(&candidate).await.expect("answered");
    let totals = tallies[0].applied_totals.iter();
    totals.map(|total| total.votes).sum()
}

/// A closed folder with so many counted votes for alice.
async fn voted(count: usize) -> TempDir {
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

async fn close(data: DataDir) {
    cast_testkit::within(DEADLINE, "the folder to be closed", data.close()).await;
}

#[tokio::test]
async fn what_was_voted_is_there_again() {
    let folder = voted(3).await;
    let data = open(&folder);
    assert_eq!(votes(&data, "alice").await, 3);
    let cast = cast_on(&data).await;
    let shown = cast
        .tallies(&[Candidate::new("alice").expect("a name")])
        .await;
    assert_eq!(shown.expect("answered")[0].votes, 3);
    let id = vote(&cast, "alice").await;
    counted(&data, id).await;
    assert_eq!(votes(&data, "alice").await, 4);
}

#[tokio::test]
async fn a_ballot_that_is_sent_again_after_a_restart_counts_once() {
    let folder = new_folder();
    let data = open(&folder);
    let cast = cast_on(&data).await;
    let id = vote(&cast, "alice").await;
    counted(&data, id).await;
    cast.shutdown().await;
    drop(cast);
    close(data).await;

    let data = open(&folder);
    let cast = cast_on(&data).await;
    // The ticket source has forgotten the id, and the log takes even an altered copy: the store knows it.
    let ticket = cast.current_ticket().await.expect("a ticket");
    let altered = Ballot::new(ticket.id).select("bob", 2).expect("a ballot");
    let outcome = cast.vote(altered.with_id(id)).await.expect("answered");
    assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
    let last = vote(&cast, "carol").await;
    counted(&data, last).await;
    assert_eq!(votes(&data, "alice").await, 1);
    assert_eq!(votes(&data, "bob").await, 0);
}

#[tokio::test]
async fn one_process_uses_a_folder_at_a_time() {
    let folder = new_folder();
    let data = open(&folder);
    let said = refusal(folder.path());
    assert!(
        said.contains(&format!("process {}", std::process::id())),
        "{said}"
    );
    assert!(said.contains("stop it first"), "{said}");
    let inspected = DataDir::inspect(folder.path(), Arc::new(SystemClock));
    inspected.expect("it can be read meanwhile");
    close(data).await;
    close(open(&folder)).await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_right_is_refused_with_what_to_do() {
    let parent = new_folder();
    let file = parent.path().join("file");
    fs::write(&file, "text").expect("written");
    assert!(refusal(&file).contains("is a file"));

    let foreign = parent.path().join("foreign");
    fs::create_dir(&foreign).expect("made");
    fs::write(foreign.join("thesis.tex"), "text").expect("written");
    let said = refusal(&foreign);
    assert!(said.contains("thesis.tex"), "{said}");

    let shared = parent.path().join("shared");
    fs::create_dir(&shared).expect("made");
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).expect("changed");
    let said = refusal(&shared);
    assert!(said.contains("chmod 700"), "{said}");

    let unreachable = refusal(Path::new("/proc/cast-data"));
    assert!(unreachable.contains("--data-dir"), "{unreachable}");
}

#[tokio::test]
async fn a_folder_that_lost_or_changed_a_file_is_refused_with_what_to_do() {
    for (name, content, expected) in [
        ("log.db", None, "missing or empty: restore"),
        ("log.db", Some(""), "missing or empty: restore"),
        (
            "log.db",
            Some("no database, although it is long enough"),
            "is damaged",
        ),
        (
            "votes.db",
            Some("no database, although it is long enough"),
            "is damaged",
        ),
        ("format", Some("cast-data 7\n"), "newer one"),
        ("format", Some("something"), "is no marker"),
    ] {
        let folder = voted(1).await;
        let path = folder.path().join(name);
        match content {
            Some(content) => fs::write(&path, content).expect("written"),
            None => fs::remove_file(&path).expect("removed"),
        }
        let said = refusal(folder.path());
        assert!(said.contains(expected), "{name} {content:?}: {said}");
    }
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused() {
    let folder = voted(1).await;
    for name in ["log.db", "votes.db"] {
        let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')";
        connect(&folder, name)
            .batch_execute(newer)
            .expect("inserted");
        let said = refusal(folder.path());
        assert!(said.contains("of a newer version"), "{said}");
        let older = "DELETE FROM __diesel_schema_migrations WHERE version = '99990101000000'";
        connect(&folder, name)
            .batch_execute(older)
            .expect("deleted");
    }
    close(open(&folder)).await;
}

#[tokio::test]
async fn keys_are_made_once_and_are_the_owner_s_alone() {
    let folder = new_folder();
    let data = open(&folder);
    let ring = |data: &DataDir| data.key_ring(&SystemEntropy);
    let ticket = {
        let keys = ring(&data).expect("keys");
        keys.issue(
            cast_core::domain::Timestamp::from_unix_ms(1),
            &SystemEntropy,
        )
    };
    assert!(
        ring(&data)
            .expect("keys")
            .verify(&ticket.ticket())
            .is_some()
    );
    let path = folder.path().join("keys");
    let mode = fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("changed");
    let said = ring(&data).expect_err("refused").to_string();
    assert!(said.contains("chmod 600"), "{said}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("changed");
    fs::write(&path, "1:too short").expect("written");
    let said = ring(&data).expect_err("refused").to_string();
    assert!(said.contains("no key ring"), "{said}");
}

#[tokio::test]
async fn a_store_that_was_deleted_is_folded_again() {
    let folder = voted(5).await;
    fs::remove_file(folder.path().join("votes.db")).expect("removed");
    let data = open(&folder);
    assert_eq!(votes(&data, "alice").await, 0);
    let cast = cast_on(&data).await;
    let folded = eventually(DEADLINE, "the log to be folded", async || {
        (votes(&data, "alice").await == 5).then_some(())
    });
    folded.await;
    drop(cast);
}

async fn read(data: &DataDir, from: u64) -> Result<LogBatch, cast_core::ports::PortError> {
    let progress = Progress::at_start();
    progress.set(P0, Offset::new(from));
    let resume = Arc::new(progress) as Arc<dyn ResumeFrom>;
    let group = GroupName::new("reading");
    let mut log = data.bus().subscribe(&group, 100, resume).await?;
    cast_testkit::within(DEADLINE, "a batch or an error", log.next()).await
}

#[tokio::test]
async fn offsets_never_begin_again() {
    let folder = new_folder();
    let fixtures = Fixtures::new();
    let mut data = open(&folder);
    for expected in 0..6 {
        let record = fixtures.record(P0, Partitions::ONE, 2);
        let published = data.bus().publish(&[record]).await.remove(0);
        let position = published.expect("acknowledged").position.expect("known");
        assert_eq!(position.offset.get(), expected);
        let dropped = data.bus().drop_before(P0, Offset::new(expected + 1)).await;
        dropped.expect("everything is dropped");
        close(data).await;
        data = open(&folder);
    }
    let error = read(&data, 3).await.expect_err("dropped");
    assert_eq!(error.kind(), PortErrorKind::Misconfigured);
    assert!(error.chain().contains("are gone"), "{}", error.chain());
}

/// Changes one byte in the middle of the first place in a file that has `text`.
fn flip(path: &Path, text: &[u8]) {
    let mut bytes = fs::read(path).expect("read");
    let at = bytes.windows(text.len()).position(|window| window == text);
    bytes[at.expect("the file has the text") + text.len() / 2] ^= 1;
    fs::write(path, bytes).expect("written");
}

#[tokio::test]
async fn a_flipped_byte_of_the_log_never_passes() {
    let folder = voted(4).await;
    flip(&folder.path().join("log.db"), b"alice");
    let data = open(&folder);
    let error = read(&data, 0).await.expect_err("damaged");
    assert_eq!(error.kind(), PortErrorKind::Misconfigured);
    let said = error.chain();
    assert!(
        said.contains("log.db is damaged at partition 0, offset"),
        "{said}"
    );
    assert!(said.contains("cast-server check"), "{said}");
    close(data).await;
    let findings = inspect(folder.path()).expect("looked at");
    assert_eq!(
        (findings.damage_count, findings.records),
        (1, 3),
        "{findings:?}"
    );
    assert!(
        findings.advice[0].contains("restore the newest backup"),
        "{findings:?}"
    );
    let target = new_folder();
    let refused = backup(folder.path(), target.path()).expect_err("damaged");
    assert!(refused.to_string().contains("is damaged"), "{refused}");
}

#[tokio::test]
async fn a_flipped_byte_of_the_store_is_found_and_the_store_is_made_again() {
    let folder = voted(4).await;
    flip(&folder.path().join("votes.db"), b"alice");
    let findings = inspect(folder.path()).expect("looked at");
    assert!(findings.damage_count > 0, "{findings:?}");
    assert!(
        findings.advice[0].contains("delete votes.db"),
        "{findings:?}"
    );
}

#[tokio::test]
async fn a_record_that_is_removed_or_moved_is_found() {
    for statement in [
        "DELETE FROM records WHERE position = 1",
        "UPDATE records SET position = position + 10 WHERE position = 3; \
         UPDATE records SET position = position - 1 WHERE position = 13",
        "UPDATE records SET bytes = (SELECT bytes FROM records WHERE position = 0) WHERE position = 2",
        "UPDATE records SET appended_at = appended_at + 1 WHERE position = 2",
        "UPDATE partitions SET next = next - 1; DELETE FROM records WHERE position = 3",
        "DELETE FROM records WHERE position = 3",
    ] {
        let folder = voted(4).await;
        let changed = connect(&folder, "log.db").batch_execute(statement);
        // A position that is taken fails, and then the record is missing.
        let _ = changed;
        let findings = inspect(folder.path()).expect("looked at");
        assert!(findings.damage_count > 0, "{statement}: {findings:?}");
        let data = open(&folder);
        let error = read(&data, 0).await.expect_err("damaged");
        assert!(
            error.chain().contains("log.db is damaged"),
            "{}",
            error.chain()
        );
    }
}

#[tokio::test]
async fn a_store_that_is_ahead_of_its_log_is_refused() {
    let folder = voted(2).await;
    let older = new_folder();
    let copy = older.path().join("copy");
    backup(folder.path(), &copy).expect("a backup");
    let data = open(&folder);
    let cast = cast_on(&data).await;
    let id = vote(&cast, "alice").await;
    counted(&data, id).await;
    cast.shutdown().await;
    drop(cast);
    close(data).await;
    fs::copy(copy.join("log.db"), folder.path().join("log.db")).expect("copied");
    let findings = inspect(folder.path()).expect("looked at");
    assert!(
        findings.damage[0].contains("the log has lost its end"),
        "{findings:?}"
    );
    let data = open(&folder);
    let error = read(&data, 3).await.expect_err("behind the end");
    assert!(
        error.chain().contains("the store belongs to another log"),
        "{}",
        error.chain()
    );
}

#[tokio::test]
async fn a_backup_of_a_running_server_is_restored_elsewhere() {
    let folder = new_folder();
    let data = open(&folder);
    let cast = cast_on(&data).await;
    let id = vote(&cast, "alice").await;
    counted(&data, id).await;
    let places = new_folder();
    let (copy, restored) = (places.path().join("copy"), places.path().join("restored"));
    let made = tokio::task::spawn_blocking({
        let (from, to) = (folder.path().to_owned(), copy.clone());
        move || backup(&from, &to)
    });
    let findings = made.await.expect("it ends").expect("a backup");
    assert_eq!((findings.counted, findings.ballots_in_log), (1, 1));
    // What is voted afterwards is not in it.
    let later = vote(&cast, "bob").await;
    counted(&data, later).await;

    let again = backup(folder.path(), &copy).expect_err("there is one");
    assert!(again.to_string().contains("is not empty"), "{again}");
    restore(&copy, &restored).expect("restored");
    let again = restore(&copy, &restored).expect_err("there is one");
    assert!(again.to_string().contains("is not empty"), "{again}");
    let nothing = restore(places.path(), &places.path().join("other")).expect_err("no backup");
    assert!(
        nothing.to_string().contains("is no data folder"),
        "{nothing}"
    );

    let opened = DataDir::open(&restored, &DataDirOptions::default(), Arc::new(SystemClock));
    let other = opened.expect("opened");
    assert_eq!(votes(&other, "alice").await, 1);
    assert_eq!(votes(&other, "bob").await, 0);
    let keys = |path: &Path| fs::read(path.join("keys")).expect("keys");
    assert_eq!(keys(&restored), keys(folder.path()));
    let cast = cast_on(&other).await;
    let id = vote(&cast, "carol").await;
    counted(&other, id).await;
}

#[tokio::test]
async fn a_backup_that_was_not_finished_is_no_data_folder() {
    let folder = voted(1).await;
    let places = new_folder();
    let copy = places.path().join("copy");
    backup(folder.path(), &copy).expect("a backup");
    fs::remove_file(copy.join("format")).expect("removed");
    let refused = restore(&copy, &places.path().join("restored")).expect_err("not whole");
    assert!(
        refused.to_string().contains("is no data folder"),
        "{refused}"
    );
}

#[tokio::test]
async fn records_of_many_partitions_are_whole_after_a_restart() {
    let folder = new_folder();
    let data = sqlite::open(&folder);
    let fixtures = Fixtures::new();
    let partitions = sqlite::PARTITIONS;
    let mut published: Vec<Record> = Vec::new();
    for at in 0..30 {
        let partition = Partition::new(at % partitions.count());
        published.push(fixtures.record(partition, partitions, 1 + at as usize % 3));
    }
    let results = data.bus().publish(&published).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    close(data).await;
    let data = open(&folder);
    let group = GroupName::new("reading");
    let progress = Arc::new(Progress::at_start());
    let mut log = data
        .bus()
        .subscribe(&group, 100, progress)
        .await
        .expect("joined");
    let mut read = 0;
    while read < published.len() {
        let batch = cast_testkit::within(DEADLINE, "a batch", log.next()).await;
        let batch = batch.expect("a batch");
        let expected = published
            .iter()
            .filter(|one| one.partition() == batch.partition);
        for (entry, record) in batch.entries.iter().zip(expected) {
            let ballots = entry.content.as_ref().expect("readable");
            assert_eq!(ballots, record.ballots());
        }
        read += batch.entries.len();
    }
}
