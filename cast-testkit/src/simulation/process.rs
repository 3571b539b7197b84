//! The processes: each a CAST with some of the roles, that dies, freezes, drains and starts again.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cast_core::{
    Cast, FoldSettings, IngestSettings, Ports, Roles, Settings, TallySettings, TicketSettings,
    domain::KeyRing,
};

use super::{
    Deployment,
    clock::ProcessClock,
    coverage::RareState,
    gremlin::Gremlin,
    history::{Process, Role, Setup},
    life::Life,
    seat::Seats,
    witness::witnessed,
    world::World,
};
use crate::{
    entropy::{SeededEntropy, mix},
    faults::{Operation, intercept},
    fixtures::key_ring,
    seed::Seed,
};

/// How long a log waits for a member that it hears nothing of, at most, in ms.
const LONGEST_SESSION_MS: u64 = 1_500;

/// How long a process waits before it tries to start again.
const START_AGAIN: Duration = Duration::from_millis(100);

pub(super) struct Processes {
    world: Arc<World>,
    deployment: Arc<dyn Deployment>,
    keys: KeyRing,
    settings: Settings,
    slots: Vec<Slot>,
}

struct Slot {
    process: Process,
    lives: AtomicU64,
    current: Mutex<Option<Arc<Body>>>,
}

/// One life of a process, and what belongs to it.
pub(super) struct Body {
    slot: usize,
    role: Role,
    /// Which life of its process it is.
    life_number: u64,
    pub(super) life: Arc<Life>,
    pub(super) seats: Arc<Seats>,
    cast: Mutex<Option<Cast>>,
    calls: [AtomicU64; Operation::ALL.len()],
}

impl Body {
    pub(super) fn cast(&self) -> Option<Cast> {
        self.locked_cast().clone()
    }

    /// How many calls of an operation it made, to count one more.
    pub(super) fn calls(&self, operation: Operation) -> &AtomicU64 {
        &self.calls[operation as usize]
    }

    /// A number that no other life of any process has.
    pub(super) fn number(&self) -> u64 {
        (self.slot as u64) << 32 | self.life_number
    }

    /// What the dice of its calls follow from.
    pub(super) const fn dice_of(&self, seed: Seed) -> u64 {
        mix(seed.get() ^ mix((self.slot as u64) << 32 | self.life_number))
    }

    fn locked_cast(&self) -> MutexGuard<'_, Option<Cast>> {
        self.cast.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the CAST away; it is dropped where that is harmless.
    fn take_cast(&self) -> Option<Cast> {
        self.locked_cast().take()
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (role, slot, life) = (self.role, self.slot, self.life_number);
        write!(f, "{role:?} {slot}.{life}")
    }
}

impl Processes {
    pub(super) fn new(world: &Arc<World>, deployment: &Arc<dyn Deployment>) -> Arc<Self> {
        let keys = key_ring(&world.seed.part(1).entropy());
        let slot = |process: &Process| Slot {
            process: *process,
            lives: AtomicU64::new(0),
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

    /// Begins a new life of a process, unless it has one.
    fn start(self: &Arc<Self>, slot: usize) {
        if self.body(slot).is_some_and(|body| !body.life.is_dead()) {
            return;
        }
        let of = &self.slots[slot];
        let body = Arc::new(Body {
            slot,
            role: of.process.role,
            life_number: of.lives.fetch_add(1, Ordering::Relaxed),
            life: Arc::default(),
            seats: Arc::default(),
            cast: Mutex::default(),
            calls: [const { AtomicU64::new(0) }; Operation::ALL.len()],
        });
        self.world.note(body.number(), || format!("{body} starts"));
        *self.locked(slot) = Some(Arc::clone(&body));
        let (skew_ms, role) = (of.process.skew_ms, of.process.role);
        if role.has_api() && skew_ms != 0 {
            self.world.reached(if skew_ms > 0 {
                RareState::ClockAhead
            } else {
                RareState::ClockBehind
            });
        }
        let ports = self.ports(&body, skew_ms);
        let this = Arc::clone(self);
        tokio::spawn(async move { this.boot(&body, ports).await });
    }

    async fn boot(&self, body: &Body, ports: Ports) {
        let roles = match body.role {
            Role::All => (true, true, 1),
            Role::Api => (true, false, 0),
            Role::Generator => (false, true, 0),
            Role::Consumer => (false, false, 1),
        };
        let (api, generator, consumers) = roles;
        let roles = Roles {
            api,
            generator,
            consumers,
        };
        loop {
            let cast = Cast::builder(ports.clone(), self.keys.clone());
            let cast = cast.settings(self.settings.clone()).roles(roles);
            let started = tokio::select! {
                biased;
                () = body.life.ended() => return,
                started = cast.start() => started,
            };
            if let Ok(cast) = started {
                self.world.note(body.number(), || format!("{body} runs"));
                if !body.life.is_dead() {
                    *body.locked_cast() = Some(cast);
                }
                return;
            }
            self.world.clock.pause(START_AGAIN).await;
        }
    }

    /// The ports as a process has them: witnesses beneath, and what goes wrong above.
    fn ports(self: &Arc<Self>, body: &Arc<Body>, skew_ms: i64) -> Ports {
        let raw = Ports {
            clock: Arc::new(ProcessClock {
                clock: Arc::clone(&self.world.clock),
                life: Arc::clone(&body.life),
                skew_ms,
            }),
            entropy: Arc::new(SeededEntropy::new(body.dice_of(self.world.seed.part(2)))),
            ..self.deployment.ports()
        };
        let gremlin = Arc::new(Gremlin {
            world: Arc::clone(&self.world),
            body: Arc::clone(body),
            processes: Arc::downgrade(self),
        });
        intercept(&witnessed(&raw, &self.world, &body.seats), &gremlin)
    }

    /// The ports as they are, without witnesses or faults.
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

    /// The present life of a process.
    pub(super) fn body(&self, slot: usize) -> Option<Arc<Body>> {
        self.locked(slot).clone()
    }

    pub(super) fn bodies(&self) -> impl Iterator<Item = Arc<Body>> {
        (0..self.slots.len()).filter_map(|slot| self.body(slot))
    }

    /// The present life of a door; they come first, and there is at least one.
    pub(super) fn door(&self, door: usize) -> Option<Arc<Body>> {
        self.body(door % self.world.setup.doors())
    }

    /// Ends a life, as a crash does: nothing of what it was doing goes on.
    pub(super) fn die(self: &Arc<Self>, body: &Arc<Body>, restart_after: Duration) {
        if body.life.is_dead() {
            return;
        }
        self.world.note(body.number(), || format!("{body} dies"));
        self.world.reached(RareState::DiedAnywhere);
        body.life.kill();
        drop(body.take_cast());
        self.evict_later(body, u64::MAX);
        let (this, slot) = (Arc::clone(self), body.slot);
        tokio::spawn(async move {
            this.world.clock.pause(restart_after).await;
            this.start(slot);
        });
    }

    /// Lets a process stand still for a while. A log may take it for dead meanwhile.
    pub(super) fn freeze(self: &Arc<Self>, body: &Arc<Body>, lasts: Duration) {
        self.world.note(body.number(), || format!("{body} freezes"));
        body.life.freeze();
        let lasts_ms = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX);
        self.evict_later(body, lasts_ms);
        let (world, body) = (Arc::clone(&self.world), Arc::clone(body));
        tokio::spawn(async move {
            world.clock.pause(lasts).await;
            if !body.life.is_dead() {
                world.note(body.number(), || format!("{body} goes on"));
                world.reached(RareState::Froze);
                body.life.thaw();
            }
        });
    }

    /// Has the log throw a member out if it hears nothing of it for so long.
    fn evict_later(&self, body: &Arc<Body>, silent_ms: u64) {
        let dice = SeededEntropy::new(body.dice_of(self.world.seed.part(4)));
        let after_ms = dice.below(LONGEST_SESSION_MS);
        if after_ms >= silent_ms {
            return;
        }
        let (world, body) = (Arc::clone(&self.world), Arc::clone(body));
        tokio::spawn(async move {
            world.clock.pause(Duration::from_millis(after_ms)).await;
            if body.seats.evict() && !body.life.is_dead() {
                world.note(body.number(), || {
                    format!("{body} is thrown out of its group")
                });
                world.reached(RareState::Evicted);
            }
        });
    }

    /// Ends a process in good order, and starts it again.
    pub(super) fn drain(self: &Arc<Self>, slot: usize) {
        let Some(body) = self.body(slot) else { return };
        let Some(cast) = body.take_cast() else { return };
        self.world.note(body.number(), || format!("{body} drains"));
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let is_drained = tokio::select! {
                biased;
                () = body.life.ended() => false,
                () = cast.shutdown() => true,
            };
            if is_drained {
                this.world
                    .note(body.number(), || format!("{body} has drained"));
                this.world.reached(RareState::Drained);
                body.life.kill();
                this.start(body.slot);
            }
        });
    }

    /// Forgets all traps, and lets everybody go on.
    pub(super) fn calm(&self) {
        for body in self.bodies() {
            body.life.clear_traps();
            body.life.thaw();
        }
    }

    /// Whether each process runs.
    pub(super) fn all_run(&self) -> bool {
        self.bodies()
            .all(|body| !body.life.is_dead() && body.locked_cast().is_some())
    }

    /// Lets go of everything: a CAST and its ports hold each other.
    pub(super) fn close(&self) {
        for body in self.bodies() {
            drop(body.take_cast());
        }
    }

    fn locked(&self, slot: usize) -> MutexGuard<'_, Option<Arc<Body>>> {
        let current = self.slots[slot].current.lock();
        current.unwrap_or_else(PoisonError::into_inner)
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
