//! The four ports, each call of which goes through the interceptor.

use std::sync::Arc;

use async_trait::async_trait;
use cast_core::{
    domain::{
        AppliedTotal, BallotId, Candidate, Claim, CurrentTicket, Fate, FoldStep, GenuineTicket,
        LogBatch, Offset, Partition, Partitions, PeriodTicket, Progress, Record, Redemption,
        StoredTally, Tally, Timestamp,
    },
    ports::{
        Applied, Checkpoint, EventBus, GroupName, PartitionLag, PendingVotes, PortError, Published,
        Reading, Recount, ResumeFrom, StoredBallot, Subscription, TicketSource, VoteCounter,
        VoteStore,
    },
};

use super::{
    Call, Fault, Intercept, Intercepted, Operation,
    intercept::{unless_lost, unless_untold},
};

#[async_trait]
impl TicketSource for Intercepted<dyn TicketSource> {
    async fn now(&self) -> Result<Timestamp, PortError> {
        self.call(Operation::Now, 1, |inner| async move { inner.now().await })
            .await
    }

    async fn publish(&self, ticket: &PeriodTicket) -> Result<PeriodTicket, PortError> {
        let ticket = *ticket;
        self.call(Operation::PublishTicket, 1, move |inner| async move {
            inner.publish(&ticket).await
        })
        .await
    }

    async fn current(&self) -> Result<Option<CurrentTicket>, PortError> {
        self.call(Operation::CurrentTicket, 1, |inner| async move {
            inner.current().await
        })
        .await
    }

    async fn redeem(
        &self,
        ticket: &GenuineTicket,
        claims: &[Claim],
    ) -> Result<Vec<Redemption>, PortError> {
        let ticket = *ticket;
        self.call(Operation::Redeem, claims.len(), move |inner| {
            let claims = claims.to_vec();
            async move { inner.redeem(&ticket, &claims).await }
        })
        .await
    }
}

#[async_trait]
impl EventBus for Intercepted<dyn EventBus> {
    async fn partitions(&self) -> Result<Partitions, PortError> {
        self.call(Operation::Partitions, 1, |inner| async move {
            inner.partitions().await
        })
        .await
    }

    async fn publish(&self, records: &[Record]) -> Vec<Result<Published, PortError>> {
        let ballots = records.iter().map(|record| record.ballots().len()).sum();
        let published = self.call(Operation::Publish, ballots, |inner| {
            let records = records.to_vec();
            async move { Ok(inner.publish(&records).await) }
        });
        // What becomes of the call becomes of each record.
        published.await.unwrap_or_else(|error| {
            let same = |_| Err(PortError::new(error.kind(), error.operation()));
            records.iter().map(same).collect()
        })
    }

    async fn subscribe(
        &self,
        group: &GroupName,
        max_ballots: usize,
        resume: Arc<dyn ResumeFrom>,
    ) -> Result<Box<dyn Subscription>, PortError> {
        let subscription = self.call(Operation::Subscribe, 1, |inner| {
            let (group, resume) = (group.clone(), Arc::clone(&resume));
            async move { inner.subscribe(&group, max_ballots, resume).await }
        });
        Ok(Box::new(InterceptedSubscription {
            inner: subscription.await?,
            by: Arc::clone(&self.by),
        }))
    }

    async fn lag(&self, group: &GroupName) -> Result<Vec<PartitionLag>, PortError> {
        self.call(Operation::Lag, 1, |inner| {
            let group = group.clone();
            async move { inner.lag(&group).await }
        })
        .await
    }
}

struct InterceptedSubscription {
    inner: Box<dyn Subscription>,
    by: Arc<dyn Intercept>,
}

/// Decides about a call of a subscription. What would be held back or done twice is lost or done
/// once: a subscription is one reader's, and nobody can race with it.
async fn before(by: &dyn Intercept, operation: Operation) -> Result<Fault, PortError> {
    let fault = by
        .before(Call {
            operation,
            items: 1,
        })
        .await;
    unless_lost(fault, operation).await?;
    Ok(fault)
}

async fn after(by: &dyn Intercept, operation: Operation, fault: Fault) -> Result<(), PortError> {
    by.after(Call {
        operation,
        items: 1,
    })
    .await;
    unless_untold(fault, operation).await
}

#[async_trait]
impl Subscription for InterceptedSubscription {
    async fn next(&mut self) -> Result<LogBatch, PortError> {
        // Nothing comes between a batch and its reader: the reader may drop this future, and then
        // the batch must not have been read. So a batch that would be untold is not read at all.
        let fault = before(&*self.by, Operation::Next).await?;
        unless_untold(fault, Operation::Next).await?;
        self.inner.next().await
    }

    async fn seek(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        let fault = before(&*self.by, Operation::Seek).await?;
        let answer = self.inner.seek(partition, next).await;
        after(&*self.by, Operation::Seek, fault).await?;
        answer
    }

    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        let fault = before(&*self.by, Operation::Commit).await?;
        let answer = self.inner.commit(partition, next).await;
        after(&*self.by, Operation::Commit, fault).await?;
        answer
    }

    async fn close(self: Box<Self>) -> Result<(), PortError> {
        let fault = before(&*self.by, Operation::Close).await?;
        let answer = self.inner.close().await;
        after(&*self.by, Operation::Close, fault).await?;
        answer
    }
}

#[async_trait]
impl VoteCounter for Intercepted<dyn VoteCounter> {
    async fn record(
        &self,
        tails: &[PendingVotes],
        show: &[Candidate],
    ) -> Result<Vec<Reading>, PortError> {
        let votes = tails.iter().map(|tail| tail.votes.len()).sum();
        self.call(Operation::Record, votes, |inner| {
            let (tails, show) = (tails.to_vec(), show.to_vec());
            async move { inner.record(&tails, &show).await }
        })
        .await
    }

    async fn reconcile(&self, checkpoints: &[Checkpoint]) -> Result<(), PortError> {
        self.call(Operation::Reconcile, checkpoints.len(), |inner| {
            let checkpoints = checkpoints.to_vec();
            async move { inner.reconcile(&checkpoints).await }
        })
        .await
    }

    async fn read(&self, candidates: &[Candidate]) -> Result<Vec<Reading>, PortError> {
        self.call(Operation::Read, candidates.len(), |inner| {
            let candidates = candidates.to_vec();
            async move { inner.read(&candidates).await }
        })
        .await
    }

    async fn applied_totals(
        &self,
        candidates: &[Candidate],
    ) -> Result<Vec<Vec<AppliedTotal>>, PortError> {
        self.call(Operation::AppliedTotals, candidates.len(), |inner| {
            let candidates = candidates.to_vec();
            async move { inner.applied_totals(&candidates).await }
        })
        .await
    }
}

#[async_trait]
impl VoteStore for Intercepted<dyn VoteStore> {
    async fn progress(&self, partition: Partition) -> Result<Progress, PortError> {
        self.call(Operation::Progress, 1, move |inner| async move {
            inner.progress(partition).await
        })
        .await
    }

    async fn apply(&self, step: &FoldStep) -> Result<Applied, PortError> {
        self.call(Operation::Apply, step.ballots.len(), |inner| {
            let step = step.clone();
            async move { inner.apply(&step).await }
        })
        .await
    }

    async fn dry_run(&self, step: &FoldStep) -> Result<(), PortError> {
        self.call(Operation::DryRun, step.ballots.len(), |inner| {
            let step = step.clone();
            async move { inner.dry_run(&step).await }
        })
        .await
    }

    async fn tallies(&self, candidates: &[Candidate]) -> Result<Vec<StoredTally>, PortError> {
        self.call(Operation::Tallies, candidates.len(), |inner| {
            let candidates = candidates.to_vec();
            async move { inner.tallies(&candidates).await }
        })
        .await
    }

    async fn leaders(&self, first: usize) -> Result<Vec<Tally>, PortError> {
        self.call(Operation::Leaders, 1, move |inner| async move {
            inner.leaders(first).await
        })
        .await
    }

    async fn ballot(&self, id: BallotId) -> Result<Option<Fate>, PortError> {
        self.call(Operation::Ballot, 1, move |inner| async move {
            inner.ballot(id).await
        })
        .await
    }

    async fn recount(&self) -> Result<Recount, PortError> {
        self.call(Operation::Recount, 1, |inner| async move {
            inner.recount().await
        })
        .await
    }

    async fn stored_ballots(
        &self,
        ids: &[BallotId],
    ) -> Result<Vec<Option<StoredBallot>>, PortError> {
        self.call(Operation::StoredBallots, ids.len(), |inner| {
            let ids = ids.to_vec();
            async move { inner.stored_ballots(&ids).await }
        })
        .await
    }
}
