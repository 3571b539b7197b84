//! One run of a process, from its start to its crash or its shutdown.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use cast_core::{Cast, ports::Operation};
use parking_lot::Mutex;

use super::{history::Role, membership::Memberships, process_state::ProcessState};
use crate::{entropy::mix, seed::Seed};

/// One run of a process, and what belongs to it. A restart makes another.
pub(super) struct ProcessInstance {
    /// The number of the process.
    pub(super) slot: usize,
    pub(super) role: Role,
    /// How many runs of the process there were before.
    start: u64,
    pub(super) state: Arc<ProcessState>,
    pub(super) memberships: Arc<Memberships>,
    cast: Mutex<Option<Cast>>,
    calls: [AtomicU64; Operation::ALL.len()],
}

impl ProcessInstance {
    pub(super) fn new(slot: usize, role: Role, start: u64) -> Arc<Self> {
        Arc::new(Self {
            slot,
            role,
            start,
            state: Arc::default(),
            memberships: Arc::default(),
            cast: Mutex::default(),
            calls: [const { AtomicU64::new(0) }; Operation::ALL.len()],
        })
    }

    /// Its CAST, once that has started.
    pub(super) fn cast(&self) -> Option<Cast> {
        self.cast.lock().clone()
    }

    pub(super) fn set_cast(&self, cast: Cast) {
        *self.cast.lock() = Some(cast);
    }

    /// Takes the CAST away, to be dropped where no lock is held.
    pub(super) fn take_cast(&self) -> Option<Cast> {
        self.cast.lock().take()
    }

    /// Whether its CAST has started and neither crashed nor shut down.
    pub(super) fn runs(&self) -> bool {
        !self.state.is_dead() && self.cast.lock().is_some()
    }

    /// Counts one more call of an operation; returns how many there were before.
    pub(super) fn count_call(&self, operation: Operation) -> u64 {
        self.calls[operation as usize].fetch_add(1, Ordering::Relaxed)
    }

    /// How many calls of an operation it made.
    pub(super) fn calls(&self, operation: Operation) -> u64 {
        self.calls[operation as usize].load(Ordering::Relaxed)
    }

    /// A number that no other run of any process has.
    pub(super) fn number(&self) -> u64 {
        (self.slot as u64) << 32 | self.start
    }

    /// The seed of its randomness, as a part of `seed`.
    pub(super) fn seed(&self, seed: Seed) -> u64 {
        mix(seed.get() ^ mix(self.number()))
    }
}

impl fmt::Display for ProcessInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (role, slot, start) = (self.role, self.slot, self.start);
        write!(f, "{role:?} {slot}.{start}")
    }
}
