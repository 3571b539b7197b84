//! The processes: each a CAST with some of the roles, that crashes, freezes, shuts down and restarts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cast_core::{
    Cast, FoldSettings, IngestSettings, Roles, Settings, TallySettings, TicketSettings,
    domain::{Clock as _, KeyRing},
    ports::Ports,
};
use parking_lot::{Mutex, MutexGuard};

use super::{
    clock::ProcessClock,
    coverage::RareState,
    deployment::Deployment,
    fault_injector::FaultInjector,
    history::{Process, Role, Setup},
    instance::ProcessInstance,
    observer::observed,
    process_state::ProcessFault,
    world::World,
};
use crate::{entropy::SeededEntropy, fixtures::key_ring};

/// The longest session time-out of a group, in ms.
const LONGEST_SESSION_MS: u64 = 1_500;

/// How long a process waits before it tries again to start.
const RESTART_DELAY: Duration = Duration::from_millis(100);

pub(super) struct Processes {
    world: Arc<World>,
    deployment: Arc<dyn Deployment>,
    keys: KeyRing,
    settings: Settings,
    slots: Vec<Slot>,
}

struct Slot {
    process: Process,
    starts: AtomicU64,
    current: Mutex<Option<Arc<ProcessInstance>>>,
}

impl Processes {
    pub(super) fn new(world: &Arc<World>, deployment: &Arc<dyn Deployment>) -> Arc<Self> {
        let keys = key_ring(&world.seed.part(1).entropy());
        let slot = |process: &Process| Slot {
            process: *process,
            starts: AtomicU64::new(0),
            current: Mutex::default(),
        };
        Arc::new(Self {
            world: Arc::clone(world),
            deployment: Arc::clone(deployment),
            keys,
            settings: settings(&world.setup),
            slots: world.setup.processes.iter().map(slot).collect(),
        })
    }

    pub(super) fn start_all(self: &Arc<Self>) {
        (0..self.slots.len()).for_each(|slot| self.start(slot));
    }

    /// Starts a process, unless it runs.
    fn start(self: &Arc<Self>, slot: usize) {
        if self
            .instance(slot)
            .is_some_and(|instance| !instance.state.is_dead())
        {
            return;
        }
        let of = &self.slots[slot];
        let starts = of.starts.fetch_add(1, Ordering::Relaxed);
        let instance = ProcessInstance::new(slot, of.process.role, starts);
        self.world.note(&instance, "starts");
        *self.locked(slot) = Some(Arc::clone(&instance));
        let (skew_ms, role) = (of.process.skew_ms, of.process.role);
        if role.has_api() && skew_ms != 0 {
            self.world.reached(if skew_ms > 0 {
                RareState::ClockAhead
            } else {
                RareState::ClockBehind
            });
        }
        let ports = self.ports(&instance, skew_ms);
        let this = Arc::clone(self);
        tokio::spawn(async move { this.boot(&instance, ports).await });
    }

    async fn boot(&self, instance: &ProcessInstance, ports: Ports) {
        let role = instance.role;
        let roles = Roles {
            api: role.has_api(),
            generator: matches!(role, Role::All | Role::Generator),
            consumers: usize::from(matches!(role, Role::All | Role::Consumer)),
        };
        loop {
            let cast = Cast::builder(ports.clone(), self.keys.clone());
            let cast = cast.settings(self.settings.clone()).roles(roles);
            let Some(started) = instance.state.unless_ended(cast.start()).await else {
                return;
            };
            if let Ok(cast) = started {
                if !instance.state.is_dead() {
                    self.world.note(instance, "runs");
                    instance.set_cast(cast);
                }
                return;
            }
            self.world.clock.sleep(RESTART_DELAY).await;
        }
    }

    /// The ports of a process: observers right above the adapters, the fault injector above them.
    fn ports(self: &Arc<Self>, instance: &Arc<ProcessInstance>, skew_ms: i64) -> Ports {
        let raw = Ports {
            clock: Arc::new(ProcessClock {
                clock: Arc::clone(&self.world.clock),
                state: Arc::clone(&instance.state),
                skew_ms,
            }),
            entropy: Arc::new(SeededEntropy::new(instance.seed(self.world.seed.part(2)))),
            ..self.deployment.ports()
        };
        let (processes, failing) = (Arc::downgrade(self), Arc::clone(instance));
        let fail_process = move |fault| {
            let Some(processes) = processes.upgrade() else {
                return;
            };
            match fault {
                ProcessFault::Crash { restart_after } => processes.crash(&failing, restart_after),
                ProcessFault::Freeze { lasts } => processes.freeze(&failing, lasts),
            }
        };
        let injector = Arc::new(FaultInjector {
            world: Arc::clone(&self.world),
            instance: Arc::clone(instance),
            fail_process: Box::new(fail_process),
        });
        observed(&raw, &self.world, &instance.memberships).intercepted(&injector)
    }

    /// The ports as they are, without observers or faults.
    pub(super) fn raw_ports(&self) -> Ports {
        Ports {
            clock: Arc::clone(&self.world.clock) as _,
            entropy: Arc::new(self.world.seed.part(3).entropy()),
            ..self.deployment.ports()
        }
    }

    pub(super) const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The current run of a process.
    pub(super) fn instance(&self, slot: usize) -> Option<Arc<ProcessInstance>> {
        self.locked(slot).clone()
    }

    pub(super) fn instances(&self) -> impl Iterator<Item = Arc<ProcessInstance>> {
        (0..self.slots.len()).filter_map(|slot| self.instance(slot))
    }

    /// The current run of an API process; they come first, and there is at least one.
    pub(super) fn api(&self, api: usize) -> Option<Arc<ProcessInstance>> {
        self.instance(api % self.world.setup.apis())
    }

    /// Crashes a process: it never finishes what it was doing.
    pub(super) fn crash(
        self: &Arc<Self>,
        instance: &Arc<ProcessInstance>,
        restart_after: Duration,
    ) {
        if instance.state.is_dead() {
            return;
        }
        self.world.note(instance, "crashes");
        self.world.reached(RareState::DiedAnywhere);
        instance.state.kill();
        drop(instance.take_cast());
        self.evict_later(instance, u64::MAX);
        let (this, slot) = (Arc::clone(self), instance.slot);
        tokio::spawn(async move {
            this.world.clock.sleep(restart_after).await;
            this.start(slot);
        });
    }

    /// Freezes a process for a while. The log may evict it meanwhile.
    pub(super) fn freeze(self: &Arc<Self>, instance: &Arc<ProcessInstance>, lasts: Duration) {
        self.world.note(instance, "freezes");
        instance.state.freeze();
        let lasts_ms = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
        self.evict_later(instance, lasts_ms);
        let (world, instance) = (Arc::clone(&self.world), Arc::clone(instance));
        tokio::spawn(async move {
            world.clock.sleep(lasts).await;
            if !instance.state.is_dead() {
                world.note(&instance, "resumes");
                world.reached(RareState::Froze);
                instance.state.thaw();
            }
        });
    }

    /// Evicts a member after its session time-out, if it is silent for longer.
    fn evict_later(&self, instance: &Arc<ProcessInstance>, silent_ms: u64) {
        let random = SeededEntropy::new(instance.seed(self.world.seed.part(4)));
        let after_ms = random.below(LONGEST_SESSION_MS);
        if after_ms >= silent_ms {
            return;
        }
        let (world, instance) = (Arc::clone(&self.world), Arc::clone(instance));
        tokio::spawn(async move {
            world.clock.sleep(Duration::from_millis(after_ms)).await;
            if instance.memberships.evict() && !instance.state.is_dead() {
                world.note(&instance, "is evicted from its group");
                world.reached(RareState::Evicted);
            }
        });
    }

    /// Shuts a process down gracefully, and restarts it.
    pub(super) fn restart(self: &Arc<Self>, slot: usize) {
        let Some(instance) = self.instance(slot) else {
            return;
        };
        let Some(cast) = instance.take_cast() else {
            return;
        };
        self.world.note(&instance, "shuts down");
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let drained = instance.state.unless_ended(cast.shutdown()).await;
            if drained.is_some() && !instance.state.is_dead() {
                this.world.note(&instance, "has shut down");
                this.world.reached(RareState::Drained);
                instance.state.kill();
                this.start(instance.slot);
            }
        });
    }

    /// Clears all fault points, and resumes all frozen processes.
    pub(super) fn end_faults(&self) {
        for instance in self.instances() {
            instance.state.clear_fault_points();
            instance.state.thaw();
        }
    }

    /// Whether each process runs.
    pub(super) fn all_run(&self) -> bool {
        self.instances().all(|instance| instance.runs())
    }

    /// Drops every CAST: it and its ports own each other.
    pub(super) fn close(&self) {
        for instance in self.instances() {
            drop(instance.take_cast());
        }
    }

    fn locked(&self, slot: usize) -> MutexGuard<'_, Option<Arc<ProcessInstance>>> {
        self.slots[slot].current.lock()
    }
}

/// Deadlines are shorter than in production, so that more happens in less time.
fn settings(setup: &Setup) -> Settings {
    let second = Duration::from_secs(1);
    Settings {
        tickets: TicketSettings {
            period: 2 * second,
            ttl: Duration::from_millis(setup.ticket_ttl_ms),
            uses: setup.ticket_uses,
            clock_skew: 5 * second,
        },
        ingest: IngestSettings {
            intake_capacity: setup.intake_capacity,
            flush_limit: setup.flush_limit,
            flushes_in_flight: setup.flushes_in_flight,
            max_wait: 2 * second,
            redeem_deadline: second,
            publish_deadline: second,
            record_deadline: second,
            ..IngestSettings::default()
        },
        tallies: TallySettings {
            refresh_after: Duration::from_millis(setup.refresh_after_ms),
            ..TallySettings::default()
        },
        fold: FoldSettings {
            max_ballots: setup.fold_limit,
            apply_deadline: 2 * second,
            join_deadline: 2 * second,
            max_backoff: second,
            progress_interval: second,
            ..FoldSettings::default()
        },
    }
}
