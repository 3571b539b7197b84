//! What CAST asks of the world, as traits that can be swapped one by one.
//!
//! Each trait's doc is its contract, in clauses that read like the names of tests: `cast-testkit`
//! has a test for each of them, and an adapter is right when it passes them all. The traits are
//! object-safe, take batches, and have no default methods that an adapter might forget.
//!
//! # What holds for every port
//!
//! - **Errors answer one question**: may it have happened? See [`PortError`]. An expected no is a
//!   value, not an error.
//! - **A future that is dropped leaves the port usable.** The caller puts a deadline on every call
//!   and drops the future when it passes; what it asked for has then happened as a whole or not
//!   at all.
//! - **Calls may run at the same time**, from any number of tasks and processes.

mod clock;
mod entropy;
mod error;
mod event_bus;
mod forward;
mod intercept;
mod operation;
mod set;
mod ticket_source;
mod vote_counter;
mod vote_store;

pub use clock::Clock;
pub use entropy::Entropy;
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
pub use vote_store::{Applied, Recount, Recounted, StoredBallot, VoteStore};
