//! Group commit: collects ballots into flushes.

use std::sync::Arc;

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{answer::PendingBallot, flush::Flusher, recent::RecentBallots, service::VoteService};
use crate::{
    domain::{KeyRing, Partitions},
    ports::Ports,
    settings::Settings,
    tallies::Tallies,
};

/// Collects ballots and flushes them, several flushes at a time.
///
/// There is no timer. A single ballot is flushed at once. While all flushes are busy, ballots wait, and
/// the next flush takes all of them. So under load the flushes grow, not their number, and with them the
/// work of the ports hardly grows.
pub(crate) struct Intake {
    ballots: mpsc::Receiver<PendingBallot>,
    flusher: Flusher,
    flush_limit: usize,
    flushes_in_flight: usize,
}

impl Intake {
    /// An intake, and the vote service that fills it.
    pub(crate) fn open(
        ports: &Ports,
        keys: KeyRing,
        partitions: Partitions,
        tallies: Arc<Tallies>,
        settings: &Settings,
    ) -> (VoteService, Self) {
        let ingest = &settings.ingest;
        let (sender, ballots) = mpsc::channel(ingest.intake_capacity);
        let recent = Arc::new(RecentBallots::new(ingest.remembered));
        let intake = Self {
            ballots,
            flusher: Flusher::new(
                ports,
                partitions,
                tallies,
                Arc::clone(&recent),
                ingest.clone(),
            ),
            flush_limit: ingest.flush_limit,
            flushes_in_flight: ingest.flushes_in_flight,
        };
        (
            VoteService::new(keys, ports, sender, recent, ingest, &settings.tickets),
            intake,
        )
    }

    /// Flushes until `drain` is cancelled. Then it refuses new ballots, answers those it has, and returns.
    ///
    /// All flushes run inside this one future. A flush computes little compared with the other work for a
    /// vote, and a panic in it ends this task, which is reported, instead of losing some answers.
    pub(crate) async fn run(mut self, drain: CancellationToken) {
        let mut flushes = FuturesUnordered::new();
        let mut batch = Vec::new();
        let mut open = true;
        while open || !flushes.is_empty() {
            let slot_is_free = flushes.len() < self.flushes_in_flight;
            tokio::select! {
                biased;
                Some(()) = flushes.next() => {}
                () = drain.cancelled(), if !self.ballots.is_closed() => self.ballots.close(),
                taken = self.ballots.recv_many(&mut batch, self.flush_limit),
                    if open && slot_is_free =>
                {
                    open = taken > 0;
                    if open {
                        gather(&mut self.ballots, &mut batch, self.flush_limit).await;
                        flushes.push(self.flusher.flush(std::mem::take(&mut batch)));
                    }
                }
            }
        }
    }
}

/// Adds the ballots that arrive while every other task that is ready runs once.
///
/// Without this, a flush would begin with the first ballot of many: the runtime runs the task that was
/// woken last first, before the other voters' tasks could send their ballots.
async fn gather(
    ballots: &mut mpsc::Receiver<PendingBallot>,
    batch: &mut Vec<PendingBallot>,
    limit: usize,
) {
    tokio::task::yield_now().await;
    while batch.len() < limit
        && let Ok(pending) = ballots.try_recv()
    {
        batch.push(pending);
    }
}
