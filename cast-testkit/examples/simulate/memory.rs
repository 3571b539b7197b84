//! The memory adapters, as the simulator wants them.

use std::sync::{Arc, Mutex, PoisonError};

use cast_adapters::memory::{
    BusOptions, MemoryBus, MemoryCounter, MemoryStore, MemoryTickets, StoreSnapshot,
};
use cast_core::Ports;
use cast_testkit::simulation::{Deployment, Mishap, Opening};

/// The memory adapters of one history.
pub(crate) struct InMemory {
    /// The ports, of which a test may break one.
    pub(crate) ports: Ports,
    tickets: Arc<MemoryTickets>,
    bus: Arc<MemoryBus>,
    pub(crate) counter: Arc<MemoryCounter>,
    store: Arc<MemoryStore>,
    backups: Mutex<Vec<StoreSnapshot>>,
}

impl InMemory {
    pub(crate) fn open(opening: &Opening) -> Self {
        let Opening {
            clock,
            entropy,
            partitions,
        } = opening.clone();
        let retaining = BusOptions::default().retain_all();
        let tickets = Arc::new(MemoryTickets::new(Arc::clone(&clock)));
        let bus = Arc::new(MemoryBus::with_options(partitions, retaining));
        let counter = Arc::new(MemoryCounter::new(Arc::clone(&clock)));
        let store = Arc::new(MemoryStore::new());
        let ports = Ports {
            clock,
            entropy,
            tickets: Arc::clone(&tickets) as _,
            bus: Arc::clone(&bus) as _,
            counter: Arc::clone(&counter) as _,
            store: Arc::clone(&store) as _,
        };
        Self {
            ports,
            tickets,
            bus,
            counter,
            backups: Mutex::new(vec![store.snapshot()]),
            store,
        }
    }
}

impl Deployment for InMemory {
    fn ports(&self) -> Ports {
        self.ports.clone()
    }

    fn suffer(&self, mishap: &Mishap) -> bool {
        let mut backups = self.backups.lock().unwrap_or_else(PoisonError::into_inner);
        match mishap {
            Mishap::ForgetCounter => self.counter.forget(),
            Mishap::ForgetCandidate { candidate } => self.counter.forget_candidate(candidate),
            Mishap::ForgetTickets => self.tickets.forget_tickets(),
            Mishap::ForgetTicketsAndIds => self.tickets.forget(),
            Mishap::BackUp => backups.push(self.store.snapshot()),
            Mishap::PutBack { which } => {
                let backup = backups[which % backups.len()].clone();
                self.store.restore(backup);
            }
            Mishap::AppendUnreadable { partition } => {
                let appended = self.bus.append_unreadable(*partition, *b"?", "no record");
                return appended.is_ok();
            }
        }
        true
    }
}
