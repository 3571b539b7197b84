//! The load: connections that vote.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use cast_core::Backoff;
use tokio::task::JoinSet;

use super::{
    pace::Pace,
    response::VoteResponse,
    run::{Run, backoff, send_vote},
    run_stats::{SentBallot, as_us},
    tickets::Ticket,
    wire,
};
use crate::client::Connection;

/// Votes with all connections until the load is over; returns how long that took.
pub(super) async fn run(run: &Arc<Run>) -> Duration {
    let begin = run.clock.monotonic();
    let mut voters = JoinSet::new();
    for number in 0..run.config.connections {
        let run = Arc::clone(run);
        voters.spawn(async move { Voter::new(&run, number).vote_until_stopped(begin).await });
    }
    let all = voters.join_all();
    tokio::pin!(all);
    tokio::select! {
        _ = &mut all => {}
        () = run.clock.sleep(run.config.duration) => {
            run.stop.cancel();
            all.await;
        }
    }
    run.since(begin)
}

/// A connection that votes.
struct Voter<'a> {
    run: &'a Run,
    number: usize,
    /// Which server it is connected to: the next one when that is gone.
    server: usize,
    connection: Connection<'a>,
    backoff: Backoff,
    /// The last ticket that was refused.
    refused: Option<usize>,
}

impl<'a> Voter<'a> {
    fn new(run: &'a Run, number: usize) -> Self {
        Self {
            run,
            number,
            server: number,
            connection: run.connection_to(number),
            backoff: backoff(),
            refused: None,
        }
    }

    async fn vote_until_stopped(mut self, begin: Duration) {
        let (run, config) = (self.run, &self.run.config);
        let mut pace = Pace::new(config.rate, config.connections, self.number, begin);
        while !run.stop.is_cancelled() {
            let mut due = pace.next();
            let early = due.map(|due| due.saturating_sub(run.clock.monotonic()));
            if let Some(early) = early.filter(|early| !early.is_zero()) {
                if run.unless_stopped(run.clock.sleep(early)).await.is_none() {
                    break;
                }
                // A timer is late by up to a millisecond, which is not the server's fault.
                due = None;
            }
            self.vote(due).await;
        }
        let late = pace.due_before(run.clock.monotonic().min(begin + config.duration));
        run.stats().not_begun += late;
    }

    /// Votes once, unless the load is over first. `due` is when it should have begun, if that is
    /// over.
    async fn vote(&mut self, due: Option<Duration>) {
        let run = self.run;
        let Some(ticket) = self.ready().await else {
            run.stats().not_begun += u64::from(run.config.rate.is_some());
            return;
        };
        let id = (!run.config.no_ballot_ids).then(|| run.mint());
        let (sent, candidate) = {
            let mut stats = run.stats();
            let candidate = stats.next_candidate();
            (stats.send(id, candidate, ticket.number), candidate)
        };
        let body = wire::vote(&run.names[candidate], &ticket.quoted, id);
        let begin = due.unwrap_or_else(|| run.clock.monotonic());
        let Ok(response) = send_vote(&mut self.connection, body.clone()).await else {
            let mut stats = run.stats();
            stats.not_begun += u64::from(run.config.rate.is_some());
            return stats.withdraw(sent);
        };
        let took = run.since(begin);
        let is_bad = matches!(response, VoteResponse::Fault(_) | VoteResponse::Unknown(_));
        if let Some(refused) = run.ticket_is_refused(&response, &ticket) {
            self.refused = Some(refused);
        }
        if self.record(sent, response, took) {
            self.retry(sent, body).await;
        }
        if is_bad {
            let pause = run.clock.sleep(self.backoff.next_pause());
            run.unless_stopped(pause).await;
        } else {
            self.backoff.reset();
        }
    }

    /// Waits for a connection and a ticket, unless the load is over first.
    async fn ready(&mut self) -> Option<Arc<Ticket>> {
        let run = self.run;
        while run
            .unless_stopped(self.connection.connect())
            .await?
            .is_err()
        {
            run.failed_connects.fetch_add(1, Relaxed);
            // Nothing was sent, so another server of the deployment may be asked, as a load balancer
            // in front of them would do.
            self.server += 1;
            self.connection = run.connection_to(self.server);
            let pause = run.clock.sleep(self.backoff.next_pause());
            run.unless_stopped(pause).await?;
        }
        run.ticket(self.refused).await
    }

    fn record(&self, sent: SentBallot, response: VoteResponse, took: Duration) -> bool {
        let mut stats = self.run.stats();
        if matches!(response, VoteResponse::Accepted(_)) {
            stats.latencies.saturating_record(as_us(took));
        }
        stats.answer(sent, response)
    }

    /// Sends a ballot that was accepted again.
    async fn retry(&mut self, sent: SentBallot, body: Bytes) {
        if let Ok(response) = send_vote(&mut self.connection, body).await {
            self.run.stats().answer_retry(sent, response);
        }
    }
}
