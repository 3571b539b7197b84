//! `serve` on a folder: votes outlive the process, whatever ends it, and commands read and copy them.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use cast_testkit::{Seed, eventually, within};
use serde_json::json;
use tempfile::TempDir;
use tokio::{process::Command, task::JoinSet};
use uuid::Uuid;

use crate::{
    program::{Client, VOTE, process::on_folder},
    support::{Process, one_vote, run, timed},
};

const DEADLINE: Duration = Duration::from_secs(30);

fn new_folder() -> (TempDir, PathBuf) {
    let parent = TempDir::new().unwrap();
    let path = parent.path().join("cast-data");
    (parent, path)
}

fn serve(folder: &Path) -> Command {
    let enough = "1000000";
    let args = ["serve", "--listen", "127.0.0.1:0", "--ticket-uses", enough];
    on_folder(&args, folder)
}

async fn interrupted(process: Process) {
    process.signal("INT").await;
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

/// Waits until the store has counted so many ballots, which `export` lists.
async fn exported(folder: &Path, ballots: usize) -> String {
    let counted = eventually(DEADLINE, "the ballots to be counted", async || {
        let command = on_folder(&["export", "ballots", "--format", "jsonl"], folder);
        let (code, stdout, stderr) = run(command).await;
        assert_eq!(code, Some(0), "{stderr}");
        (stdout.lines().count() == ballots).then_some(stdout)
    });
    counted.await
}

#[tokio::test]
async fn votes_are_there_again_after_an_interrupt() {
    let (_parent, folder) = new_folder();
    let process = Process::start(serve(&folder)).await;
    let client = process.client();
    let ticket = client.ticket().await;
    let result = client.vote(one_vote(&ticket, "alice")).await;
    assert_eq!(result["success"], true, "{result}");
    assert!(process.said().contains("cast-data"), "{}", process.said());
    interrupted(process).await;
    for name in ["log.db-wal", "votes.db-wal"] {
        assert!(!folder.join(name).exists(), "{name} is closed");
    }
    let process = Process::start(serve(&folder)).await;
    assert_eq!(process.client().tally("alice").await, 1);
    // A ticket of before is not known any more.
    let result = process.client().vote(one_vote(&ticket, "alice")).await;
    assert_eq!(result["success"], false, "{result}");
    interrupted(process).await;
}

#[tokio::test]
async fn a_second_server_is_refused_and_the_commands_are_not() {
    let (parent, folder) = new_folder();
    let process = Process::start(serve(&folder)).await;
    let client = process.client();
    let ticket = client.ticket().await;
    // One after the other: candidates of one step are numbered by their names.
    for (name, ballots) in [("alice", 1), ("=SUM(A1)", 2), ("bob", 3)] {
        let result = client.vote(one_vote(&ticket, name)).await;
        assert_eq!(result["success"], true, "{result}");
        exported(&folder, ballots).await;
    }
    let (code, stdout, stderr) = run(serve(&folder)).await;
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.contains("is used by process"), "{stderr}");

    let ballots = exported(&folder, 3).await;
    assert!(ballots.contains("\"candidate\":\"alice\""), "{ballots}");
    let (code, tallies, stderr) = run(on_folder(&["export", "tallies"], &folder)).await;
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(
        tallies,
        "number,candidate,votes\n1,alice,1\n2,'=SUM(A1),1\n3,bob,1\n"
    );

    let (code, report, stderr) = run(on_folder(&["audit"], &folder)).await;
    assert_eq!(code, Some(0), "{report}{stderr}");
    assert!(report.ends_with("nothing differs\n"), "{report}");
    let (code, report, stderr) = run(on_folder(&["check"], &folder)).await;
    assert_eq!(code, Some(0), "{report}{stderr}");
    assert!(report.ends_with("nothing is damaged\n"), "{report}");

    let copy = parent.path().join("copy");
    let args = ["backup", copy.to_str().unwrap()];
    let (code, report, stderr) = run(on_folder(&args, &folder)).await;
    assert_eq!(code, Some(0), "{report}{stderr}");
    assert!(report.contains("3 counted, with 3 votes"), "{report}");
    interrupted(process).await;

    let restored = parent.path().join("restored");
    let args = ["restore", copy.to_str().unwrap()];
    let (code, report, stderr) = run(on_folder(&args, &restored)).await;
    assert_eq!(code, Some(0), "{report}{stderr}");
    let process = Process::start(serve(&restored)).await;
    assert_eq!(process.client().tally("bob").await, 1);
    interrupted(process).await;
}

#[tokio::test]
async fn old_records_that_a_backup_has_are_dropped() {
    let (parent, folder) = new_folder();
    let process = Process::start(serve(&folder)).await;
    let ticket = process.client().ticket().await;
    process.client().vote(one_vote(&ticket, "alice")).await;
    exported(&folder, 1).await;
    let copy = parent.path().join("copy");
    let args = ["backup", copy.to_str().unwrap()];
    let (code, report, stderr) = run(on_folder(&args, &folder)).await;
    assert_eq!(code, Some(0), "{report}{stderr}");
    interrupted(process).await;

    let mut command = serve(&folder);
    command.args(["--log-retention", "1ms"]);
    let process = Process::start(command).await;
    let dropped = eventually(DEADLINE, "the record to be dropped", async || {
        let said = process.said();
        said.contains("old records of the log were dropped")
            .then_some(())
    });
    dropped.await;
    let ticket = process.client().ticket().await;
    process.client().vote(one_vote(&ticket, "alice")).await;
    exported(&folder, 2).await;
    interrupted(process).await;
    let (code, report, stderr) = run(on_folder(&["check"], &folder)).await;
    assert_eq!(code, Some(0), "{report}{stderr}");
    let process = Process::start(serve(&folder)).await;
    assert_eq!(process.client().tally("alice").await, 2);
    interrupted(process).await;
}

#[tokio::test]
async fn damage_is_found_and_what_to_do_is_said() {
    let (_parent, folder) = new_folder();
    let process = Process::start(serve(&folder)).await;
    let ticket = process.client().ticket().await;
    process.client().vote(one_vote(&ticket, "mallory")).await;
    exported(&folder, 1).await;
    interrupted(process).await;
    let path = folder.join("log.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes
        .windows(7)
        .position(|text| text == b"mallory")
        .unwrap();
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let (code, report, stderr) = run(on_folder(&["check"], &folder)).await;
    assert_eq!(code, Some(3), "{report}{stderr}");
    assert!(
        report.contains("DAMAGED  log.db, partition 0, offset 0"),
        "{report}"
    );
    assert!(
        report.contains("to do    log.db is damaged: restore"),
        "{report}"
    );
    let (code, _, stderr) = run(on_folder(&["check"], &folder.join("nowhere"))).await;
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("is no data folder"), "{stderr}");
}

/// What voters know of their ballots.
#[derive(Default)]
struct Ballots {
    acknowledged: BTreeSet<Uuid>,
    unanswered: BTreeSet<Uuid>,
}

/// Votes for one candidate until the server is gone, with ballots of known ids.
async fn vote_until_gone(client: Client, ballots: Arc<Mutex<Ballots>>) {
    loop {
        let Ok(ticket) = client.try_ask("{ cas { ticket } }", json!({})).await else {
            return;
        };
        let ticket = ticket.body["data"]["cas"]["ticket"].clone();
        for _ in 0..20 {
            let id = Uuid::new_v4();
            ballots.lock().unwrap().unanswered.insert(id);
            if !vote(&client, &ticket, id, &ballots).await {
                return;
            }
        }
    }
}

/// Whether the server answered.
async fn vote(
    client: &Client,
    ticket: &serde_json::Value,
    id: Uuid,
    ballots: &Mutex<Ballots>,
) -> bool {
    let variables = json!({
        "ticket": ticket, "usernames": ["alice"], "voteCount": [1], "ballotId": id,
    });
    let Ok(reply) = client.try_ask(VOTE, variables).await else {
        return false;
    };
    let result = &reply.body["data"]["vote"];
    let is_counted = result["success"] == true || result["code"] == "DUPLICATE";
    if is_counted {
        let mut ballots = ballots.lock().unwrap();
        ballots.unanswered.remove(&id);
        ballots.acknowledged.insert(id);
    }
    true
}

/// Kills, under load: 10, or as many as `CAST_TEST_KILLS` says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_vote_is_lost_or_doubled_however_often_the_server_is_killed() {
    let kills = std::env::var("CAST_TEST_KILLS").map_or(10, |count| count.parse().unwrap());
    let random = Seed::from_env_or_random().entropy();
    let (_parent, folder) = new_folder();
    let ballots = Arc::new(Mutex::new(Ballots::default()));
    let mut slowest = Duration::ZERO;
    for _ in 0..kills {
        let (process, took) = timed(Process::start(serve(&folder))).await;
        slowest = slowest.max(took);
        let mut voters = JoinSet::new();
        for _ in 0..8 {
            voters.spawn(vote_until_gone(process.client(), Arc::clone(&ballots)));
        }
        let pause = Duration::from_millis(50 + random.below(250));
        cast_testkit::pause(pause).await;
        process.signal("KILL").await;
        drop(process.ended().await);
        within(DEADLINE, "the voters to see that", voters.join_all()).await;
    }
    let process = Process::start(serve(&folder)).await;
    let client = process.client();
    let left: Vec<Uuid> = ballots.lock().unwrap().unanswered.iter().copied().collect();
    for id in left {
        let sent = eventually(DEADLINE, "a ballot to be counted", async || {
            let ticket = json!(client.ticket().await);
            vote(&client, &ticket, id, &ballots).await;
            ballots
                .lock()
                .unwrap()
                .acknowledged
                .contains(&id)
                .then_some(())
        });
        sent.await;
    }
    let acknowledged = ballots.lock().unwrap().acknowledged.clone();
    let counted = exported(&folder, acknowledged.len()).await;
    let ids = counted.lines().map(|line| {
        let ballot: serde_json::Value = serde_json::from_str(line).unwrap();
        ballot["ballotId"]
            .as_str()
            .unwrap()
            .parse::<Uuid>()
            .unwrap()
    });
    assert_eq!(ids.collect::<BTreeSet<_>>(), acknowledged);
    let expected = i64::try_from(acknowledged.len()).unwrap();
    let shown = eventually(DEADLINE, "the tally", async || {
        (client.tally("alice").await == expected).then_some(())
    });
    shown.await;
    interrupted(process).await;
    let (code, report, stderr) = run(on_folder(&["audit"], &folder)).await;
    assert_eq!(code, Some(0), "{report}{stderr}");
    assert!(
        slowest < Duration::from_secs(5),
        "the slowest start took {slowest:?}"
    );
    #[expect(clippy::print_stderr, reason = "the figure of a long run")]
    {
        eprintln!("{kills} kills, {expected} votes; the slowest start took {slowest:?}");
    }
}
