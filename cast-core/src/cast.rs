//! The facade: a whole CAST, or some of its roles, over any four ports.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    deadline::within,
    domain::{
        Ballot, BallotId, Candidate, CurrentTicket, Fate, KeyRing, Outcome, Partition, Partitions,
        Tally,
    },
    fault::{Fault, FaultKind},
    ingest::{Intake, IntakeLoad, VoteService},
    ports::{PortError, Ports},
    projection::{Consumer, FoldOutages},
    settings::{Settings, SettingsError},
    tallies::{Refresher, Tallies},
    tasks::{TaskDied, Tasks},
    tickets::Generator,
};

/// Which of its tasks a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Takes votes and shows tallies.
    pub api: bool,
    /// Issues tickets.
    pub generator: bool,
    /// How many consumers fold the log into the store.
    pub consumers: usize,
}

impl Roles {
    /// Everything in one process.
    pub const ALL: Self = Self {
        api: true,
        generator: true,
        consumers: 1,
    };
}

/// Gathers what a CAST needs.
#[must_use = "nothing runs before `start`"]
pub struct CastBuilder {
    ports: Ports,
    keys: KeyRing,
    settings: Settings,
    roles: Roles,
}

impl CastBuilder {
    /// Replaces the default settings.
    pub fn settings(self, settings: Settings) -> Self {
        Self { settings, ..self }
    }

    /// Runs only some of the roles; otherwise [`Roles::ALL`].
    pub fn roles(self, roles: Roles) -> Self {
        Self { roles, ..self }
    }

    /// Starts the tasks of the roles on the current tokio runtime.
    ///
    /// A generator has published the first ticket when this returns. If a port that is needed from
    /// the start does not answer, nothing is left running: build it again.
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
            within(
                &*ports.clock,
                limit,
                "asking the log for its partitions",
                asked,
            )
            .await?
        } else {
            // Only a door sends ballots to them; a generator must start without a log.
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
        let (service, intake) = Intake::open(&ports, keys.clone(), partitions, shown, &settings);

        let tasks = Tasks::default();
        let (drain, stop) = (CancellationToken::new(), CancellationToken::new());
        if roles.api {
            tasks.spawn("intake", &drain, |drain| intake.run(drain));
            tasks.spawn("refresher", &stop, |stop| async move {
                refresher.run(stop).await;
            });
        }
        if roles.generator {
            tasks.spawn("generator", &stop, |stop| generator.run(stop));
        }
        let mut folds = Vec::new();
        for _ in 0..roles.consumers {
            let consumer = Consumer::new(&ports, settings.fold.clone());
            folds.push(consumer.outages());
            tasks.spawn(
                "consumer",
                &stop,
                |stop| async move { consumer.run(stop).await },
            );
        }
        let guards = (drain.clone().drop_guard(), stop.clone().drop_guard());
        let inner = Inner {
            ports,
            keys,
            settings,
            roles,
            service,
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

/// A running CAST. Clones share it; with the last of them its tasks end.
#[derive(Clone)]
pub struct Cast {
    inner: Arc<Inner>,
}

struct Inner {
    ports: Ports,
    keys: KeyRing,
    settings: Settings,
    roles: Roles,
    service: VoteService,
    tallies: Arc<Tallies>,
    folds: Vec<Arc<FoldOutages>>,
    tasks: Tasks,
    drain: CancellationToken,
    stop: CancellationToken,
    /// End the tasks when nobody holds the CAST any more.
    _guards: (DropGuard, DropGuard),
}

impl Cast {
    /// Begins to build one, over ports of any kind, and with the keys of its tickets:
    /// [`KeyRing::generate`] makes one for a process by itself.
    pub fn builder(ports: Ports, keys: KeyRing) -> CastBuilder {
        CastBuilder {
            ports,
            keys,
            settings: Settings::default(),
            roles: Roles::ALL,
        }
    }

    /// The ticket that is good now.
    pub async fn current_ticket(&self) -> Result<CurrentTicket, Fault> {
        let limit = self.inner.settings.ingest.redeem_deadline;
        let current = self.inner.ports.tickets.current();
        let current = self
            .within(limit, "asking for the current ticket", current)
            .await?;
        current.ok_or(Fault::new(FaultKind::NoTicket))
    }

    /// Votes.
    ///
    /// Dropping the future before its ballot is taken into a flush withdraws the ballot; afterwards
    /// it counts all the same. To know, vote with a [`BallotId`] and vote again.
    pub async fn vote(&self, ballot: Ballot) -> Result<Outcome, Fault> {
        self.inner.service.vote(ballot).await
    }

    /// How full the intake is now: the one thing that a port's callers cannot see.
    pub fn intake(&self) -> IntakeLoad {
        self.inner.service.intake()
    }

    /// The tallies of candidates, in their order; no votes for a name never voted for.
    pub async fn tallies(&self, candidates: &[Candidate]) -> Result<Vec<Tally>, Fault> {
        Ok(self.inner.tallies.of(candidates).await?.tallies)
    }

    /// The candidates with the most votes, most first, then by name.
    pub async fn leaderboard(&self, first: usize) -> Result<Vec<Tally>, Fault> {
        self.inner.tallies.leaders(first).await
    }

    /// What became of a ballot; `None` if neither the store nor this door has seen it.
    pub async fn ballot(&self, id: BallotId) -> Result<Option<Fate>, Fault> {
        // Asked before the store: a ballot that is applied in between is found there.
        let logged = self.inner.service.logged_at(id).map(Fate::Logged);
        let limit = self.inner.settings.tallies.store_deadline;
        let stored = self.inner.ports.store.ballot(id);
        match self
            .within(limit, "asking the store for a ballot", stored)
            .await
        {
            Ok(stored) => Ok(stored.or(logged)),
            Err(fault) => logged.map(Some).ok_or(fault),
        }
    }

    /// Whether each thing that the roles of this process need answers now.
    pub async fn readiness(&self) -> Vec<Check> {
        let ports = &self.inner.ports;
        let limit = self.inner.settings.tallies.read_deadline;
        let roles = self.inner.roles;
        let (tickets, log, counter, store) = tokio::join!(
            self.check_ticket(),
            self.within(
                limit,
                "asking the log for its partitions",
                ports.bus.partitions()
            ),
            self.within(limit, "reading tallies", ports.counter.read(&[])),
            self.within(
                limit,
                "asking for progress",
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
        // Without counter or store, votes are taken all the same.
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

    /// Whether the consumers get on: everything may answer, and the log not be the store's.
    fn check_folds(&self) -> Result<(), Fault> {
        let lasting = self.inner.folds.iter().find_map(|fold| fold.lasting());
        lasting.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Whether there is a ticket now, and one that this process would take.
    async fn check_ticket(&self) -> Result<(), Fault> {
        let current = self.current_ticket().await?;
        if self.inner.keys.verify(&current.id).is_some() {
            return Ok(());
        }
        let key = current.id.key_id().get();
        let why = format!(
            "the current ticket was issued with key {key}, which is not in the key ring here"
        );
        Err(PortError::misconfigured("checking the current ticket", why).into())
    }

    /// Waits until one of the tasks has died, which none does by itself. A process should then end.
    pub async fn failed(&self) -> TaskDied {
        self.inner.tasks.died().await
    }

    /// Drains: takes nothing new, answers what was taken in, ends every task. Returns when all is
    /// done; how long that may take, the deadlines of the settings bound.
    pub async fn shutdown(&self) {
        self.inner.drain.cancel();
        self.inner.tasks.ended("intake").await;
        self.inner.stop.cancel();
        self.inner.tasks.all_ended().await;
    }

    async fn within<T>(
        &self,
        limit: Duration,
        operation: &'static str,
        call: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, Fault> {
        Ok(within(&*self.inner.ports.clock, limit, operation, call).await?)
    }
}

/// Whether one thing that a process needs answers.
#[derive(Debug)]
pub struct Check {
    /// What: `tickets`, `log`, `counter`, `store`, `fold`.
    pub name: &'static str,
    /// Whether the process can do its job without it.
    pub needed: bool,
    /// The answer.
    pub result: Result<(), Fault>,
}
