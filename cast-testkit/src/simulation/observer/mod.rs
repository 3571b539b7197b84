//! Decorators right above the adapters, beneath all faults, which record what the adapters do.

mod bus;
mod counter;
mod store;
mod tickets;

use std::sync::Arc;

use cast_core::ports::Ports;

use super::{membership::Memberships, world::World};

/// A port of one process, observed.
struct Observed<P: ?Sized> {
    inner: Arc<P>,
    world: Arc<World>,
    memberships: Arc<Memberships>,
}

/// Puts observers around ports.
pub(super) fn observed(ports: &Ports, world: &Arc<World>, memberships: &Arc<Memberships>) -> Ports {
    fn around<P: ?Sized>(
        inner: &Arc<P>,
        world: &Arc<World>,
        memberships: &Arc<Memberships>,
    ) -> Arc<Observed<P>> {
        Arc::new(Observed {
            inner: Arc::clone(inner),
            world: Arc::clone(world),
            memberships: Arc::clone(memberships),
        })
    }
    Ports {
        clock: Arc::clone(&ports.clock),
        entropy: Arc::clone(&ports.entropy),
        tickets: around(&ports.tickets, world, memberships),
        bus: around(&ports.bus, world, memberships),
        counter: around(&ports.counter, world, memberships),
        store: around(&ports.store, world, memberships),
    }
}
