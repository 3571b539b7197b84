//! One machine under random kills: `serve` on a folder, which is killed, stopped, frozen and backed up
//! while voters vote.

use std::{process::ExitCode, sync::Mutex, time::Duration};

use cast_adapters::system::SystemClock;
use cast_core::{domain::Clock as _, ledger::CountedBallot};
use cast_testkit::{Seed, SeededEntropy, eventually, pause, servers::free_address};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    options::Options,
    program::{Process, process::on_folder, run},
    voters::Voters,
    workload::Workload,
};

const DEADLINE: Duration = Duration::from_secs(60);

/// What happens to the server.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// It is killed.
    Kill,
    /// It is asked to end.
    Terminate,
    /// It stands still for a while.
    Freeze,
    /// Its folder is copied, and the copy verified.
    BackUp,
    /// Another server is started on its folder, and must be refused.
    Second,
}

struct Machine {
    folder: TempDir,
    address: String,
    process: Option<Process>,
    slowest: Duration,
    events: [usize; 5],
}

/// Runs a siege of one machine as the options say.
pub(crate) async fn run_siege(options: &Options) -> ExitCode {
    let seed = options.seed.unwrap_or_else(Seed::from_env_or_random);
    let random = seed.part(0).entropy();
    eprintln!("siege of one machine: --seed {seed}");
    let mut machine = Machine::new();
    machine.start().await;
    let url = machine.process.as_ref().expect("it runs").client();
    let workload = Workload::new(vec![url]);
    let mut voters = Voters::start(seed.part(1), &workload, options.voters);
    let begun = SystemClock.monotonic();
    // At least one of each.
    for round in 0_usize.. {
        let lasted = SystemClock.monotonic().saturating_sub(begun);
        if round >= 15 && lasted >= options.duration {
            break;
        }
        pause(Duration::from_millis(100 + random.below(1_500))).await;
        let kinds = [
            Event::Kill,
            Event::Terminate,
            Event::Freeze,
            Event::BackUp,
            Event::Second,
        ];
        let kind = if round < kinds.len() {
            round
        } else {
            random.index(kinds.len())
        };
        machine.events[kind] += 1;
        machine.meets(kinds[kind], &random).await;
    }
    voters.until_acknowledged(20).await;
    voters.stop().await;
    machine.all_counted(&workload).await;
    let Machine {
        slowest, events, ..
    } = &machine;
    eprintln!(
        "siege of one machine: seed {seed} held: {} acknowledged ballots; kills, ends, freezes, \
         backups, second servers: {events:?}; the slowest start took {slowest:?}",
        workload.locked().acknowledged()
    );
    machine.end("TERM").await;
    ExitCode::SUCCESS
}

impl Machine {
    fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            address: free_address().to_string(),
            process: None,
            slowest: Duration::ZERO,
            events: [0; 5],
        }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("cast-data")
    }

    fn command(&self, args: &[&str]) -> Command {
        on_folder(args, &self.path())
    }

    fn serve(&self, address: &str) -> Command {
        // Few enough that tickets run out.
        let args = ["serve", "--ticket-uses", "2000", "--listen", address];
        self.command(&args)
    }

    async fn start(&mut self) {
        let begun = SystemClock.monotonic();
        self.process = Some(Process::start(self.serve(&self.address)).await);
        let took = SystemClock.monotonic().saturating_sub(begun);
        self.slowest = self.slowest.max(took);
    }

    /// Ends the process with a signal.
    async fn end(&mut self, signal: &str) {
        let process = self.process.take().expect("it runs");
        process.signal(signal).await;
        let ended = process.ended().await;
        let expected = if signal == "KILL" { None } else { Some(0) };
        assert_eq!(ended.code, expected, "{}", ended.stderr);
    }

    async fn meets(&mut self, event: Event, random: &SeededEntropy) {
        match event {
            Event::Kill => {
                self.end("KILL").await;
                self.start().await;
            }
            Event::Terminate => {
                self.end("TERM").await;
                self.start().await;
            }
            Event::Freeze => {
                let process = self.process.as_ref().expect("it runs");
                process.signal("STOP").await;
                pause(Duration::from_millis(random.below(3_000))).await;
                process.signal("CONT").await;
            }
            Event::BackUp => self.back_up().await,
            Event::Second => {
                let (code, _, stderr) = run(self.serve("127.0.0.1:0")).await;
                assert_eq!(code, Some(1), "{stderr}");
                assert!(stderr.contains("is used by"), "{stderr}");
            }
        }
    }

    async fn back_up(&self) {
        let copy = TempDir::new().unwrap();
        let target = copy.path().join("copy");
        let backup = self.command(&["backup", target.to_str().unwrap()]);
        let (code, _, stderr) = run(backup).await;
        assert_eq!(code, Some(0), "{stderr}");
        let (code, report, stderr) = run(on_folder(&["audit"], &target)).await;
        assert_eq!(code, Some(0), "{report}{stderr}");
    }

    /// Waits until everything is counted, and compares it with what the voters know.
    async fn all_counted(&self, workload: &Workload) {
        let left = Left::default();
        let counted = eventually(DEADLINE, &left, async || {
            let ballots = self.counted().await;
            let findings = workload.read(|ledger| ledger.answers.check_ballots(ballots));
            left.set(&findings);
            findings.is_empty().then_some(())
        });
        counted.await;
        let (code, report, stderr) = run(self.command(&["audit"])).await;
        assert_eq!(code, Some(0), "{report}{stderr}");
        let (code, report, stderr) = run(self.command(&["check"])).await;
        assert_eq!(code, Some(0), "{report}{stderr}");
    }

    /// The ballots that the store counted, by the name that their voter gave each.
    async fn counted(&self) -> Vec<CountedBallot<String, String>> {
        let export = self.command(&["export", "ballots", "--format", "jsonl"]);
        let (code, lines, stderr) = run(export).await;
        assert_eq!(code, Some(0), "{stderr}");
        lines.lines().map(counted_ballot).collect()
    }
}

/// What is still not as promised, shown if that stays so.
#[derive(Default)]
struct Left(Mutex<String>);

impl Left {
    fn set(&self, findings: &impl std::fmt::Debug) {
        *self.0.lock().unwrap() = format!("{findings:?}");
    }
}

impl std::fmt::Display for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the end of {}", self.0.lock().unwrap())
    }
}

fn counted_ballot(line: &str) -> CountedBallot<String, String> {
    let ballot: Value = serde_json::from_str(line).unwrap();
    let selections = ballot["selections"].as_array().unwrap().iter();
    let votes = selections.map(|one| {
        let candidate = one["candidate"].as_str().unwrap().to_owned();
        (candidate, one["votes"].as_u64().unwrap())
    });
    CountedBallot {
        ballot: ballot["voter"].as_str().unwrap().to_owned(),
        votes: votes.collect(),
    }
}
