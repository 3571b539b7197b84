//! The set of ports that a CAST runs on.

use std::sync::Arc;

use super::{
    event_bus::EventBus,
    intercept::{Intercepted, Interceptor},
    ticket_source::TicketSource,
    vote_counter::VoteCounter,
    vote_store::VoteStore,
};
use crate::domain::{Clock, Entropy};

/// Everything that a [`Cast`](crate::Cast) needs from outside. Each field can be swapped for an
/// implementation of your own.
#[derive(Clone)]
pub struct Ports {
    /// The time, and waiting.
    pub clock: Arc<dyn Clock>,
    /// Random bytes for ids, tickets and keys.
    pub entropy: Arc<dyn Entropy>,
    /// The tickets and their uses, for example in Redis.
    pub tickets: Arc<dyn TicketSource>,
    /// The log, for example Kafka.
    pub bus: Arc<dyn EventBus>,
    /// The tallies that voters see, for example in Redis.
    pub counter: Arc<dyn VoteCounter>,
    /// The database, for example Postgres.
    pub store: Arc<dyn VoteStore>,
}

impl Ports {
    /// The same ports with `interceptor` around each call of the four; clock and entropy stay as they
    /// are.
    pub fn intercepted<I: Interceptor>(&self, interceptor: &Arc<I>) -> Self {
        fn around<P: ?Sized, I>(port: &Arc<P>, interceptor: &Arc<I>) -> Arc<Intercepted<P, I>> {
            Arc::new(Intercepted::new(Arc::clone(port), Arc::clone(interceptor)))
        }
        Self {
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            tickets: around(&self.tickets, interceptor),
            bus: around(&self.bus, interceptor),
            counter: around(&self.counter, interceptor),
            store: around(&self.store, interceptor),
        }
    }
}
