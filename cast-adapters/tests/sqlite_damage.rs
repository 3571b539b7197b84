//! What is said of a damaged folder, and how a backup helps.

mod sqlite;

use std::{fs, path::Path, sync::Arc};

use cast_adapters::{
    sqlite::{DataDir, DataDirOptions, backup, inspect, restore},
    system::SystemClock,
};
use cast_core::ports::PortErrorKind;
use cast_testkit::eventually;
use diesel::connection::SimpleConnection as _;
use sqlite::{
    connect,
    votes::{
        DEADLINE, cast_on, close, counted, new_folder, open, read, refusal, vote, voted, votes,
    },
};

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
async fn a_log_whose_end_is_removed_as_a_whole_is_refused() {
    let folder = voted(4).await;
    let statement = "UPDATE partitions SET next = next - 1; DELETE FROM records WHERE position = 3";
    let changed = connect(&folder, "log.db").batch_execute(statement);
    changed.expect("removed");
    let findings = inspect(folder.path()).expect("looked at");
    assert!(findings.damage_count > 0, "{findings:?}");
    let said = refusal(folder.path());
    assert!(said.contains("the log has lost its end"), "{said}");
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
    let said = refusal(folder.path());
    assert!(said.contains("the log has lost its end"), "{said}");
    assert!(said.contains("restore the newest backup"), "{said}");
}

#[tokio::test]
async fn a_store_without_its_log_is_refused_each_time() {
    let whole = voted(2).await;
    let folder = new_folder();
    let votes = |folder: &Path| folder.join("votes.db");
    fs::copy(votes(whole.path()), votes(folder.path())).expect("copied");
    let said = refusal(folder.path());
    assert!(said.contains("the log has lost its end"), "{said}");
    // There is an empty log now. The lock is released when the writers of both files have ended.
    let refused = eventually(DEADLINE, "the same refusal", async || {
        let said = refusal(folder.path());
        (!said.contains("is used by")).then_some(said)
    });
    let said = refused.await;
    assert!(said.contains("the log has lost its end"), "{said}");
}

#[tokio::test]
async fn a_folder_in_use_is_restored_with_all_its_votes() {
    let folder = new_folder();
    let data = open(&folder);
    let cast = cast_on(&data).await;
    let id = vote(&cast, "alice").await;
    counted(&data, id).await;
    let places = new_folder();
    let target = places.path().join("restored");
    let findings = restore(folder.path(), &target).expect("restored");
    assert_eq!((findings.counted, findings.ballots_in_log), (1, 1));
    let opened = DataDir::open(&target, &DataDirOptions::default(), Arc::new(SystemClock));
    assert_eq!(votes(&opened.expect("opened"), "alice").await, 1);
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
