//! A data folder: what it keeps, and what it refuses.

mod sqlite;

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::Path,
    sync::Arc,
};

use cast_adapters::{
    sqlite::{DataDir, backup},
    system::{SystemClock, SystemEntropy},
};
use cast_core::{
    domain::{Ballot, Candidate, Offset, Outcome, Partition, Partitions, Record},
    ports::{EventBus as _, GroupName, PortErrorKind},
};
use cast_testkit::{
    eventually,
    fixtures::{Fixtures, Progress},
};
use diesel::connection::SimpleConnection as _;
use sqlite::{
    connect,
    votes::{
        DEADLINE, P0, cast_on, close, counted, new_folder, open, read, refusal, vote, voted, votes,
    },
};

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
async fn a_folder_of_another_user_is_refused_and_root_s_backup_leaves_it_readable() {
    let folder = voted(1).await;
    let other = 65_534;
    // Only root can give a folder away.
    if chown(folder.path(), Some(other), Some(other)).is_err() {
        return;
    }
    let said = refusal(folder.path());
    assert!(said.contains("belongs to another user (65534"), "{said}");
    let places = new_folder();
    backup(folder.path(), &places.path().join("copy")).expect("a backup");
    let note = fs::metadata(folder.path().join("backup")).expect("noted");
    assert_eq!((note.uid(), note.gid()), (other, other));
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
    assert!(ring(&data).expect("keys").verify(ticket.ticket()).is_some());
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
