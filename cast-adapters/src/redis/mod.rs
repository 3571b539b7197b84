//! Tickets and tallies in Redis, shared by any number of processes.
//!
//! | adapter | keeps | where |
//! |---|---|---|
//! | [`RedisTickets`] | the tickets with their use counters | one sorted set, until the last ticket has ended |
//! | | the ids of the ballots granted within the retry window | a hash for each window |
//! | [`RedisCounter`] | the applied totals and the pending votes of a candidate | a sorted set for each candidate, until it is idle for long |
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
//! Redis may stop at any moment, and lose all of its data or single keys: lost tickets are refused, lost
//! tallies are loaded from the store. It needs no persistence and no replicas.
//!
//! # What the server needs
//!
//! - Redis 7.0 or newer, or a compatible server with RESP3 and Lua.
//! - The eviction policy `noeviction` or `volatile-lru`. With the latter, idle tallies are evicted first;
//!   a tally with pending votes has no time to live and stays.
//! - Memory: about 100 bytes a ballot for one to two retry windows, 200 bytes an idle candidate, and
//!   200 bytes for each candidate in each record that the store has not applied yet.
//!
//! # A cluster
//!
//! The URL of any node of a Redis Cluster is enough; no other setting is needed. Each call goes to the
//! node that has its key, calls for several nodes at once. Redirections are followed while slots are
//! migrated, and a failover is followed as soon as the cluster has a new master; until then only the keys
//! of the lost node are unavailable, if the cluster has `cluster-require-full-coverage no`. The tickets
//! are on one node, whose clock decides about them; when their slot moves to another node, the open
//! ticket is lost.
//!
//! The user should be allowed `CLUSTER SLOTS`. Otherwise each slot costs one redirection, and a process
//! that knows only one node fails with it. The nodes must be reachable at the addresses that they
//! announce.
//!
//! # Invariants
//!
//! Architecture invariant: values that must agree are in one key. Redis may lose keys one by one, so no
//! two keys depend on each other.
//!
//! Architecture invariant: a decision is one script, and all reads of a script come before its writes. It
//! happens as a whole, and a script that fails has changed nothing.
//!
//! Architecture invariant: no command is sent twice, unless the server answered that it did nothing: it
//! does not have the script, or the slot, or can do nothing now. Otherwise the caller decides about a
//! retry, by the kind of the error.
//!
//! Architecture invariant: keys have hash tags. All keys of a redemption are in one slot; each candidate
//! has its own hash tag, so a cluster spreads the candidates.
//!
//! Architecture invariant: the topology only decides which node a command is sent to first. The nodes
//! decide which of them has a key.

mod address;
mod cluster;
mod error;
mod keys;
mod node;
mod options;
mod routing;
mod script;
mod server;
mod slots;
mod ticket_source;
mod vote_counter;

use std::sync::Arc;

use cast_core::ports::PortError;

pub use options::RedisOptions;
pub use ticket_source::RedisTickets;
pub use vote_counter::RedisCounter;

use self::server::Server;

/// A Redis server or cluster, with the few connections that its adapters share.
///
/// Clones share the connections. Any number of calls share a connection.
#[derive(Clone)]
pub struct Redis(Arc<Server>);

impl Redis {
    /// Checks the options and begins to connect, without waiting for it, so processes may start before
    /// their server. Needs a tokio runtime with timer and network.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](cast_core::ports::PortErrorKind::Misconfigured), with the option at fault.
    pub fn open(options: RedisOptions) -> Result<Self, PortError> {
        Ok(Self(Server::open(options)?))
    }

    /// The ticket source on this server.
    pub fn tickets(&self) -> RedisTickets {
        RedisTickets {
            server: Arc::clone(&self.0),
        }
    }

    /// The counter on this server.
    pub fn counter(&self) -> RedisCounter {
        RedisCounter {
            server: Arc::clone(&self.0),
        }
    }

    /// Health check: whether the server, or any node of the cluster, answers.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](cast_core::ports::PortErrorKind::Unavailable) if there is no connection,
    /// [`OutcomeUnknown`](cast_core::ports::PortErrorKind::OutcomeUnknown) if there is no answer,
    /// [`Misconfigured`](cast_core::ports::PortErrorKind::Misconfigured) if the login is refused.
    pub async fn ping(&self) -> Result<(), PortError> {
        self.0.ping().await
    }
}
