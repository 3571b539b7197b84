//! What keeps a process of a deployment running, and breaks it all the time.

use std::{process::ExitStatus, time::Duration};

use cast_testkit::{SeededEntropy, pause, within};

use crate::{
    fault_phase::{FaultPhase, hold},
    program::{Client, Process},
    stack::{LATER, Role, command_with, drain, kill},
    workload::Workload,
};

/// How long a process runs before it breaks, at most.
const LIFE: Duration = Duration::from_secs(5);

/// How long it takes until another is started, at most.
const AWAY: Duration = Duration::from_secs(1);

/// How long a process stands still, at most: its voters wait for it.
const STILL: Duration = Duration::from_secs(3);

/// Longer than a group waits for a sign of life of a consumer.
const GIVEN_UP: Duration = Duration::from_secs(12);

/// How long a failpoint may take to be reached: a consumer must come by its partitions first.
const REACHED_WITHIN: Duration = Duration::from_secs(20);

/// What can happen to a process.
#[derive(Clone, Copy, Debug)]
enum ProcessFault {
    Killed,
    Drained,
    Frozen,
    FrozenUntilGivenUp,
    KilledAtFailpoint,
    ThawedAtFailpoint,
}

impl Role {
    fn faults(self) -> &'static [ProcessFault] {
        use ProcessFault::{
            Drained, Frozen, FrozenUntilGivenUp, Killed, KilledAtFailpoint, ThawedAtFailpoint,
        };
        const ANY: &[ProcessFault] = &[
            Killed,
            Drained,
            Frozen,
            KilledAtFailpoint,
            ThawedAtFailpoint,
        ];
        const CONSUMER: &[ProcessFault] = &[
            Killed,
            Drained,
            Frozen,
            FrozenUntilGivenUp,
            KilledAtFailpoint,
            ThawedAtFailpoint,
        ];
        match self {
            Self::Consumer => CONSUMER,
            Self::Api | Self::Generator => ANY,
        }
    }

    /// The operations of its path, and after how many calls of one it stops, at most.
    fn failpoints(self) -> (&'static [&'static str], u64) {
        match self {
            Self::Api => (
                &[
                    "tickets.redeem",
                    "bus.publish",
                    "counter.record",
                    "counter.read",
                ],
                40,
            ),
            Self::Generator => (&["tickets.now", "tickets.publish"], 4),
            Self::Consumer => (
                &[
                    "store.progress",
                    "bus.next",
                    "store.apply",
                    "counter.reconcile",
                    "bus.commit",
                ],
                8,
            ),
        }
    }
}

/// The place of one process, which is started again whatever becomes of it.
pub(crate) struct Supervisor {
    role: Role,
    settings: Vec<(String, String)>,
    random: SeededEntropy,
    workload: Workload,
    process: Option<Process>,
    /// Where voters find it; they notice when it is gone.
    api: Option<String>,
}

impl Supervisor {
    /// Starts the first process.
    pub(crate) async fn start(
        role: Role,
        settings: &[(String, String)],
        random: SeededEntropy,
        workload: &Workload,
    ) -> Self {
        let mut supervisor = Self {
            role,
            settings: settings.to_vec(),
            random,
            workload: workload.clone(),
            process: None,
            api: None,
        };
        supervisor.replace(None, None).await;
        supervisor
    }

    /// Ends the process in good order.
    pub(crate) async fn drain(self) {
        drain(self.process.expect("it is started again")).await;
    }

    /// Whether it answers voters.
    pub(crate) const fn is_api(&self) -> bool {
        matches!(self.role, Role::Api)
    }

    /// The process as voters see it.
    pub(crate) fn client(&self) -> Client {
        self.running().client()
    }

    /// Breaks it until the phase is over, and leaves one that runs.
    pub(crate) async fn inject_faults(&mut self, phase: &FaultPhase<'_>) {
        let random = SeededEntropy::new(self.random.next());
        phase
            .inject_all(&random, self.role.faults(), async |fault| {
                self.inject(fault, phase).await;
                phase
                    .counts
                    .add(format!("{} {fault:?}", self.role.command()));
            })
            .await;
    }

    async fn inject(&mut self, fault: ProcessFault, phase: &FaultPhase<'_>) {
        match fault {
            ProcessFault::Killed => {
                self.live(phase).await;
                self.die().await;
                self.replace(None, Some(phase)).await;
            }
            ProcessFault::Drained => {
                self.live(phase).await;
                let old = self.process.take().expect("it runs");
                old.signal("TERM").await;
                let code = old.ended().await.code;
                // One that cannot finish in time, because a server is away, ends with 1.
                assert!(matches!(code, Some(0 | 1)), "{code:?}");
                if code == Some(1) {
                    let what = format!("{} drained too late", self.role.command());
                    phase.counts.add(what);
                }
                self.replace(None, Some(phase)).await;
            }
            ProcessFault::Frozen | ProcessFault::FrozenUntilGivenUp => {
                self.live(phase).await;
                self.signal("STOP").await;
                if matches!(fault, ProcessFault::Frozen) {
                    hold(&self.random, STILL).await;
                } else {
                    pause(GIVEN_UP).await;
                }
                self.signal("CONT").await;
            }
            ProcessFault::KilledAtFailpoint => {
                self.until_failpoint(phase).await;
                hold(&self.random, STILL).await;
                self.die().await;
                self.replace(None, Some(phase)).await;
            }
            ProcessFault::ThawedAtFailpoint => self.thaw_at_failpoint(phase).await,
        }
    }

    async fn thaw_at_failpoint(&mut self, phase: &FaultPhase<'_>) {
        if !self.until_failpoint(phase).await {
            // Nothing would thaw it if it came there later.
            self.die().await;
            self.replace(None, Some(phase)).await;
            return;
        }
        hold(&self.random, STILL).await;
        if matches!(self.role, Role::Consumer) && self.random.below(2) == 0 {
            pause(GIVEN_UP).await;
        }
        self.signal("CONT").await;
        let mut process = self.process.take().expect("it runs");
        // It may have stopped before it listened.
        if !process.line.is_empty() {
            self.process = Some(process);
        } else if self.listens(&mut process, None).await {
            self.open(process);
        } else {
            phase.counts.add(self.refusal());
            self.replace(None, Some(phase)).await;
        }
    }

    /// A process that stops at a random point of its path takes the place, and comes to that point;
    /// or it does not come there in time, as some points are passed seldom. Whether it did.
    async fn until_failpoint(&mut self, phase: &FaultPhase<'_>) -> bool {
        self.live(phase).await;
        self.die().await;
        let (operations, passes) = self.role.failpoints();
        let operation = operations[self.random.index(operations.len())];
        let moment = ["before", "after"][self.random.index(2)];
        let point = format!("{moment}-{operation}");
        let after = format!("{point}:{}", self.random.below(passes));
        self.replace(Some(&after), Some(phase)).await;
        let reached = async {
            while !self.running().said().contains("failpoint ") {
                self.must_run();
                pause(Duration::from_millis(50)).await;
            }
        };
        let is_reached = tokio::time::timeout(REACHED_WITHIN, reached).await.is_ok();
        let what = if is_reached { "at" } else { "not at" };
        let command = self.role.command();
        phase.counts.add(format!("{command} {what} {point}"));
        is_reached
    }

    /// Lets it run for a while.
    async fn live(&mut self, phase: &FaultPhase<'_>) {
        phase.rest(&self.random, LIFE).await;
        self.must_run();
    }

    /// Nothing that breaks a server ends a process.
    fn must_run(&mut self) {
        let process = self.process.as_mut().expect("it runs");
        let ended: Option<ExitStatus> = process.child.try_wait().expect("it is our child");
        let role = self.role.command();
        assert!(
            ended.is_none(),
            "{role}, process {:?}, ended by itself: {ended:?}\n{}",
            process.line,
            process.said()
        );
    }

    async fn die(&mut self) {
        kill(self.process.take().expect("it runs")).await;
    }

    async fn signal(&self, signal: &str) {
        self.running().signal(signal).await;
    }

    fn running(&self) -> &Process {
        self.process.as_ref().expect("it runs")
    }

    fn refusal(&self) -> String {
        format!("{} refused to start", self.role.command())
    }

    /// Starts another in the place of one that ended, and waits until it listens, or stands still
    /// at its failpoint. One that refuses to start, as it does where there is no database at that
    /// moment, is started again.
    async fn replace(&mut self, failpoint: Option<&str>, phase: Option<&FaultPhase<'_>>) {
        if let Some(phase) = phase {
            phase.rest(&self.random, AWAY).await;
        }
        let more = failpoint.map(|failpoint| ("CAST_TEST_FAILPOINT", failpoint));
        let starting = async {
            loop {
                let command = command_with(&self.settings, self.role.command(), more.as_slice());
                let mut process = Process::launch(command);
                if self.listens(&mut process, failpoint).await {
                    return process;
                }
                let phase = phase.expect("nothing is broken yet");
                phase.counts.add(self.refusal());
                pause(AWAY).await;
            }
        };
        let what = format!("a start of {}", self.role.command());
        let process = within(LATER, what, starting).await;
        self.open(process);
    }

    /// Waits for its line, or for its failpoint; whether it lives then.
    async fn listens(&self, process: &mut Process, failpoint: Option<&str>) -> bool {
        loop {
            tokio::select! {
                line = process.stdout.next_line() => {
                    process.line = line.unwrap().unwrap_or_default();
                    return !process.line.is_empty();
                }
                () = pause(Duration::from_millis(50)) => {
                    let is_still = process.said().contains("failpoint ");
                    if failpoint.is_some() && is_still {
                        return true;
                    }
                }
            }
        }
    }

    /// Lets voters come to it.
    fn open(&mut self, process: Process) {
        if matches!(self.role, Role::Api) && !process.line.is_empty() {
            let mut apis = self.workload.apis.lock().unwrap();
            apis.retain(|api| self.api.as_ref() != Some(&api.url));
            self.api = Some(process.url());
            apis.push(process.client());
        }
        self.process = Some(process);
    }
}
