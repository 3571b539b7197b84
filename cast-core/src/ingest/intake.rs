//! Group commit: a flush takes everything that waits, as soon as a slot is free.

use std::sync::Arc;

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    flush::Flusher,
    recent::Recent,
    service::{Pending, VoteService},
};
use crate::{
    domain::{KeyRing, Partitions},
    ports::Ports,
    settings::Settings,
    tallies::Tallies,
};

/// Takes ballots in and flushes them, several flushes at once.
///
/// There is no timer. A ballot that comes alone is flushed alone, at once; while all slots are
/// busy, ballots gather, and the next flush takes them all. So the work of the ports grows with the
/// number of flushes, and flushes grow with the load.
pub(crate) struct Intake {
    ballots: mpsc::Receiver<Pending>,
    flusher: Flusher,
    flush_limit: usize,
    flushes_in_flight: usize,
}

impl Intake {
    /// An intake, and the door that leads to it.
    pub(crate) fn open(
        ports: &Ports,
        keys: KeyRing,
        partitions: Partitions,
        tallies: Arc<Tallies>,
        settings: &Settings,
    ) -> (VoteService, Self) {
        let door = &settings.ingest;
        let (sender, ballots) = mpsc::channel(door.intake_capacity);
        let recent = Arc::new(Recent::new(door.remembered));
        let intake = Self {
            ballots,
            flusher: Flusher::new(
                ports,
                partitions,
                tallies,
                Arc::clone(&recent),
                door.clone(),
            ),
            flush_limit: door.flush_limit,
            flushes_in_flight: door.flushes_in_flight,
        };
        (
            VoteService::new(keys, ports, sender, recent, door, &settings.tickets),
            intake,
        )
    }

    /// Flushes until it is told to drain: then nothing new is let in, and what was is answered.
    ///
    /// All flushes run inside this one future. What a flush computes is little beside what a vote
    /// costs before it comes here, and a panic in it ends the task, which is noticed, instead of
    /// some answers.
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

/// Adds to a batch what comes while everybody else who is ready has a turn.
///
/// A runtime runs next whom a task has just woken: without this, each ballot under load would be
/// taken before the next voter could bring theirs, and be a flush of its own.
async fn gather(ballots: &mut mpsc::Receiver<Pending>, batch: &mut Vec<Pending>, limit: usize) {
    tokio::task::yield_now().await;
    while batch.len() < limit
        && let Ok(pending) = ballots.try_recv()
    {
        batch.push(pending);
    }
}
