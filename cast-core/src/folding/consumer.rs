//! The consumer: apply, settle, commit.

use std::{borrow::Cow, ops::ControlFlow, pin::pin, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    narrow::Stage,
    reading::{ASKING_FOR_PROGRESS, Reading, StoreProgress},
};
use crate::{
    backoff::Backoff,
    cast::Ports,
    deadline::{in_time, within},
    domain::{Candidate, FoldStep, LogBatch, Offset, Partition, Prefix},
    outage::Outage,
    ports::{
        Applied, Clock, EventBus, PortError, PortErrorKind, Settlement, Subscription, VoteCounter,
        VoteStore,
    },
    settings::FoldSettings,
};

/// Folds the log into the store, as one member of the group of consumers.
///
/// Where it begins, and what it has done, the store alone knows: a consumer can be killed at any
/// moment, or go on long after it was thought dead, and nothing is lost or counted twice.
pub struct Consumer {
    clock: Arc<dyn Clock>,
    bus: Arc<dyn EventBus>,
    counter: Arc<dyn VoteCounter>,
    store: Arc<dyn VoteStore>,
    settings: FoldSettings,
    /// Up to where this member has read.
    reading: Arc<Reading>,
    outages: Outages,
}

/// What may be down.
struct Outages {
    log: Outage,
    store: Outage,
    progress: Outage,
    totals: Outage,
    settle: Outage,
    commit: Outage,
}

impl Consumer {
    /// A consumer over these ports.
    pub fn new(ports: &Ports, settings: FoldSettings) -> Self {
        Self {
            clock: Arc::clone(&ports.clock),
            bus: Arc::clone(&ports.bus),
            counter: Arc::clone(&ports.counter),
            store: Arc::clone(&ports.store),
            settings,
            reading: Arc::default(),
            outages: Outages::new(&ports.clock),
        }
    }

    /// Joins the group.
    pub async fn subscribe(&self) -> Result<Box<dyn Subscription>, PortError> {
        self.reading.clear();
        let resume = Arc::new(StoreProgress {
            clock: Arc::clone(&self.clock),
            store: Arc::clone(&self.store),
            reading: Arc::clone(&self.reading),
            limit: self.settings.join_deadline,
        });
        let join = self
            .bus
            .subscribe(&self.settings.group, self.settings.max_ballots, resume);
        let limit = self.settings.join_deadline;
        within(&*self.clock, limit, "joining the group of consumers", join).await
    }

    /// Waits for the next batch and folds it. A failure leaves the batch to be read again.
    pub async fn step(&self, log: &mut dyn Subscription) -> Result<(), PortError> {
        let step = FoldStep::from(self.note_read(log.next().await?));
        match self.fold(log, &step).await {
            Ok(()) => Ok(()),
            Err(Failed::Log(error)) => Err(error),
            Err(Failed::Store(error)) => {
                self.seek(log, step.partition, step.start).await?;
                Err(error)
            }
        }
    }

    /// Folds until it is told to stop; a batch that it is folding then, it finishes first.
    pub async fn run(self, stop: CancellationToken) {
        let mut backoff = Backoff::new(self.settings.min_backoff, self.settings.max_backoff);
        while let Err(error) = self.fold_as_member(&mut backoff, &stop).await {
            self.outages.log.failed(&error);
            if self.pause(&mut backoff, &stop).await.is_break() {
                return;
            }
        }
    }

    /// One membership in the group: ends when the log fails, or well when all is to stop.
    async fn fold_as_member(
        &self,
        backoff: &mut Backoff,
        stop: &CancellationToken,
    ) -> Result<(), PortError> {
        let Some(log) = stop.run_until_cancelled(self.subscribe()).await else {
            return Ok(());
        };
        let mut log = log?;
        let mut looked_at = self.clock.monotonic();
        while let Some(batch) = stop
            .run_until_cancelled(self.next(&mut *log, &mut looked_at))
            .await
        {
            let step = FoldStep::from(batch?);
            // The log has handed the batch out: it is folded again here until that works.
            while let Err(failed) = self.fold(&mut *log, &step).await {
                let error = match failed {
                    Failed::Log(error) => return Err(error),
                    Failed::Store(error) => error,
                };
                self.outages.store.failed(&error);
                if self.pause(backoff, stop).await.is_break() {
                    return self.close(log).await;
                }
            }
            backoff.reset();
            self.outages.log.worked();
            self.outages.store.worked();
            // Ports that answer at once must not keep everybody else from running.
            tokio::task::yield_now().await;
        }
        self.close(log).await
    }

    /// Waits for the next batch, and looks now and then where the store is. May be dropped.
    ///
    /// A store that was put back tells nobody of it, and where no record comes, no step meets its
    /// fence.
    async fn next(
        &self,
        log: &mut dyn Subscription,
        looked_at: &mut Duration,
    ) -> Result<LogBatch, PortError> {
        loop {
            let put_back = {
                // Dropped only to seek: it may be asking the store where to begin.
                let mut next = pin!(log.next());
                loop {
                    let since = self.clock.monotonic().saturating_sub(*looked_at);
                    let left = self.settings.look_after.saturating_sub(since);
                    if !left.is_zero() {
                        match in_time(&*self.clock, left, next.as_mut()).await {
                            Some(batch) => return Ok(self.note_read(batch?)),
                            None => continue,
                        }
                    }
                    *looked_at = self.clock.monotonic();
                    let put_back = self.put_back().await;
                    if !put_back.is_empty() {
                        break put_back;
                    }
                }
            };
            for (partition, progress) in put_back {
                self.seek(log, partition, progress).await?;
            }
        }
    }

    fn note_read(&self, batch: LogBatch) -> LogBatch {
        self.reading.set(batch.partition, batch.next);
        batch
    }

    /// Where the store is before what was read.
    async fn put_back(&self) -> Vec<(Partition, Offset)> {
        let mut put_back = Vec::new();
        for (partition, read) in self.reading.all() {
            let progress = self.store.progress(partition);
            let (limit, operation) = (self.settings.join_deadline, ASKING_FOR_PROGRESS);
            let progress = within(&*self.clock, limit, operation, progress).await;
            self.outages.progress.note(&progress);
            // What cannot be told now, the next look will.
            put_back.extend(
                progress
                    .ok()
                    .filter(|at| *at < read)
                    .map(|at| (partition, at)),
            );
        }
        put_back
    }

    async fn close(&self, log: Box<dyn Subscription>) -> Result<(), PortError> {
        let limit = self.settings.join_deadline;
        within(
            &*self.clock,
            limit,
            "leaving the group of consumers",
            log.close(),
        )
        .await
    }

    async fn pause(&self, backoff: &mut Backoff, stop: &CancellationToken) -> ControlFlow<()> {
        let pause = self.clock.sleep(backoff.next_pause());
        match stop.run_until_cancelled(pause).await {
            Some(()) => ControlFlow::Continue(()),
            None => ControlFlow::Break(()),
        }
    }

    /// Applies a step, settles it, and notes it in the log. It may be called again with the same
    /// step after a failure: what was applied of it then meets the fence.
    async fn fold(&self, log: &mut dyn Subscription, step: &FoldStep) -> Result<(), Failed> {
        // The parts of the step that are still to be applied, the first on top.
        let mut parts = vec![Cow::Borrowed(step)];
        while let Some(part) = parts.pop() {
            match self.apply(&part).await {
                Ok(Applied::Folded { totals, .. }) => {
                    self.settle_totals(&part, totals).await;
                    self.commit(log, part.partition, part.next).await;
                }
                Ok(Applied::Fenced { progress }) if progress < part.start => {
                    // The store was put back: so does the reader, and what follows is read again.
                    let seek = self.seek(log, part.partition, progress);
                    return seek.await.map_err(Failed::Log);
                }
                Ok(Applied::Fenced { progress }) if progress < part.next => {
                    parts.push(Cow::Owned(part.into_owned().resumed_at(progress)));
                }
                Ok(Applied::Fenced { progress }) => {
                    self.settle_from_store(&part).await;
                    self.commit(log, part.partition, part.next).await;
                    if parts.is_empty() && progress > part.next {
                        let seek = self.seek(log, part.partition, progress);
                        seek.await.map_err(Failed::Log)?;
                    }
                }
                Err(error) if error.kind() == PortErrorKind::Corrupt => {
                    let narrowed = self.narrowed(part.into_owned(), error).await;
                    parts.extend(narrowed.map_err(Failed::Store)?);
                }
                Err(error) => return Err(Failed::Store(error)),
            }
        }
        Ok(())
    }

    /// Has a partition read from elsewhere.
    async fn seek(
        &self,
        log: &mut dyn Subscription,
        partition: Partition,
        next: Offset,
    ) -> Result<(), PortError> {
        let limit = self.settings.settle_deadline;
        let seek = log.seek(partition, next);
        within(&*self.clock, limit, "seeking in the log", seek).await?;
        self.reading.set(partition, next);
        Ok(())
    }

    async fn apply(&self, step: &FoldStep) -> Result<Applied, PortError> {
        let apply = self.store.apply(step);
        within(
            &*self.clock,
            self.settings.apply_deadline,
            "applying a batch",
            apply,
        )
        .await
    }

    /// Cuts in two what the store cannot hold, or takes out of a single record the ballots that it
    /// cannot. The first part comes last.
    async fn narrowed(
        &self,
        step: FoldStep,
        error: PortError,
    ) -> Result<Vec<Cow<'static, FoldStep>>, PortError> {
        let record = match step.halved() {
            Ok((first, second)) => return Ok(vec![Cow::Owned(second), Cow::Owned(first)]),
            Err(record) => record,
        };
        let ballots = record.ballots.len();
        let stage = Stage {
            clock: &*self.clock,
            store: &*self.store,
            limit: self.settings.apply_deadline,
        };
        let narrowed = stage.without_unholdable(record).await?;
        if narrowed.ballots.len() == ballots {
            // The rehearsal went well and the step does not: nothing is left to narrow down.
            return Err(error);
        }
        Ok(vec![Cow::Owned(narrowed)])
    }

    /// Settles the totals that a step led to, in the counter. It may miss them: it heals from the
    /// store.
    async fn settle_totals(&self, step: &FoldStep, totals: Vec<(Candidate, u64)>) {
        let settlements: Vec<_> = totals
            .into_iter()
            .map(|(candidate, votes)| {
                let prefix = Prefix {
                    partition: step.partition,
                    votes,
                    as_of: step.next,
                };
                Settlement {
                    candidate,
                    prefixes: vec![prefix],
                    whole: false,
                }
            })
            .collect();
        self.settle(&settlements).await;
        for rejection in &step.rejections {
            let (ballot, at) = (rejection.ballot(), step.position(rejection.offset()));
            tracing::error!(?at, ?ballot, reason = rejection.reason(), "rejected");
        }
        if !step.rejections.is_empty() {
            // What was rejected is in no total, but its votes are in a tail until it is settled.
            self.settle_from_store(step).await;
        }
    }

    async fn commit(&self, log: &mut dyn Subscription, partition: Partition, next: Offset) {
        let commit = log.commit(partition, next);
        let limit = self.settings.settle_deadline;
        let told = within(&*self.clock, limit, "noting progress in the log", commit).await;
        self.outages.commit.note(&told);
    }

    /// Settles again what another consumer applied, or this one without learning of it.
    async fn settle_from_store(&self, step: &FoldStep) {
        let limit = self.settings.apply_deadline;
        let candidates = [step.candidates(), step.rejected_candidates()].concat();
        let read = self.store.tallies(&candidates);
        let stored = within(&*self.clock, limit, "reading tallies from the store", read).await;
        self.outages.totals.note(&stored);
        if let Ok(stored) = stored {
            let whole = stored.into_iter().map(|stored| Settlement {
                candidate: stored.candidate,
                prefixes: stored.prefixes,
                whole: true,
            });
            self.settle(&whole.collect::<Vec<_>>()).await;
        }
    }

    async fn settle(&self, settlements: &[Settlement]) {
        let limit = self.settings.settle_deadline;
        let settle = self.counter.settle(settlements);
        let settled = within(&*self.clock, limit, "settling tallies", settle).await;
        self.outages.settle.note(&settled);
    }
}

impl Outages {
    fn new(clock: &Arc<dyn Clock>) -> Self {
        let of = |meaning| Outage::new(clock, meaning);
        Self {
            log: of("the log cannot be read; joining again"),
            store: of("a batch cannot be folded; trying again"),
            progress: of("whether the store was put back is not known"),
            totals: of("tallies are not settled again"),
            settle: of("tallies are not settled; they heal when read"),
            commit: of("the log's lag is not up to date"),
        }
    }
}

/// Which side a fold failed on: a batch is tried again, a log is joined again.
enum Failed {
    Log(PortError),
    Store(PortError),
}
