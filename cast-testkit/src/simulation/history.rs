//! The events of a history, any of which can be left out.

use std::{fmt, time::Duration};

use cast_core::ports::Operation;

use super::process_state::FaultPoint;
use crate::{faults::Fault, seed::Seed};

/// All that a run depends on. The seed decides, besides, how long each call takes.
#[derive(Clone)]
pub(super) struct History {
    pub(super) seed: Seed,
    pub(super) setup: Setup,
    /// By time.
    pub(super) events: Vec<Event>,
}

/// What runs, and with which settings.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) partitions: u32,
    /// API processes first.
    pub(super) processes: Vec<Process>,
    /// The longest that an ordinary call takes, before and after it happens, each; in µs.
    pub(super) jitter_us: u64,
    pub(super) ticket_ttl_ms: u64,
    pub(super) ticket_uses: u32,
    pub(super) intake_capacity: usize,
    pub(super) flush_limit: usize,
    pub(super) flushes_in_flight: usize,
    pub(super) fold_limit: usize,
    pub(super) refresh_after_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) role: Role,
    /// How far its wall clock is ahead, in ms.
    pub(super) skew_ms: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    All,
    Api,
    Consumer,
    Generator,
}

impl Role {
    pub(super) const fn has_api(self) -> bool {
        matches!(self, Self::All | Self::Api)
    }
}

impl Setup {
    /// How many of the processes serve the API.
    pub(super) fn apis(&self) -> usize {
        let apis = self.processes.iter().filter(|p| p.role.has_api());
        apis.count()
    }
}

#[derive(Clone, Debug)]
pub(super) struct Event {
    /// How long after the beginning.
    pub(super) at: Duration,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Vote(Vote),
    /// All tallies are read, or the leaders.
    SampleTallies {
        api: usize,
        leaders: bool,
    },
    /// The fate of a voter's ballot is read.
    SampleBallot {
        api: usize,
        voter: u32,
    },
    /// The next call of an operation fails, in any process.
    Fail {
        operation: Operation,
        fault: Fault,
    },
    /// Calls of a port fail for a while.
    FaultPeriod(FaultPeriod),
    Crash {
        process: usize,
        restart_after: Duration,
    },
    Freeze {
        process: usize,
        lasts: Duration,
    },
    /// A process crashes or freezes at its next call of an operation.
    FaultAt {
        process: usize,
        point: FaultPoint,
    },
    /// A process shuts down gracefully, and restarts.
    Restart {
        process: usize,
    },
    LoseCounter,
    LoseCandidate(usize),
    LoseTickets {
        ids: bool,
    },
    BackUp,
    Restore {
        which: usize,
    },
    Unreadable {
        partition: u32,
    },
    /// The log acknowledges the next record without its position.
    NoPosition,
}

/// What a voter does.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "habits of a voter, each independent of the others"
)]
pub(super) struct Vote {
    /// Unique in the history.
    pub(super) voter: u32,
    pub(super) api: usize,
    /// Whether each attempt goes to another API process.
    pub(super) roams: bool,
    /// Whether the voter sends a ballot id.
    pub(super) own_id: bool,
    /// Candidates by number, and votes.
    pub(super) picks: Vec<(usize, u32)>,
    pub(super) ticket: Choice,
    /// When the voter hangs up.
    pub(super) patience: Duration,
    /// How often the voter tries again.
    pub(super) retries: u32,
    /// How long the voter waits before that.
    pub(super) pause: Duration,
    /// Whether the next attempt has other contents.
    pub(super) alters: bool,
    /// Whether an accepted ballot is sent again.
    pub(super) again: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Current,
    /// One that was current earlier.
    Old,
    Forged,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct FaultPeriod {
    /// As in [`Operation::port`].
    pub(super) port: &'static str,
    pub(super) fault: Fault,
    /// How many of a hundred calls it hits.
    pub(super) percent: u64,
    pub(super) lasts: Duration,
}

/// One line for each event.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}", self.setup)?;
        for Event { at, what } in &self.events {
            writeln!(f, "{:>12} {what:?}", format!("{at:?}"))?;
        }
        Ok(())
    }
}
