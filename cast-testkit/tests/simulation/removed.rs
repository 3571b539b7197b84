//! The memory adapters with one mechanism taken out.
//!
//! The broken adapters of `tests/broken` break clauses; most of them would be noticed here for another reason first.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use cast_adapters::memory::MemoryCounter;
use cast_core::{
    domain::{
        AppliedTotal, BallotId, Candidate, Claim, FoldStep, GenuineTicket, LogPosition, Offset,
        Partition, Progress, Record, Redemption, RedemptionRefusal,
    },
    ports::{
        Applied, Checkpoint, EventBus, ForwardingEventBus, ForwardingTicketSource,
        ForwardingVoteCounter, ForwardingVoteStore, GroupName, PendingVotes, PortError, Published,
        Reading, ResumeFrom, Subscription, TicketSource, VoteCounter, VoteStore,
    },
};
use cast_testkit::simulation::{Deployment, Opening};
use parking_lot::Mutex;

use crate::memory::InMemory;

/// What is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removed {
    Fence,
    Dedup,
    PositionsOfPendingVotes,
    ProgressOfTheStore,
    ReconcilingOnlyIfNewer,
    IdsOfBallots,
    LimitOfUses,
    DurableLog,
}

impl Removed {
    pub(crate) fn from(self, opening: &Opening) -> Arc<dyn Deployment> {
        let mut memory = InMemory::open(opening);
        let ports = &mut memory.ports;
        match self {
            Self::Fence => ports.store = Arc::new(Unfenced(Arc::clone(&ports.store))),
            Self::Dedup => {
                ports.store = Arc::new(Doubling {
                    inner: Arc::clone(&ports.store),
                    seen: Mutex::default(),
                    disguises: Disguises::default(),
                });
            }
            Self::PositionsOfPendingVotes | Self::ReconcilingOnlyIfNewer => {
                ports.counter = Arc::new(CarelessCounter {
                    removed: self,
                    inner: Arc::clone(&memory.counter),
                    recordings: AtomicU32::new(0),
                    reconciled: Mutex::default(),
                });
            }
            Self::ProgressOfTheStore | Self::DurableLog => {
                let inner = Arc::clone(&ports.bus);
                ports.bus = Arc::new(CarelessLog {
                    removed: self,
                    inner,
                    published: AtomicU64::new(0),
                });
            }
            Self::IdsOfBallots | Self::LimitOfUses => {
                let inner = Arc::clone(&ports.tickets);
                ports.tickets = Arc::new(CarelessTickets {
                    removed: self,
                    inner,
                    disguises: Disguises::default(),
                });
            }
        }
        Arc::new(memory)
    }
}

/// Ids that no ballot has.
#[derive(Default)]
struct Disguises(AtomicU64);

impl Disguises {
    fn id(&self) -> BallotId {
        let number = 1 + self.0.fetch_add(1, Ordering::Relaxed);
        format!("{number:032x}").parse().expect("a UUID")
    }
}

/// Applies a step at any progress.
struct Unfenced(Arc<dyn VoteStore>);

/// Counts a ballot each time that the log has it.
struct Doubling {
    inner: Arc<dyn VoteStore>,
    seen: Mutex<BTreeSet<BallotId>>,
    disguises: Disguises,
}

#[async_trait]
impl ForwardingVoteStore for Unfenced {
    fn inner(&self) -> &dyn VoteStore {
        &*self.0
    }

    async fn apply(&self, step: &FoldStep) -> Result<Applied, PortError> {
        self.0.apply(&self.unfenced(step).await?).await
    }
}

#[async_trait]
impl ForwardingVoteStore for Doubling {
    fn inner(&self) -> &dyn VoteStore {
        &*self.inner
    }

    async fn apply(&self, step: &FoldStep) -> Result<Applied, PortError> {
        self.inner.apply(&self.doubled(step).await?).await
    }
}

impl Unfenced {
    async fn unfenced(&self, step: &FoldStep) -> Result<FoldStep, PortError> {
        let start = self.0.progress(step.partition).await?.next;
        let next = step.next.max(start);
        Ok(FoldStep {
            start,
            next,
            ..step.clone()
        })
    }
}

impl Doubling {
    async fn doubled(&self, step: &FoldStep) -> Result<FoldStep, PortError> {
        let progress = self.inner.progress(step.partition).await?.next;
        let mut step = step.clone();
        if step.start == progress {
            let mut seen = self.seen.lock();
            for positioned in &mut step.ballots {
                if !seen.insert(positioned.ballot.id) {
                    positioned.ballot.id = self.disguises.id();
                }
            }
        }
        Ok(step)
    }
}

struct CarelessCounter {
    removed: Removed,
    inner: Arc<MemoryCounter>,
    recordings: AtomicU32,
    /// What was reconciled last.
    reconciled: Mutex<BTreeMap<Candidate, BTreeMap<Partition, AppliedTotal>>>,
}

impl CarelessCounter {
    /// The same votes where nothing was ever recorded or reconciled.
    fn anywhere(&self, pending: &PendingVotes) -> PendingVotes {
        let number = self.recordings.fetch_add(1, Ordering::Relaxed);
        let position = LogPosition {
            partition: Partition::new(1_000 + number),
            offset: Offset::START,
        };
        PendingVotes {
            position,
            ..pending.clone()
        }
    }

    /// The totals of a candidate if a checkpoint is applied whose age is not compared; `None` if it is not
    /// older than those before.
    fn rolled_back(&self, checkpoint: &Checkpoint) -> Option<Checkpoint> {
        let mut reconciled = self.reconciled.lock();
        let reconciled = reconciled.entry(checkpoint.candidate.clone()).or_default();
        let mut is_older = false;
        for total in &checkpoint.applied_totals {
            let before = reconciled.insert(total.partition, *total);
            is_older |= before.is_some_and(|before| total.as_of < before.as_of);
        }
        is_older.then(|| Checkpoint {
            candidate: checkpoint.candidate.clone(),
            applied_totals: reconciled.values().copied().collect(),
            // So that it is not loaded from the store at once.
            whole: true,
        })
    }
}

#[async_trait]
impl ForwardingVoteCounter for CarelessCounter {
    fn inner(&self) -> &dyn VoteCounter {
        &*self.inner
    }

    async fn record(
        &self,
        recordings: &[PendingVotes],
        show: &[Candidate],
    ) -> Result<Vec<Reading>, PortError> {
        let recordings: Vec<_> = match self.removed {
            Removed::PositionsOfPendingVotes => recordings
                .iter()
                .map(|pending| self.anywhere(pending))
                .collect(),
            _ => recordings.to_vec(),
        };
        self.inner.record(&recordings, show).await
    }

    async fn reconcile(&self, checkpoints: &[Checkpoint]) -> Result<(), PortError> {
        if self.removed != Removed::ReconcilingOnlyIfNewer {
            return self.inner.reconcile(checkpoints).await;
        }
        for checkpoint in checkpoints {
            let mut checkpoint = checkpoint.clone();
            if let Some(older) = self.rolled_back(&checkpoint) {
                self.inner.forget_candidate(&checkpoint.candidate);
                checkpoint = older;
            }
            self.inner.reconcile(&[checkpoint]).await?;
        }
        Ok(())
    }
}

struct CarelessLog {
    removed: Removed,
    inner: Arc<dyn EventBus>,
    published: AtomicU64,
}

/// A log that loses a record loses one of so many.
const LOSES_EVERY: u64 = 8;

#[async_trait]
impl ForwardingEventBus for CarelessLog {
    fn inner(&self) -> &dyn EventBus {
        &*self.inner
    }

    async fn publish(&self, records: &[Record]) -> Vec<Result<Published, PortError>> {
        let number = self.published.fetch_add(1, Ordering::Relaxed);
        if self.removed == Removed::DurableLog && number % LOSES_EVERY == LOSES_EVERY - 1 {
            let lost = |record: &Record| {
                let position = Some(LogPosition {
                    partition: record.partition(),
                    offset: Offset::new(1_000_000 + number),
                });
                Ok(Published { position })
            };
            return records.iter().map(lost).collect();
        }
        self.inner.publish(records).await
    }

    async fn subscribe(
        &self,
        group: &GroupName,
        max_ballots: usize,
        resume: Arc<dyn ResumeFrom>,
    ) -> Result<Box<dyn Subscription>, PortError> {
        let resume: Arc<dyn ResumeFrom> = match self.removed {
            Removed::ProgressOfTheStore => Arc::new(FromCommit {
                group: group.clone(),
                bus: Arc::clone(&self.inner),
            }),
            _ => resume,
        };
        self.inner.subscribe(group, max_ballots, resume).await
    }
}

/// Resumes at the group's commit instead of the store's progress.
struct FromCommit {
    group: GroupName,
    bus: Arc<dyn EventBus>,
}

#[async_trait]
impl ResumeFrom for FromCommit {
    async fn resume_from(&self, partition: Partition) -> Result<Progress, PortError> {
        let lags = self.bus.lag(&self.group).await?;
        let lag = lags.into_iter().find(|lag| lag.partition == partition);
        Ok(Progress::at(lag.map_or(Offset::START, |lag| lag.committed)))
    }
}

struct CarelessTickets {
    removed: Removed,
    inner: Arc<dyn TicketSource>,
    disguises: Disguises,
}

#[async_trait]
impl ForwardingTicketSource for CarelessTickets {
    fn inner(&self) -> &dyn TicketSource {
        &*self.inner
    }

    async fn redeem(
        &self,
        ticket: &GenuineTicket,
        claims: &[Claim],
    ) -> Result<Vec<Redemption>, PortError> {
        let mut claims = claims.to_vec();
        if self.removed == Removed::IdsOfBallots {
            let ids = claims.iter_mut().map(|claim| &mut claim.ballot);
            ids.for_each(|id| *id = self.disguises.id());
        }
        let mut redemptions = self.inner.redeem(ticket, &claims).await?;
        if self.removed == Removed::LimitOfUses {
            let exhausted = Redemption::Refused(RedemptionRefusal::Exhausted);
            let beyond = redemptions.iter_mut().filter(|one| **one == exhausted);
            beyond.for_each(|one| *one = Redemption::Granted);
        }
        Ok(redemptions)
    }
}
