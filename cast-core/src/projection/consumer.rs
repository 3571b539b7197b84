//! The consumer: applies the log to the store, reconciles the counter, commits.

use std::{borrow::Cow, ops::ControlFlow, pin::pin, sync::Arc, time::Duration};

use futures_util::future::{Either, select};
use tokio_util::sync::CancellationToken;

use super::{narrow::without_unholdable, progress::StoreProgress, reconciler::Reconciler};
use crate::{
    backoff::Backoff,
    deadline::in_time,
    domain::{FoldStep, LogBatch, Offset, Partition},
    outage::Outage,
    ports::{Applied, Operation, PortError, PortErrorKind, Ports, ResumeFrom, Subscription},
    settings::FoldSettings,
};

/// Folds the log into the store, as one member of the consumer group.
///
/// Its position is only in the store. A consumer can be killed at any moment, or continue after another
/// one has taken over its partitions, and no vote is lost or counted twice.
pub struct Consumer {
    ports: Ports,
    settings: FoldSettings,
    progress: Arc<StoreProgress>,
    reconciler: Reconciler,
    outages: Arc<FoldOutages>,
    commit_outage: Outage,
}

/// The outages that stop a consumer.
pub(crate) struct FoldOutages {
    log: Outage,
    store: Outage,
}

impl FoldOutages {
    /// Why the consumer cannot fold everything; `None` if it can, as far as is known.
    pub(crate) fn lasting(&self) -> Option<PortError> {
        self.log.lasting().or_else(|| self.store.lasting())
    }
}

impl Consumer {
    /// A consumer on these ports.
    pub fn new(ports: &Ports, settings: FoldSettings) -> Self {
        let progress = StoreProgress::new(ports, settings.join_deadline);
        let outage = |meaning| Outage::new(&ports.clock, meaning);
        Self {
            ports: ports.clone(),
            progress: Arc::new(progress),
            reconciler: Reconciler::new(ports, settings.clone()),
            settings,
            outages: Arc::new(FoldOutages {
                log: outage("the log cannot be read"),
                store: outage("a batch cannot be applied to the store: retrying"),
            }),
            commit_outage: outage("lag metrics are out of date: commits fail"),
        }
    }

    /// Its outages, to be read while it runs.
    pub(crate) fn outages(&self) -> Arc<FoldOutages> {
        Arc::clone(&self.outages)
    }

    /// Joins the consumer group.
    pub async fn subscribe(&self) -> Result<Box<dyn Subscription>, PortError> {
        self.progress.forget();
        let resume = Arc::clone(&self.progress) as Arc<dyn ResumeFrom>;
        let join =
            self.ports
                .bus
                .subscribe(&self.settings.group, self.settings.max_ballots, resume);
        let limit = self.settings.join_deadline;
        self.ports.within(limit, Operation::Subscribe, join).await
    }

    /// Waits for the next batch and folds it. After a failure the batch is read again.
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

    /// Folds until `stop` is cancelled. It finishes the current batch first, unless that takes longer than
    /// the deadline of a reconciliation.
    pub async fn run(self, stop: CancellationToken) {
        let mut backoff = Backoff::new(self.settings.min_backoff, self.settings.max_backoff);
        while let Err(error) = self.fold_as_member(&mut backoff, &stop).await {
            self.outages.log.failed(&error);
            if self.pause(&mut backoff, &stop).await.is_break() {
                return;
            }
        }
    }

    /// One membership in the group. It ends with an error when the log fails, or with `Ok` after `stop`.
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
        let mut check_at = self.ports.clock.monotonic() + self.settings.progress_interval;
        loop {
            let read = self.read(&mut *log, &mut check_at);
            let Some((rewinds, next)) = stop.run_until_cancelled(read).await else {
                return self.close(log).await;
            };
            self.rewind(&mut *log, rewinds).await?;
            let now = self.ports.clock.monotonic();
            match next {
                None => {}
                Some(Ok(batch)) => {
                    refused_since = None;
                    let folded = self.fold_or_stop(&mut *log, batch.into(), backoff, stop);
                    if folded.await?.is_break() {
                        return self.close(log).await;
                    }
                    // Ports that are ready at once must not keep other tasks from running.
                    tokio::task::yield_now().await;
                }
                // One partition is refused, and the others can be read. Leaving the group would make all
                // members rebalance, so it is done only after a while.
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

    /// Waits for the next batch, and checks the store now and then. Returns partitions that must be rewound,
    /// and the batch, if there is one by then. The future may be dropped at shutdown: a candidate that a
    /// check was about to reconcile is refreshed when it is shown.
    ///
    /// A check does not cancel the wait for the batch: while it waits, the log may be reading the store's
    /// progress, and a store that takes longer than the time between two checks would never be heard. Nor
    /// does the wait stop during a check: it may hold the connection to the store that the check needs.
    async fn read(
        &self,
        log: &mut dyn Subscription,
        check_at: &mut Duration,
    ) -> (Rewinds, Option<Result<LogBatch, PortError>>) {
        let mut next = pin!(log.next());
        loop {
            if self.ports.clock.monotonic() >= *check_at {
                let (rewinds, next) = match select(pin!(self.check_store()), next.as_mut()).await {
                    Either::Left((rewinds, _)) => (rewinds, None),
                    Either::Right((next, check)) => (check.await, Some(next)),
                };
                *check_at = self.ports.clock.monotonic() + self.settings.progress_interval;
                if next.is_some() || !rewinds.is_empty() {
                    return (rewinds, next);
                }
            }
            let until_check = check_at.saturating_sub(self.ports.clock.monotonic());
            match in_time(&*self.ports.clock, until_check, next.as_mut()).await {
                Some(next) => return (Rewinds::new(), Some(next)),
                None => self.outages.log.worked(),
            }
        }
    }

    /// Folds a batch, with retries until it succeeds. Breaks if `stop` is cancelled before it did.
    async fn fold_or_stop(
        &self,
        log: &mut dyn Subscription,
        step: FoldStep,
        backoff: &mut Backoff,
        stop: &CancellationToken,
    ) -> Result<ControlFlow<()>, PortError> {
        // The log does not deliver the batch again, so it is retried here.
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

    /// Waits for `begun`, but not for long once `stop` is cancelled. If it is dropped, it has happened as a
    /// whole or not at all, and the next consumer resumes at the store's progress.
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
                self.ports.clock.sleep(self.settings.reconcile_deadline).await;
            } => None,
        }
    }

    /// Finds the partitions in which the store was restored from a backup: while there are no votes, no step
    /// would be fenced and show it. Also retries reconciliations that failed.
    async fn check_store(&self) -> Rewinds {
        let rewinds = self.progress.rewinds().await;
        self.outages.store.note(&rewinds);
        self.reconciler.retry().await;
        rewinds.unwrap_or_default()
    }

    /// Reads partitions again from the store's progress.
    async fn rewind(&self, log: &mut dyn Subscription, rewinds: Rewinds) -> Result<(), PortError> {
        for (partition, next) in rewinds {
            tracing::warn!(
                ?partition,
                ?next,
                "the store was restored from a backup: folding the log again from there"
            );
            self.seek(log, partition, next).await?;
            self.progress.note(partition, next);
        }
        Ok(())
    }

    async fn close(&self, log: Box<dyn Subscription>) -> Result<(), PortError> {
        let limit = self.settings.join_deadline;
        self.ports
            .within(limit, Operation::Close, log.close())
            .await
    }

    async fn pause(&self, backoff: &mut Backoff, stop: &CancellationToken) -> ControlFlow<()> {
        let pause = self.ports.clock.sleep(backoff.next_pause());
        match stop.run_until_cancelled(pause).await {
            Some(()) => ControlFlow::Continue(()),
            None => ControlFlow::Break(()),
        }
    }

    /// Applies a step, reconciles the counter, and commits. It may be called again with the same step after a
    /// failure: the part that was applied is then fenced.
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
                    // The store was restored from a backup: the log is read again from its progress.
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

    /// Continues to read a partition at another offset.
    async fn seek(
        &self,
        log: &mut dyn Subscription,
        partition: Partition,
        next: Offset,
    ) -> Result<(), PortError> {
        let (seek, limit) = (log.seek(partition, next), self.settings.reconcile_deadline);
        self.ports.within(limit, Operation::Seek, seek).await
    }

    async fn apply(&self, step: &FoldStep) -> Result<Applied, PortError> {
        let (apply, limit) = (self.ports.store.apply(step), self.settings.apply_deadline);
        self.ports.within(limit, Operation::Apply, apply).await
    }

    /// Divides a step that the store cannot hold in two, or rejects the ballots of a single record that it
    /// cannot hold. The first part is the last of the list.
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
        let limit = self.settings.apply_deadline;
        let narrowed = without_unholdable(&self.ports, limit, record).await?;
        if narrowed.ballots.len() == ballots {
            // The dry run succeeds and the step fails: there is nothing to reject.
            return Err(error);
        }
        Ok(vec![Cow::Owned(narrowed)])
    }

    async fn commit(&self, log: &mut dyn Subscription, partition: Partition, next: Offset) {
        let commit = log.commit(partition, next);
        let limit = self.settings.reconcile_deadline;
        let committed = self.ports.within(limit, Operation::Commit, commit).await;
        self.commit_outage.note(&committed);
    }
}

/// Partitions in which the store was restored from a backup, with its progress now.
type Rewinds = Vec<(Partition, Offset)>;

fn log_rejections(step: &FoldStep) {
    for rejection in &step.rejections {
        let (ballot, at) = (rejection.ballot(), step.position(rejection.offset()));
        tracing::error!(?at, ?ballot, reason = rejection.reason(), "rejected");
    }
}

/// What failed in a fold. After a failure of the log the group is joined again, after one of the store the
/// batch is retried.
enum Failed {
    Log(PortError),
    Store(PortError),
}
