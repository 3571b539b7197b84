//! The facade: a whole CAST, or some of its roles, over any four ports.

use std::sync::Arc;

use crate::{
    domain::{Ballot, BallotId, Candidate, CurrentTicket, Fate, KeyRing, Outcome, Tally},
    fault::Fault,
    ports::{Clock, Entropy, EventBus, PortError, TicketSource, VoteCounter, VoteStore},
    settings::{Settings, SettingsError},
};

/// What a CAST stands on. Any of them can be swapped for one of your own.
#[derive(Clone)]
#[expect(
    missing_docs,
    reason = "each field is named as its trait, which says all there is"
)]
pub struct Ports {
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub tickets: Arc<dyn TicketSource>,
    pub bus: Arc<dyn EventBus>,
    pub counter: Arc<dyn VoteCounter>,
    pub store: Arc<dyn VoteStore>,
}

/// Which of its tasks a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Takes votes and shows tallies.
    pub door: bool,
    /// Issues tickets.
    pub generator: bool,
    /// How many consumers fold the log into the store.
    pub consumers: usize,
}

impl Roles {
    /// Everything in one process.
    pub const ALL: Self = Self {
        door: true,
        generator: true,
        consumers: 1,
    };
}

/// Gathers what a CAST needs.
pub struct CastBuilder {}

impl CastBuilder {
    /// Replaces the default settings.
    pub fn settings(self, settings: Settings) -> Self {
        todo!("{settings:?}")
    }

    /// Runs only some of the roles; otherwise [`Roles::ALL`].
    pub fn roles(self, roles: Roles) -> Self {
        todo!("{roles:?}")
    }

    /// Starts the tasks of the roles on the current tokio runtime.
    pub async fn start(self) -> Result<Cast, StartError> {
        todo!()
    }
}

/// Why a CAST did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Settings that cannot work.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A port that is needed from the start.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// A running CAST. Clones share it.
#[derive(Clone)]
pub struct Cast {}

impl Cast {
    /// Begins to build one.
    pub fn builder(_ports: Ports, _keys: KeyRing) -> CastBuilder {
        todo!()
    }

    /// The ticket that is good now.
    pub async fn current_ticket(&self) -> Result<CurrentTicket, Fault> {
        todo!()
    }

    /// Votes. Dropping the future before its ballot is taken into a flush withdraws it; later, it
    /// counts all the same.
    pub async fn vote(&self, ballot: Ballot) -> Result<Outcome, Fault> {
        todo!("{ballot:?}")
    }

    /// The tallies of candidates, in their order; no votes for a name never voted for.
    pub async fn tallies(&self, candidates: &[Candidate]) -> Result<Vec<Tally>, Fault> {
        todo!("{candidates:?}")
    }

    /// The candidates with the most votes, most first, then by name.
    pub async fn leaderboard(&self, first: usize) -> Result<Vec<Tally>, Fault> {
        todo!("{first}")
    }

    /// What became of a ballot; `None` if nobody has seen it.
    pub async fn ballot(&self, id: BallotId) -> Result<Option<Fate>, Fault> {
        todo!("{id}")
    }

    /// Whether each thing that this process needs answers now.
    pub async fn readiness(&self) -> Vec<Check> {
        todo!()
    }

    /// Waits until one of the tasks has died, which none does by itself. A process should then end.
    pub async fn failed(&self) -> TaskDied {
        todo!()
    }

    /// Drains: takes nothing new, answers what was taken in, ends every task. Returns when all is done.
    pub async fn shutdown(&self) {
        todo!()
    }
}

/// Whether one thing that a process needs answers.
#[derive(Debug)]
pub struct Check {
    /// What: `tickets`, `log`, `counter`, `store`.
    pub name: &'static str,
    /// The answer.
    pub result: Result<(), Fault>,
}

/// A task ended that never should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the task {task} died")]
pub struct TaskDied {
    /// Its name.
    pub task: &'static str,
}
