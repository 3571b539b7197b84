//! The memory adapters, as the simulator wants them.

use std::sync::Arc;

use cast_adapters::memory::{
    BusOptions, MemoryBus, MemoryCounter, MemoryStore, MemoryTickets, StoreSnapshot,
};
use cast_core::Ports;
use cast_testkit::simulation::{Deployment, Opening, ServerFault};
use parking_lot::Mutex;

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

    fn inject(&self, fault: &ServerFault) -> bool {
        let mut backups = self.backups.lock();
        match fault {
            ServerFault::LoseCounter => self.counter.forget(),
            ServerFault::LoseCandidate { candidate } => self.counter.forget_candidate(candidate),
            ServerFault::LoseTickets => self.tickets.forget_tickets(),
            ServerFault::LoseTicketsAndIds => self.tickets.forget(),
            ServerFault::BackUp => backups.push(self.store.snapshot()),
            ServerFault::Restore { which } => {
                let backup = backups[which % backups.len()].clone();
                self.store.restore(backup);
            }
            ServerFault::AppendUnreadable { partition } => {
                let appended = self.bus.append_unreadable(*partition, *b"?", "no record");
                return appended.is_ok();
            }
        }
        true
    }
}
