//! The ports: what CAST needs from outside, as traits that can be implemented one by one.
//!
//! | port | is | adapters |
//! |---|---|---|
//! | [`TicketSource`] | the tickets and their uses | memory, Redis |
//! | [`EventBus`] | the log | memory, Kafka |
//! | [`VoteCounter`] | the tallies that voters see | memory, Redis |
//! | [`VoteStore`] | the database | memory, Postgres |
//!
//! The doc of each trait is its contract, in clauses. `cast-testkit` has a test for each clause, and an
//! adapter is correct if it passes all of them. The traits are object-safe, take batches, and have no
//! default methods that an adapter might forget.
//!
//! [`Ports`] is the set of them that a [`Cast`](crate::Cast) runs on. An [`Interceptor`] adds code around
//! every call of every port; a type that implements [`ForwardingVoteStore`] or one of its siblings changes
//! single methods of one port.
//!
//! # Common to all ports
//!
//! - **An error says whether the operation may have happened.** See [`PortError`]. An expected refusal is
//!   a value, not an error.
//! - **A dropped future leaves the port usable.** The caller puts a deadline on every call and drops the
//!   future when it passes; the operation has then happened as a whole or not at all.
//! - **Calls may run at the same time**, from any number of tasks and processes.

mod error;
mod event_bus;
mod forward;
mod intercept;
mod operation;
mod set;
mod ticket_source;
mod vote_counter;
mod vote_store;

pub use error::{BoxError, PortError, PortErrorKind};
pub use event_bus::{EventBus, GroupName, PartitionLag, Published, ResumeFrom, Subscription};
pub use forward::{
    ForwardingEventBus, ForwardingTicketSource, ForwardingVoteCounter, ForwardingVoteStore,
};
pub use intercept::{Call, DetachedCall, Intercepted, Interceptor, Reply};
pub use operation::Operation;
pub use set::Ports;
pub use ticket_source::TicketSource;
pub use vote_counter::{Checkpoint, PendingVotes, Reading, VoteCounter};
pub use vote_store::{Applied, Recount, Recounted, StoredBallot, VoteStore, WrongSum};
