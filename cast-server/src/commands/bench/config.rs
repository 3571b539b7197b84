//! The flags of `bench`. They are flags only: neither variables nor `cast.toml` hold them, for what
//! a server is set to and how it is driven once are two things.

use std::time::Duration;

use clap::{Args, builder::RangedU64ValueParser};

use super::wire::MAX_TALLIES;
use crate::{
    client::DEFAULT_URL,
    config::{count, duration, share},
    protocol::HttpUrl,
};

/// The default share of the accepted votes that is sent again.
const RETRY_FRACTION: f64 = 0.01;

/// How to drive a server.
#[derive(Args, Clone, Debug)]
pub struct BenchConfig {
    /// The server. Several, separated by commas or each with a flag of its own, must be servers of one
    /// deployment: connections are distributed over them, one that fails is tried at the next server,
    /// and the tallies of each are checked
    #[arg(
        long = "url",
        value_name = "http://HOST:PORT",
        value_delimiter = ',',
        default_value = DEFAULT_URL
    )]
    pub(super) urls: Vec<HttpUrl>,

    /// How many connections vote, each waiting for its answer before it votes again
    #[arg(long, value_name = "COUNT", default_value = "64", value_parser = count())]
    pub(super) connections: usize,

    /// How long to vote
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(super) duration: Duration,

    /// How many candidates to vote for, each in turn
    #[arg(long, value_name = "COUNT", default_value = "100", value_parser = candidates())]
    pub(super) candidates: usize,

    /// The share of the accepted ballots that is sent again with the same id, to see that they
    /// count once: from 0 to 1. They are no votes, but work for the server [default: 0.01, or 0
    /// without ballot ids]
    #[arg(long, value_name = "SHARE", value_parser = share, conflicts_with = "no_ballot_ids")]
    retry_fraction: Option<f64>,

    /// Votes without ids of its own. With them, a flush of the server is split over the partitions
    /// of its log, so it may do less per flush; without them, the fate of a vote whose answer was
    /// lost is never known, and one lost answer leaves the check unproven
    #[arg(long)]
    pub(super) no_ballot_ids: bool,

    /// Starts so many votes a second over all connections, whether or not answers keep up, and
    /// measures each from the moment it was due. Otherwise a slow answer delays the next vote, and
    /// the percentiles say less about a server that stalls
    #[arg(long, value_name = "PER_SECOND", value_parser = RangedU64ValueParser::<u32>::new().range(1..))]
    pub(super) rate: Option<u32>,

    /// Goes on with a ticket that is used up, to measure how fast a server refuses. Otherwise
    /// connections wait for the next ticket
    #[arg(long)]
    pub(super) keep_voting: bool,

    /// How long to wait for an answer, or for a connection
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(super) timeout: Duration,

    /// How long after the load ballots without an answer are sent again, and how long after that
    /// the tallies may take to show every accepted vote
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(super) reconcile_timeout: Duration,

    /// Names the candidates: a number of your own instead of a random one
    #[arg(long, value_name = "NUMBER")]
    pub(super) seed: Option<u64>,

    /// Prints one JSON object instead of a table
    #[arg(long)]
    pub(super) json: bool,
}

impl BenchConfig {
    pub(super) fn retry_fraction(&self) -> f64 {
        match self.retry_fraction {
            Some(share) => share,
            None if self.no_ballot_ids => 0.0,
            None => RETRY_FRACTION,
        }
    }
}

/// Enough for any load; each is a name to read from every server at the end.
fn candidates() -> RangedU64ValueParser<usize> {
    const MAX: usize = 1_000 * MAX_TALLIES;
    RangedU64ValueParser::new().range(1..=MAX as u64)
}
