//! Decorators right above the adapters, beneath all faults, which record what the adapters do.

mod bus;
mod counter;
mod store;
mod tickets;

use std::sync::Arc;

use cast_core::ports::Ports;

use super::{membership::Memberships, world::World};

/// Puts observers around ports.
pub(super) fn observed(ports: &Ports, world: &Arc<World>, memberships: &Arc<Memberships>) -> Ports {
    let world = || Arc::clone(world);
    let memberships = || Arc::clone(memberships);
    Ports {
        clock: Arc::clone(&ports.clock),
        entropy: Arc::clone(&ports.entropy),
        tickets: Arc::new(tickets::ObservedTickets {
            inner: Arc::clone(&ports.tickets),
            world: world(),
        }),
        bus: Arc::new(bus::ObservedBus {
            inner: Arc::clone(&ports.bus),
            world: world(),
            memberships: memberships(),
        }),
        counter: Arc::new(counter::ObservedCounter {
            inner: Arc::clone(&ports.counter),
            world: world(),
            memberships: memberships(),
        }),
        store: Arc::new(store::ObservedStore {
            inner: Arc::clone(&ports.store),
            world: world(),
            memberships: memberships(),
        }),
    }
}
