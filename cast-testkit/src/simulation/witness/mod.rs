//! What stands right before the adapters, beneath all faults, and writes down what they do.

mod counter;
mod log;
mod store;
mod tickets;

use std::sync::Arc;

use cast_core::Ports;

use super::{seat::Seats, world::World};

/// What all witnesses of one process share.
#[derive(Clone)]
struct Witness {
    world: Arc<World>,
    seats: Arc<Seats>,
}

/// Puts witnesses before ports.
pub(super) fn witnessed(ports: &Ports, world: &Arc<World>, seats: &Arc<Seats>) -> Ports {
    let witness = || Witness {
        world: Arc::clone(world),
        seats: Arc::clone(seats),
    };
    Ports {
        clock: Arc::clone(&ports.clock),
        entropy: Arc::clone(&ports.entropy),
        tickets: Arc::new(tickets::Tickets {
            inner: Arc::clone(&ports.tickets),
            witness: witness(),
        }),
        bus: Arc::new(log::Log {
            inner: Arc::clone(&ports.bus),
            witness: witness(),
        }),
        counter: Arc::new(counter::Counter {
            inner: Arc::clone(&ports.counter),
            witness: witness(),
        }),
        store: Arc::new(store::Store {
            inner: Arc::clone(&ports.store),
            witness: witness(),
        }),
    }
}
