//! The facade: one type for everything that a program does with CAST.
//!
//! Architecture invariant: it imports the rooms (`ingest`, `projection`, `tickets`, `tallies`), and no room
//! imports it.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    domain::{
        Ballot, BallotId, Candidate, CurrentTicket, Fate, KeyRing, Outcome, Partition, Partitions,
        Tally,
    },
    fault::{Fault, FaultKind},
    ingest::{Intake, IntakeLoad, VoteService},
    ports::{Operation, PortError, Ports},
    projection::{Consumer, FoldOutages},
    settings::{Settings, SettingsError},
    tallies::{Refresher, Tallies},
    tasks::{TaskDied, Tasks},
    tickets::Generator,
};

/// The roles that a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Whether it takes votes.
    pub api: bool,
    /// Whether it issues tickets.
    pub generator: bool,
    /// How many consumers it runs, which fold the log into the store.
    pub consumers: usize,
}

impl Roles {
    /// All roles, with one consumer.
    pub const ALL: Self = Self {
        api: true,
        generator: true,
        consumers: 1,
    };
}

/// Builds a [`Cast`]; see [`Cast::builder`].
#[must_use = "nothing runs before `start`"]
pub struct CastBuilder {
    ports: Ports,
    keys: KeyRing,
    settings: Settings,
    roles: Roles,
}

impl CastBuilder {
    /// Sets the settings; without it, the defaults apply.
    pub fn settings(self, settings: Settings) -> Self {
        Self { settings, ..self }
    }

    /// Sets the roles; without it, all of them run: [`Roles::ALL`].
    pub fn roles(self, roles: Roles) -> Self {
        Self { roles, ..self }
    }

    /// Starts the tasks of the roles on the current tokio runtime.
    ///
    /// When it returns, a generator has published the first ticket. If a port that is needed at the start
    /// does not answer, it fails and no task runs: build it again to retry.
    pub async fn start(self) -> Result<Cast, StartError> {
        let Self {
            ports,
            keys,
            settings,
            roles,
        } = self;
        settings.check()?;
        let partitions = if roles.api {
            let limit = settings.ingest.publish_deadline;
            let asked = ports.bus.partitions();
            ports.within(limit, Operation::Partitions, asked).await?
        } else {
            // Only the vote service needs them; a generator must start without a log.
            Partitions::ONE
        };
        let generator = Generator::new(&ports, keys.clone(), settings.tickets.clone());
        if roles.generator {
            generator.tick().await?;
        }

        let refresher = Arc::new(Refresher::new(&ports, settings.tallies.clone()));
        let tallies = Tallies::new(&ports, Arc::clone(&refresher), settings.tallies.clone());
        let tallies = Arc::new(tallies);
        let shown = Arc::clone(&tallies);
        let (votes, intake) = Intake::open(&ports, keys.clone(), partitions, shown, &settings);

        let tasks = Tasks::default();
        let (drain, stop) = (CancellationToken::new(), CancellationToken::new());
        if roles.api {
            tasks.spawn("intake", &drain, |drain| intake.run(drain));
            tasks.spawn("refresher", &stop, |stop| refresher.run(stop));
        }
        if roles.generator {
            tasks.spawn("generator", &stop, |stop| generator.run(stop));
        }
        let mut folds = Vec::new();
        for _ in 0..roles.consumers {
            let consumer = Consumer::new(&ports, settings.fold.clone());
            folds.push(consumer.outages());
            tasks.spawn("consumer", &stop, |stop| consumer.run(stop));
        }
        let guards = (drain.clone().drop_guard(), stop.clone().drop_guard());
        let inner = Inner {
            ports,
            keys,
            settings,
            roles,
            votes,
            tallies,
            folds,
            tasks,
            drain,
            stop,
            _guards: guards,
        };
        Ok(Cast {
            inner: Arc::new(inner),
        })
    }
}

/// Why [`CastBuilder::start`] failed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A port that is needed at the start failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// A running CAST: takes votes, shows tallies, and runs the background tasks of its roles.
///
/// Clones are handles to the same instance. Dropping the last one stops its tasks;
/// [`shutdown`](Self::shutdown) stops them in an orderly way.
///
/// ```
/// use cast_adapters::{memory, system::SystemEntropy};
/// use cast_core::{
///     Cast,
///     domain::{Ballot, Candidate, KeyRing, Outcome},
/// };
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let keys = KeyRing::generate(&SystemEntropy);
/// let cast = Cast::builder(memory::ports(), keys).start().await?;
///
/// let ticket = cast.current_ticket().await?;
/// let ballot = Ballot::new(ticket.id).select("alice", 1)?.select("bob", 2)?;
/// let Outcome::Accepted(receipt) = cast.vote(ballot).await? else {
///     panic!("a valid ballot with the current ticket is accepted");
/// };
/// assert_eq!(receipt.tallies[1].votes, 2);
///
/// let alice = Candidate::new("alice")?;
/// assert_eq!(cast.tallies(&[alice]).await?[0].votes, 1);
/// cast.shutdown().await;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Cast {
    inner: Arc<Inner>,
}

struct Inner {
    ports: Ports,
    keys: KeyRing,
    settings: Settings,
    roles: Roles,
    votes: VoteService,
    tallies: Arc<Tallies>,
    folds: Vec<Arc<FoldOutages>>,
    tasks: Tasks,
    drain: CancellationToken,
    stop: CancellationToken,
    /// Stop the tasks when the last handle is dropped.
    _guards: (DropGuard, DropGuard),
}

impl Cast {
    /// Begins to build an instance on these ports, with the keys that sign its tickets. Processes that
    /// share tickets need the same keys; a single process may use [`KeyRing::generate`].
    pub fn builder(ports: Ports, keys: KeyRing) -> CastBuilder {
        CastBuilder {
            ports,
            keys,
            settings: Settings::default(),
            roles: Roles::ALL,
        }
    }

    /// The ticket that is valid now. Fails with [`FaultKind::NoTicket`] if there is none.
    pub async fn current_ticket(&self) -> Result<CurrentTicket, Fault> {
        let limit = self.inner.settings.ingest.redeem_deadline;
        let current = self.inner.ports.tickets.current();
        let current = self
            .within(limit, Operation::CurrentTicket, current)
            .await?;
        current.ok_or(Fault::new(FaultKind::NoTicket))
    }

    /// Casts a ballot.
    ///
    /// If the future is dropped before a flush has taken the ballot, the ballot does not count; afterwards
    /// it may count. To find out, cast it with a [`BallotId`] and cast it again.
    pub async fn vote(&self, ballot: Ballot) -> Result<Outcome, Fault> {
        self.inner.votes.vote(ballot).await
    }

    /// A fresh ballot id, for a ballot that is refused before [`vote`](Self::vote) could give it one: the
    /// client may retry with it.
    pub fn mint_ballot_id(&self) -> BallotId {
        self.inner.votes.mint_ballot_id()
    }

    /// How many ballots wait for a flush.
    pub fn intake(&self) -> IntakeLoad {
        self.inner.votes.intake()
    }

    /// The tallies of candidates, in their order. An unknown candidate has no votes.
    pub async fn tallies(&self, candidates: &[Candidate]) -> Result<Vec<Tally>, Fault> {
        Ok(self.inner.tallies.of(candidates).await?.tallies)
    }

    /// The `first` candidates with the most votes, most first, then by name.
    pub async fn leaderboard(&self, first: usize) -> Result<Vec<Tally>, Fault> {
        self.inner.tallies.leaders(first).await
    }

    /// What happened to a ballot; `None` if neither the store nor this process knows it.
    pub async fn ballot(&self, id: BallotId) -> Result<Option<Fate>, Fault> {
        // Looked up before the store: a ballot that is applied in between is found in the store.
        let logged = self.inner.votes.logged_at(id).map(Fate::Logged);
        let limit = self.inner.settings.tallies.store_deadline;
        let stored = self.inner.ports.store.ballot(id);
        match self.within(limit, Operation::Ballot, stored).await {
            Ok(stored) => Ok(stored.or(logged)),
            Err(fault) => logged.map(Some).ok_or(fault),
        }
    }

    /// The readiness of everything that the roles of this process need.
    pub async fn readiness(&self) -> Vec<Check> {
        let ports = &self.inner.ports;
        let limit = self.inner.settings.tallies.read_deadline;
        let roles = self.inner.roles;
        let (tickets, log, counter, store) = tokio::join!(
            self.check_ticket(),
            self.within(limit, Operation::Partitions, ports.bus.partitions()),
            self.within(limit, Operation::Read, ports.counter.read(&[])),
            self.within(
                limit,
                Operation::Progress,
                ports.store.progress(Partition::new(0))
            ),
        );
        let folds = roles.consumers > 0;
        let check = |name, used: bool, needed, result: Result<(), Fault>| {
            used.then_some(Check {
                name,
                needed,
                result,
            })
        };
        let (issues, votes) = (roles.generator, roles.api);
        // Votes are accepted without the counter and without the store.
        [
            check("tickets", votes || issues, true, tickets),
            check("log", votes || folds, true, log.map(drop)),
            check("counter", votes || folds, false, counter.map(drop)),
            check("store", votes || folds, folds, store.map(drop)),
            check("fold", folds, true, self.check_folds()),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Whether the consumers make progress: every port may answer, and the log be another one than the
    /// store's.
    fn check_folds(&self) -> Result<(), Fault> {
        let lasting = self.inner.folds.iter().find_map(|fold| fold.lasting());
        lasting.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Whether there is a current ticket and this process accepts it.
    async fn check_ticket(&self) -> Result<(), Fault> {
        let current = self.current_ticket().await?;
        if self.inner.keys.verify(&current.id).is_some() {
            return Ok(());
        }
        let key = current.id.key_id().get();
        let why = format!(
            "the current ticket was issued with key {key}, which is not in the key ring here"
        );
        Err(PortError::misconfigured(Operation::CurrentTicket.name(), why).into())
    }

    /// Waits until a background task has died. The process should then exit.
    pub async fn failed(&self) -> TaskDied {
        self.inner.tasks.died().await
    }

    /// Graceful shutdown: refuses new ballots, answers those that were accepted, and stops every task.
    /// The deadlines of the settings limit how long it takes.
    pub async fn shutdown(&self) {
        self.inner.drain.cancel();
        self.inner.tasks.ended("intake").await;
        self.inner.stop.cancel();
        self.inner.tasks.all_ended().await;
    }

    async fn within<T>(
        &self,
        limit: Duration,
        operation: Operation,
        call: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, Fault> {
        Ok(self.inner.ports.within(limit, operation, call).await?)
    }
}

/// The readiness of one thing that a process needs.
#[derive(Debug)]
pub struct Check {
    /// What is checked: `tickets`, `log`, `counter`, `store` or `fold`.
    pub name: &'static str,
    /// Whether the process cannot do its work without it.
    pub needed: bool,
    /// `Ok` if it is ready.
    pub result: Result<(), Fault>,
}
