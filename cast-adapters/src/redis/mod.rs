//! Tickets and tallies in Redis, shared by any number of processes.
//!
//! | adapter | keeps | where |
//! |---|---|---|
//! | [`RedisTickets`] | the tickets of the periods with their meters | one sorted set, until the last of them has ended |
//! | | the ballot ids granted within the retry window | a hash for each window |
//! | [`RedisCounter`] | the settled prefixes and the tail of a candidate | one sorted set each, until it is idle for long |
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
//!   a tally with unsettled votes has no time to live and stays.
//! - Memory: about 100 bytes a ballot for one to two retry windows, 200 bytes an idle candidate, and
//!   200 bytes for each candidate of each record that the store does not have yet.
//!
//! # Invariants
//!
//! Architecture invariant: whatever must agree is in one key. Redis loses keys one by one, so there
//! is no pair of keys of which one alone could be missed.
//!
//! Architecture invariant: a decision is one script, and a script reads before it writes. It happens
//! as a whole, and one that fails changed nothing.
//!
//! Architecture invariant: nothing is sent twice, but for a script that the server did not have.
//! Whether to try again is the caller's to decide, from the kind of the error.
//!
//! Architecture invariant: keys carry hash tags. All that a redemption touches is in one slot, and
//! each candidate in one of its own, so a cluster behind a proxy spreads the candidates.

mod error;
mod keys;
mod link;
mod options;
mod script;
mod ticket_source;
mod vote_counter;

use std::sync::Arc;

use bb8_redis::redis::cmd;
use cast_core::ports::PortError;

pub use options::RedisOptions;
pub use ticket_source::RedisTickets;
pub use vote_counter::RedisCounter;

use self::{error::Failed, keys::Keys, link::Links};

/// A Redis server, and the few connections to it that its adapters share.
///
/// Clones are the same. Each connection takes any number of calls at a time.
#[derive(Clone)]
pub struct Redis(Arc<Server>);

struct Server {
    options: RedisOptions,
    keys: Keys,
    links: Links,
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
            Links::open(&options)
        };
        let links = open().map_err(|why| Failed::new("opening Redis", why))?;
        let keys = Keys::new(&options);
        Ok(Self(Arc::new(Server {
            options,
            keys,
            links,
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

    /// Asks the server whether it is there.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](cast_core::ports::PortErrorKind::Unavailable) if there is no connection,
    /// [`OutcomeUnknown`](cast_core::ports::PortErrorKind::OutcomeUnknown) if there is no answer,
    /// [`Misconfigured`](cast_core::ports::PortErrorKind::Misconfigured) if it does not let us in.
    pub async fn ping(&self) -> Result<(), PortError> {
        let answer = self.0.links.command(&cmd("PING")).await;
        answer.map_err(|why| Failed::new("asking Redis whether it is there", why))?;
        Ok(())
    }
}
