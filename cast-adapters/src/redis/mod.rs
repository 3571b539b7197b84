//! Tickets and tallies in Redis, shared by any number of processes.
//!
//! | adapter | keeps | where |
//! |---|---|---|
//! | [`RedisTickets`] | the tickets of the periods with their meters | one sorted set, until the last of them has ended |
//! | | the ballot ids granted within the retry window | a hash for each window |
//! | [`RedisCounter`] | the applied totals and the tail of a candidate | one sorted set each, until it is idle for long |
//!
//! ```no_run
//! # async fn example() -> Result<(), cast_core::ports::PortError> {
//! use cast_adapters::redis::{Redis, RedisOptions};
//!
//! let redis = Redis::open(RedisOptions::at("redis://:secret@127.0.0.1:6379/0"))?;
//! let (tickets, counter) = (redis.tickets(), redis.counter());
//! redis.ping().await?;
//! # drop((tickets, counter)); Ok(()) }
//! ```
//!
//! Redis may vanish at any moment, with or without its data: what is lost fails closed (tickets) or
//! is missed and loaded from the store (tallies). It needs no persistence and no replicas.
//!
//! # What the server needs
//!
//! - Redis 7.0 or newer, or what speaks its protocol (RESP3) and runs Lua.
//! - An eviction policy of `noeviction` or `volatile-lru`. With the latter, idle tallies go first;
//!   a tally with unreconciled votes has no time to live and stays.
//! - Memory: about 100 bytes a ballot for one to two retry windows, 200 bytes an idle candidate, and
//!   200 bytes for each candidate of each record that the store does not have yet.
//!
//! # A cluster
//!
//! The URL of any node of a Redis Cluster is that of the cluster, with nothing else to be set. Calls go
//! straight to the node that has their key, those to several nodes at once. Slots that are handed over
//! are followed, and so is whoever takes over from a node that is gone; until then only what that node
//! had is unavailable, if the cluster has `cluster-require-full-coverage no`. Tickets are on one node,
//! which decides by its clock; when they come to another one, the open ticket is lost.
//!
//! The user may ask `CLUSTER SLOTS`, or else each slot costs a redirection once, and a process that
//! knows of one node only is lost with it. The nodes must be reachable at the addresses that they
//! announce.
//!
//! # Invariants
//!
//! Architecture invariant: whatever must agree is in one key. Redis loses keys one by one, so there
//! is no pair of keys of which one alone could be missed.
//!
//! Architecture invariant: a decision is one script, and a script reads before it writes. It happens
//! as a whole, and one that fails changed nothing.
//!
//! Architecture invariant: nothing is sent twice, unless the server said that it did nothing: it does
//! not have the script, or the slot, or cannot do anything now. Whether to try again is otherwise the
//! caller's to decide, from the kind of the error.
//!
//! Architecture invariant: keys carry hash tags. All that a redemption touches is in one slot, and
//! each candidate in one of its own, so a cluster spreads the candidates.
//!
//! Architecture invariant: what is known of a cluster decides whom a call is sent to first, and nothing
//! else. Who has a key is decided by the node that is asked for it.

mod address;
mod error;
mod keys;
mod link;
mod nodes;
mod options;
mod route;
mod script;
mod slot;
mod ticket_source;
mod view;
mod vote_counter;

use std::sync::Arc;

use cast_core::ports::PortError;

pub use options::RedisOptions;
pub use ticket_source::RedisTickets;
pub use vote_counter::RedisCounter;

use self::{error::Failed, keys::Keys, nodes::Nodes};

/// A Redis server or cluster, and the few connections to it that its adapters share.
///
/// Clones are the same. Each connection takes any number of calls at a time.
#[derive(Clone)]
pub struct Redis(Arc<Server>);

struct Server {
    options: RedisOptions,
    keys: Keys,
    nodes: Arc<Nodes>,
}

impl Redis {
    /// Checks the options and begins to connect; does not wait for it, so that processes may start
    /// before their server. Needs a tokio runtime with its timer and its network enabled.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](cast_core::ports::PortErrorKind::Misconfigured), with the option at fault.
    pub fn open(options: RedisOptions) -> Result<Self, PortError> {
        let open = || {
            options.check()?;
            Nodes::open(&options)
        };
        let nodes = open().map_err(|why| Failed::new("opening Redis", why))?;
        let keys = Keys::new(&options);
        Ok(Self(Arc::new(Server {
            options,
            keys,
            nodes,
        })))
    }

    /// The tickets on this server.
    pub fn tickets(&self) -> RedisTickets {
        RedisTickets::on(self.clone())
    }

    /// The tallies on this server.
    pub fn counter(&self) -> RedisCounter {
        RedisCounter::on(self.clone())
    }

    /// Asks the server whether it is there; of a cluster, whether any node is.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](cast_core::ports::PortErrorKind::Unavailable) if there is no connection,
    /// [`OutcomeUnknown`](cast_core::ports::PortErrorKind::OutcomeUnknown) if there is no answer,
    /// [`Misconfigured`](cast_core::ports::PortErrorKind::Misconfigured) if it does not let us in.
    pub async fn ping(&self) -> Result<(), PortError> {
        let answer = self.0.nodes.ping().await;
        answer.map_err(|why| Failed::new("asking Redis whether it is there", why))?;
        Ok(())
    }
}
