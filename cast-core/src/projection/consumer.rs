//! The consumer: apply, reconcile, commit.

use std::{borrow::Cow, ops::ControlFlow, pin::pin, sync::Arc, time::Duration};

use futures_util::future::{Either, select};
use tokio_util::sync::CancellationToken;

use super::{narrow::Stage, progress::StoreProgress, reconciler::Reconciler};
use crate::{
    backoff::Backoff,
    deadline::{in_time, within},
    domain::{FoldStep, LogBatch, Offset, Partition},
    outage::Outage,
    ports::{
        Applied, Clock, EventBus, PortError, PortErrorKind, Ports, ResumeFrom, Subscription,
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
    store: Arc<dyn VoteStore>,
    settings: FoldSettings,
    progress: Arc<StoreProgress>,
    reconciler: Reconciler,
    outages: Arc<FoldOutages>,
    commit_outage: Outage,
}

/// What keeps a consumer from folding, while it lasts.
pub(crate) struct FoldOutages {
    log: Outage,
    store: Outage,
}

impl FoldOutages {
    /// Why nothing is folded, or not everything; `None` if all is well as far as is known.
    pub(crate) fn lasting(&self) -> Option<PortError> {
        self.log.lasting().or_else(|| self.store.lasting())
    }
}

impl Consumer {
    /// A consumer over these ports.
    pub fn new(ports: &Ports, settings: FoldSettings) -> Self {
        let (clock, store) = (Arc::clone(&ports.clock), Arc::clone(&ports.store));
        let progress = StoreProgress::new(clock, store, settings.join_deadline);
        let outage = |meaning| Outage::new(&ports.clock, meaning);
        Self {
            clock: Arc::clone(&ports.clock),
            bus: Arc::clone(&ports.bus),
            store: Arc::clone(&ports.store),
            progress: Arc::new(progress),
            reconciler: Reconciler::new(ports, settings.clone()),
            settings,
            outages: Arc::new(FoldOutages {
                log: outage("the log cannot be read"),
                store: outage("a batch cannot be folded; trying again"),
            }),
            commit_outage: outage("the log's lag is not up to date"),
        }
    }

    /// What keeps it from its job: to be looked at while it runs.
    pub(crate) fn outages(&self) -> Arc<FoldOutages> {
        Arc::clone(&self.outages)
    }

    /// Joins the group.
    pub async fn subscribe(&self) -> Result<Box<dyn Subscription>, PortError> {
        self.progress.forget();
        let resume = Arc::clone(&self.progress) as Arc<dyn ResumeFrom>;
        let join = self
            .bus
            .subscribe(&self.settings.group, self.settings.max_ballots, resume);
        let limit = self.settings.join_deadline;
        within(&*self.clock, limit, "joining the group of consumers", join).await
    }

    /// Waits for the next batch and folds it. A failure leaves the batch to be read again.
    pub async fn step(&self, log: &mut dyn Subscription) -> Result<(), PortError> {
        let step = FoldStep::from(log.next().await?);
        match self.fold(log, &step).await {
            Ok(()) => Ok(()),
            Err(Failed::Log(error)) => Err(error),
            Err(Failed::Store(error)) => {
                self.seek(log, step.partition, step.start).await?;
                Err(error)
            }
        }
    }

    /// Folds until it is told to stop; a batch that it is folding then, it finishes first if that
    /// takes no longer than a reconciling may.
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
        let mut refused_since = None;
        let mut look_again_at = self.clock.monotonic() + self.settings.progress_interval;
        loop {
            let read = self.read(&mut *log, &mut look_again_at);
            let Some((setbacks, next)) = stop.run_until_cancelled(read).await else {
                return self.close(log).await;
            };
            self.send_back(&mut *log, setbacks).await?;
            let now = self.clock.monotonic();
            match next {
                None => {}
                Some(Ok(batch)) => {
                    refused_since = None;
                    let folded = self.fold_or_stop(&mut *log, batch.into(), backoff, stop);
                    if folded.await?.is_break() {
                        return self.close(log).await;
                    }
                    // Ports that answer at once must not keep everybody else from running.
                    tokio::task::yield_now().await;
                }
                // One partition is refused. The others can be read all the same, and whoever leaves
                // has the whole group deal them out again: so only now and then.
                Some(Err(error))
                    if error.kind() == PortErrorKind::Misconfigured
                        && now.saturating_sub(*refused_since.get_or_insert(now))
                            < self.settings.join_deadline =>
                {
                    self.outages.log.failed(&error);
                    if self.pause(backoff, stop).await.is_break() {
                        return self.close(log).await;
                    }
                }
                Some(Err(error)) => return Err(error),
            }
        }
    }

    /// Waits for the next batch, and looks at the store now and then. Tells of both: partitions in which
    /// the reader must be sent back, and a batch, if there is one by then. May be dropped at the end:
    /// what a look was about to reconcile then heals when it is read.
    ///
    /// The looks do not end the wait for the batch. The log may be asking the store where to begin, and
    /// if the question ended with each look, a store that takes longer than it is until the next one
    /// would never be heard. Nor does the wait stand still during a look, with what it has of the store
    /// in its hands: a connection that the look may need.
    async fn read(
        &self,
        log: &mut dyn Subscription,
        look_again_at: &mut Duration,
    ) -> (Setbacks, Option<Result<LogBatch, PortError>>) {
        let mut next = pin!(log.next());
        loop {
            if self.clock.monotonic() >= *look_again_at {
                let (setbacks, next) = match select(pin!(self.look_again()), next.as_mut()).await {
                    Either::Left((setbacks, _)) => (setbacks, None),
                    Either::Right((next, look)) => (look.await, Some(next)),
                };
                *look_again_at = self.clock.monotonic() + self.settings.progress_interval;
                if next.is_some() || !setbacks.is_empty() {
                    return (setbacks, next);
                }
            }
            let until_look = look_again_at.saturating_sub(self.clock.monotonic());
            match in_time(&*self.clock, until_look, next.as_mut()).await {
                Some(next) => return (Setbacks::new(), Some(next)),
                None => self.outages.log.worked(),
            }
        }
    }

    /// Folds a batch, again and again until that works. Breaks if all is to stop before it did.
    async fn fold_or_stop(
        &self,
        log: &mut dyn Subscription,
        step: FoldStep,
        backoff: &mut Backoff,
        stop: &CancellationToken,
    ) -> Result<ControlFlow<()>, PortError> {
        // The log has handed the batch out: it is folded again here until that works.
        loop {
            let Some(folded) = self.finished_soon(stop, self.fold(log, &step)).await else {
                return Ok(ControlFlow::Break(()));
            };
            match folded {
                Ok(()) => break,
                Err(Failed::Log(error)) => return Err(error),
                Err(Failed::Store(error)) => self.outages.store.failed(&error),
            }
            if self.pause(backoff, stop).await.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        backoff.reset();
        self.outages.log.worked();
        self.outages.store.worked();
        Ok(ControlFlow::Continue(()))
    }

    /// Waits for what was begun, but not for long once all is to stop: dropped, it has happened as a
    /// whole or not at all, and whoever resumes asks the store.
    async fn finished_soon<T>(
        &self,
        stop: &CancellationToken,
        begun: impl Future<Output = T>,
    ) -> Option<T> {
        tokio::select! {
            biased;
            done = begun => Some(done),
            () = async {
                stop.cancelled().await;
                self.clock.sleep(self.settings.reconcile_deadline).await;
            } => None,
        }
    }

    /// Whether the store was put back while nobody voted: then no batch meets the fence, and the
    /// reader must be sent back. Besides, makes up for what could not be reconciled.
    async fn look_again(&self) -> Setbacks {
        let setbacks = self.progress.setbacks().await;
        self.outages.store.note(&setbacks);
        self.reconciler.reconcile_owed().await;
        setbacks.unwrap_or_default()
    }

    /// Has partitions read again from where the store was put back to.
    async fn send_back(
        &self,
        log: &mut dyn Subscription,
        setbacks: Setbacks,
    ) -> Result<(), PortError> {
        for (partition, next) in setbacks {
            tracing::warn!(?partition, ?next, "the store was put back: folding again");
            self.seek(log, partition, next).await?;
            self.progress.note(partition, next);
        }
        Ok(())
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

    /// Applies a step, reconciles it, and notes it in the log. It may be called again with the same
    /// step after a failure: what was applied of it then meets the fence.
    async fn fold(&self, log: &mut dyn Subscription, step: &FoldStep) -> Result<(), Failed> {
        // The parts of the step that are still to be applied, the first on top.
        let mut parts = vec![Cow::Borrowed(step)];
        while let Some(part) = parts.pop() {
            match self.apply(&part).await {
                Ok(Applied::Folded { totals, .. }) => {
                    self.progress.note(part.partition, part.next);
                    log_rejections(&part);
                    self.reconciler.reconcile_totals(&part, totals).await;
                    self.commit(log, part.partition, part.next).await;
                }
                Ok(Applied::Fenced { progress }) if progress < part.start => {
                    // The store was put back: so does the reader, and what follows is read again.
                    self.progress.note(part.partition, progress);
                    let sought = self.seek(log, part.partition, progress).await;
                    return sought.map_err(Failed::Log);
                }
                Ok(Applied::Fenced { progress }) if progress < part.next => {
                    parts.push(Cow::Owned(part.into_owned().resumed_at(progress)));
                }
                Ok(Applied::Fenced { progress }) => {
                    self.progress.note(part.partition, progress);
                    self.reconciler.reconcile_from_store(&part).await;
                    self.commit(log, part.partition, part.next).await;
                    if parts.is_empty() && progress > part.next {
                        let sought = self.seek(log, part.partition, progress).await;
                        sought.map_err(Failed::Log)?;
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
        let (seek, limit) = (log.seek(partition, next), self.settings.reconcile_deadline);
        within(&*self.clock, limit, "seeking in the log", seek).await
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
            // The dry run went well and the step does not: nothing is left to narrow down.
            return Err(error);
        }
        Ok(vec![Cow::Owned(narrowed)])
    }

    async fn commit(&self, log: &mut dyn Subscription, partition: Partition, next: Offset) {
        let commit = log.commit(partition, next);
        let limit = self.settings.reconcile_deadline;
        let told = within(&*self.clock, limit, "noting progress in the log", commit).await;
        self.commit_outage.note(&told);
    }
}

/// Partitions in which the store was put back, and where it is now.
type Setbacks = Vec<(Partition, Offset)>;

fn log_rejections(step: &FoldStep) {
    for rejection in &step.rejections {
        let (ballot, at) = (rejection.ballot(), step.position(rejection.offset()));
        tracing::error!(?at, ?ballot, reason = rejection.reason(), "rejected");
    }
}

/// Which side a fold failed on: a batch is tried again, a log is joined again.
enum Failed {
    Log(PortError),
    Store(PortError),
}
