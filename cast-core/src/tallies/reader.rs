//! Reads tallies.

use std::sync::Arc;

use super::refresher::Refresher;
use crate::{
    domain::{Candidate, StoredTally, Tally},
    fault::Fault,
    outage::Outage,
    ports::{Operation, PortError, Ports, Reading},
    settings::TallySettings,
};

/// Reads the counter, and has missing or old tallies loaded from the store.
pub(crate) struct Tallies {
    ports: Ports,
    refresher: Arc<Refresher>,
    settings: TallySettings,
    /// Of reading the counter.
    outage: Outage,
}

/// Tallies as they can be shown now.
pub(crate) struct Shown {
    /// One for each candidate asked for, in their order.
    pub(crate) tallies: Vec<Tally>,
    /// Whether some tallies may lack acknowledged votes.
    pub(crate) stale: bool,
    /// Why some tallies are unknown: the counter does not have them, and the store failed.
    pub(crate) missed: Option<PortError>,
}

impl Tallies {
    pub(crate) fn new(ports: &Ports, refresher: Arc<Refresher>, settings: TallySettings) -> Self {
        Self {
            ports: ports.clone(),
            refresher,
            settings,
            outage: Outage::new(
                &ports.clock,
                "tallies are those of the store: the counter cannot be read",
            ),
        }
    }

    /// The tallies of candidates, in their order: those of the counter, or else those of the store.
    pub(crate) async fn of(&self, candidates: &[Candidate]) -> Result<Shown, Fault> {
        let (read, limit) = (
            self.ports.counter.read(candidates),
            self.settings.read_deadline,
        );
        let result = self.ports.within(limit, Operation::Read, read).await;
        self.outage.note(&result);
        match result {
            Ok(readings) => match self.refreshed(readings).await {
                // A tally that may be far too low must not be shown.
                Shown {
                    missed: Some(error),
                    ..
                } => Err(error.into()),
                shown => Ok(shown),
            },
            Err(_) => self.of_store(candidates).await,
        }
    }

    /// The tallies of the store: correct, but without the votes that it has not applied yet.
    pub(crate) async fn of_store(&self, candidates: &[Candidate]) -> Result<Shown, Fault> {
        let stored = self.refresher.stored(candidates).await?;
        Ok(Shown {
            tallies: stored.iter().map(StoredTally::tally).collect(),
            stale: true,
            missed: None,
        })
    }

    /// Completes the readings of the counter: missing tallies are loaded from the store now, old ones are
    /// refreshed in the background.
    pub(crate) async fn refreshed(&self, mut readings: Vec<Reading>) -> Shown {
        let missed: Vec<_> = readings
            .iter()
            .filter(|r| r.age.is_none())
            .cloned()
            .collect();
        let limit = self.settings.refresh_after;
        let is_old = |reading: &&Reading| reading.age.is_some_and(|age| age >= limit);
        for reading in readings.iter().filter(is_old) {
            self.refresher.want(&reading.tally.candidate);
        }
        let (mut stale, mut error) = (false, None);
        if !missed.is_empty() {
            match self.refresher.refresh(&missed).await {
                Ok(refreshed) => {
                    stale = refreshed.stale;
                    let misses = readings.iter_mut().filter(|r| r.age.is_none());
                    for (miss, tally) in misses.zip(refreshed.tallies) {
                        miss.tally = tally;
                    }
                }
                Err(unknown) => (stale, error) = (true, Some(unknown)),
            }
        }
        Shown {
            tallies: readings.into_iter().map(|reading| reading.tally).collect(),
            stale,
            missed: error,
        }
    }

    /// The `first` candidates with the most votes.
    ///
    /// The store decides who is among them; the votes are those of the counter, if it answers.
    pub(crate) async fn leaders(&self, first: usize) -> Result<Vec<Tally>, Fault> {
        let leaders = self.ports.store.leaders(first);
        let limit = self.settings.store_deadline;
        let leaders = self
            .ports
            .within(limit, Operation::Leaders, leaders)
            .await?;
        let candidates: Vec<_> = leaders
            .iter()
            .map(|leader| leader.candidate.clone())
            .collect();
        let mut tallies = self
            .of(&candidates)
            .await
            .map_or(leaders, |shown| shown.tallies);
        tallies.sort_by(|a, b| (b.votes, &a.candidate).cmp(&(a.votes, &b.candidate)));
        Ok(tallies)
    }
}
