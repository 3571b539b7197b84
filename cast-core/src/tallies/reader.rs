//! Reads tallies for people.

use std::sync::Arc;

use super::refresher::Refresher;
use crate::{
    deadline::within,
    domain::{Candidate, StoredTally, Tally},
    fault::Fault,
    outage::Outage,
    ports::{Clock, PortError, Ports, Reading, VoteCounter, VoteStore},
    settings::TallySettings,
};

/// Shows what the counter knows, and sees to it that it knows enough.
pub(crate) struct Tallies {
    clock: Arc<dyn Clock>,
    counter: Arc<dyn VoteCounter>,
    store: Arc<dyn VoteStore>,
    refresher: Arc<Refresher>,
    settings: TallySettings,
    /// Of the counter, when it is read.
    outage: Outage,
}

/// Tallies as they can be shown now.
pub(crate) struct Shown {
    /// One for each candidate asked for, in their order.
    pub(crate) tallies: Vec<Tally>,
    /// Whether some of them may lag behind what was acknowledged.
    pub(crate) stale: bool,
    /// Why some of them are not known at all: the counter missed them, and so did the store.
    pub(crate) missed: Option<PortError>,
}

impl Tallies {
    pub(crate) fn new(ports: &Ports, refresher: Arc<Refresher>, settings: TallySettings) -> Self {
        Self {
            clock: Arc::clone(&ports.clock),
            counter: Arc::clone(&ports.counter),
            store: Arc::clone(&ports.store),
            refresher,
            settings,
            outage: Outage::new(&ports.clock, "the counter cannot be read"),
        }
    }

    /// The tallies of candidates, in their order: the counter's, or else the store's.
    pub(crate) async fn of(&self, candidates: &[Candidate]) -> Result<Shown, Fault> {
        let (read, limit) = (self.counter.read(candidates), self.settings.read_deadline);
        let result = within(&*self.clock, limit, "reading tallies", read).await;
        self.outage.note(&result);
        match result {
            Ok(readings) => match self.healed(readings).await {
                // A number that may be far too low must not be shown as if it were the tally.
                Shown {
                    missed: Some(error),
                    ..
                } => Err(error.into()),
                shown => Ok(shown),
            },
            Err(_) => self.of_store(candidates).await,
        }
    }

    /// What the store alone knows: true, but behind.
    pub(crate) async fn of_store(&self, candidates: &[Candidate]) -> Result<Shown, Fault> {
        let stored = self.refresher.stored(candidates).await?;
        Ok(Shown {
            tallies: stored.iter().map(StoredTally::tally).collect(),
            stale: true,
            missed: None,
        })
    }

    /// Completes the readings of a counter: misses from the store, at once; old ones soon.
    pub(crate) async fn healed(&self, mut readings: Vec<Reading>) -> Shown {
        let missed: Vec<_> = readings
            .iter()
            .filter(|r| r.age.is_none())
            .cloned()
            .collect();
        for reading in &readings {
            if reading
                .age
                .is_some_and(|age| age >= self.settings.refresh_after)
            {
                self.refresher.want(&reading.tally.candidate);
            }
        }
        let (mut stale, mut error) = (false, None);
        if !missed.is_empty() {
            match self.refresher.heal(&missed).await {
                Ok(healed) => {
                    stale = healed.stale;
                    let misses = readings.iter_mut().filter(|r| r.age.is_none());
                    for (miss, tally) in misses.zip(healed.tallies) {
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
    /// Who leads, the store says; how many votes each has by now, the counter, if it can be asked.
    pub(crate) async fn leaders(&self, first: usize) -> Result<Vec<Tally>, Fault> {
        let leaders = self.store.leaders(first);
        let limit = self.settings.store_deadline;
        let leaders = within(&*self.clock, limit, "reading the leaders", leaders).await?;
        let candidates: Vec<_> = leaders
            .iter()
            .map(|leader| leader.candidate.clone())
            .collect();
        let mut tallies = self
            .of(&candidates)
            .await
            .map_or(leaders, |shown| shown.tallies);
        tallies.sort_by(|a, b| {
            b.votes
                .cmp(&a.votes)
                .then_with(|| a.candidate.cmp(&b.candidate))
        });
        Ok(tallies)
    }
}
