//! Shared by the tests that stop, kill or freeze a server.

use std::time::Duration;

use cast_adapters::redis::{Redis, RedisCounter, RedisOptions, RedisTickets};
use cast_core::{
    domain::{Candidate, GenuineTicket, LogPosition, Offset, Partition, PeriodTicket},
    ports::{PendingVotes, PortError, TicketSource, VoteCounter},
};
use cast_testkit::{
    fixtures::Fixtures,
    servers::{self, Private},
};

use crate::redis::Namespace;

/// The timeouts of a test's adapters, short because the tests wait for them to expire.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(250);

/// A private server, and a namespace on it.
pub(crate) async fn private_server() -> Option<(Private<servers::Redis>, Namespace)> {
    let server = servers::Redis::start().await?;
    let namespace = Namespace::on(&server).await;
    Some((server, namespace))
}

/// Adapters with short timeouts.
pub(crate) fn with_short_timeouts(namespace: &Namespace, url: &str) -> Redis {
    let options = RedisOptions {
        url: url.to_owned(),
        connect_timeout: TIMEOUT,
        response_timeout: TIMEOUT,
        ..namespace.options.clone()
    };
    Redis::open(options).expect("the options make sense")
}

/// Publishes a ticket for a period that begins now.
pub(crate) async fn issue(
    tickets: &RedisTickets,
    fixtures: &Fixtures,
    uses: u32,
) -> Result<GenuineTicket, PortError> {
    let now = tickets.now().await?;
    let genuine = fixtures.ticket(now);
    let period = PeriodTicket {
        ticket: *genuine.ticket(),
        valid_until: now.plus(Duration::from_secs(600)),
        use_limit: uses,
    };
    tickets.publish(&period).await.map(|_| genuine)
}

pub(crate) fn pending(candidate: &Candidate, offset: u64) -> PendingVotes {
    PendingVotes {
        position: LogPosition {
            partition: Partition::new(0),
            offset: Offset::new(offset),
        },
        votes: vec![(candidate.clone(), 1)],
    }
}

pub(crate) async fn votes(counter: &RedisCounter, candidate: &Candidate) -> u64 {
    let readings = counter.read(std::slice::from_ref(candidate)).await;
    readings.expect("the counter reads")[0].tally.votes
}
