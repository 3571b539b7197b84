//! A transfer: all votes of one store arrive in another deployment, once, whatever fails on the way.

#[path = "world/mod.rs"]
mod world;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use cast_adapters::memory::MemoryStore;
use cast_core::{
    Destination, NumberedBallot, NumberedCandidate, NumberedRejection, Origin, Ports, Stage,
    Transfer, TransferError, TransferReport, TransferSettings,
    domain::{
        Candidate, LogPosition, LoggedBallot, Offset, Partition, PositionedBallot, Rejection,
        Timestamp,
    },
    ports::{ForwardingVoteStore, PortError, VoteStore},
};
use cast_testkit::{
    eventually,
    faults::{Fault, FaultPlan, Operation},
    fixtures::{self, Fixtures},
};
use futures_util::FutureExt as _;
use world::World;

const DEADLINE: Duration = Duration::from_secs(20);
const P0: Partition = Partition::new(0);

/// A store whose contents can be listed.
struct Listed {
    store: MemoryStore,
    ballots: Vec<LoggedBallot>,
    candidates: Vec<Candidate>,
    rejected: LoggedBallot,
}

impl Listed {
    async fn of(fixtures: &Fixtures, count: usize) -> Self {
        let names = ["alice", "bob", "carol"];
        let candidates = names.map(|name| fixtures.candidate(name)).to_vec();
        let vote = |(candidate, votes)| fixtures.ballot(&[(candidate, votes)]);
        let votes = candidates.iter().cycle().zip((1..=5).cycle());
        let ballots: Vec<_> = votes.map(vote).take(count).collect();
        let store = MemoryStore::new();
        let counted = (0..).zip(ballots.clone());
        let end = u64::try_from(count).expect("a count");
        let step = fixtures::step(P0, (0, end), counted);
        store.apply(&step).await.expect("applied");
        Self {
            store,
            ballots,
            rejected: fixtures.ballot(&[(&candidates[0], 9)]),
            candidates,
        }
    }
}

fn page<T, R>(all: &[T], after: u64, max: usize, row: impl Fn(u64, &T) -> R) -> Vec<R> {
    let numbered = (1..).zip(all).filter(|(number, _)| *number > after);
    numbered
        .take(max)
        .map(|(number, one)| row(number, one))
        .collect()
}

#[async_trait]
impl Origin for Listed {
    async fn counted(&self) -> Result<u64, PortError> {
        Ok(self.ballots.len() as u64)
    }

    async fn ballots(&self, after: u64, max: usize) -> Result<Vec<NumberedBallot>, PortError> {
        Ok(page(&self.ballots, after, max, |number, ballot| {
            NumberedBallot {
                number,
                position: LogPosition {
                    partition: P0,
                    offset: Offset::new(number - 1),
                },
                ballot: ballot.clone(),
            }
        }))
    }

    async fn candidates(
        &self,
        after: u64,
        max: usize,
    ) -> Result<Vec<NumberedCandidate>, PortError> {
        Ok(page(&self.candidates, after, max, |number, candidate| {
            NumberedCandidate {
                number,
                candidate: candidate.clone(),
            }
        }))
    }

    async fn rejections(
        &self,
        after: u64,
        max: usize,
    ) -> Result<Vec<NumberedRejection>, PortError> {
        let rejected = [&self.rejected];
        Ok(page(&rejected, after, max, |number, ballot| {
            let positioned = PositionedBallot {
                offset: Offset::new(7),
                ballot: (*ballot).clone(),
            };
            NumberedRejection {
                number,
                partition: P0,
                rejection: Rejection::of_ballot(positioned, "too many"),
                rejected_at: Timestamp::default(),
            }
        }))
    }
}

impl ForwardingVoteStore for Listed {
    fn inner(&self) -> &dyn VoteStore {
        &self.store
    }
}

#[derive(Default)]
struct Imported {
    candidates: Mutex<Vec<NumberedCandidate>>,
    rejections: Mutex<Vec<NumberedRejection>>,
}

#[async_trait]
impl Destination for Imported {
    async fn import_candidates(&self, candidates: &[NumberedCandidate]) -> Result<(), PortError> {
        self.candidates
            .lock()
            .expect("unpoisoned")
            .extend_from_slice(candidates);
        Ok(())
    }

    async fn import_rejections(&self, rejections: &[NumberedRejection]) -> Result<(), PortError> {
        self.rejections
            .lock()
            .expect("unpoisoned")
            .extend_from_slice(rejections);
        Ok(())
    }
}

struct Move {
    origin: Arc<Listed>,
    world: World,
    imported: Arc<Imported>,
    stages: Mutex<Vec<Stage>>,
}

impl Move {
    /// Of 25 ballots into four partitions, eight rows at a time.
    async fn new() -> Self {
        let fixtures = Fixtures::new();
        Self {
            origin: Arc::new(Listed::of(&fixtures, 25).await),
            world: World::new(4),
            imported: Arc::default(),
            stages: Mutex::default(),
        }
    }

    async fn run(&self, target: Ports, published: u64) -> Result<TransferReport, TransferError> {
        let settings = TransferSettings {
            max_rows: 8,
            ..TransferSettings::default()
        };
        let origin = Arc::clone(&self.origin);
        let transfer = Transfer::new(origin, target, self.imported.clone(), settings);
        let note = |stage| self.stages.lock().expect("unpoisoned").push(stage);
        let mut running = Box::pin(transfer.run(published, &note));
        let ended = eventually(DEADLINE, "the transfer to end", || {
            // Every pause is one of this clock.
            self.world.clock.advance(Duration::from_millis(100));
            std::future::ready(running.as_mut().now_or_never())
        });
        ended.await
    }

    async fn assert_moved(&self) {
        let votes = self
            .origin
            .store
            .recount()
            .await
            .expect("recounted")
            .votes();
        let moved = self.world.store.recount().await.expect("recounted").votes();
        assert_eq!(moved, votes);
    }

    fn published(&self) -> Vec<u64> {
        let stages = self.stages.lock().expect("unpoisoned");
        let numbers = stages.iter().filter_map(|stage| match stage {
            Stage::Published(number) => Some(*number),
            _ => None,
        });
        numbers.collect()
    }
}

#[tokio::test]
async fn every_ballot_is_moved_with_what_the_log_cannot_bring() {
    let it = Move::new().await;
    let report = it.run(it.world.ports(), 0).await.expect("moved");
    it.assert_moved().await;
    let votes = it.origin.store.recount().await.expect("recounted").votes();
    let expected = TransferReport {
        ballots: 25,
        candidates: 3,
        votes: votes.iter().map(|(_, votes)| votes).sum(),
        rejections: 1,
    };
    assert_eq!(report, expected);
    assert_eq!(it.published(), [8, 16, 24, 25]);
    let names = it.imported.candidates.lock().expect("unpoisoned").clone();
    let numbers: Vec<_> = names.iter().map(|named| named.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    let rejected = it.imported.rejections.lock().expect("unpoisoned").clone();
    assert_eq!(rejected[0].rejection.reason(), "too many");
}

#[tokio::test]
async fn a_transfer_that_is_run_again_goes_on_and_counts_nothing_twice() {
    let it = Move::new().await;
    let plan = FaultPlan::quiet(it.world.clock.clone());
    let target = it.world.ports().intercepted(&plan);
    plan.always(Operation::Apply, Fault::Refused);
    let interrupted = it
        .run(target.clone(), 0)
        .await
        .expect_err("the store does not answer");
    assert!(
        interrupted
            .to_string()
            .contains("folding the log to its end"),
        "{interrupted}"
    );
    plan.clear();
    it.run(target.clone(), 16).await.expect("moved");
    it.assert_moved().await;
    it.run(target, 0).await.expect("moved again");
    it.assert_moved().await;
}

#[tokio::test]
async fn a_publish_whose_outcome_is_unknown_is_repeated() {
    for fault in [
        Fault::Lost,
        Fault::DoneOutcomeUnknown,
        Fault::LostNoReply,
        Fault::Refused,
    ] {
        let it = Move::new().await;
        let plan = FaultPlan::quiet(it.world.clock.clone());
        plan.next(Operation::Publish, fault);
        let target = it.world.ports().intercepted(&plan);
        it.run(target, 0).await.expect("moved");
        it.assert_moved().await;
    }
}

#[tokio::test]
async fn what_was_published_into_a_target_that_is_gone_is_published_again() {
    let it = Move::new().await;
    it.run(it.world.ports(), 25).await.expect("moved");
    it.assert_moved().await;
}

#[tokio::test]
async fn a_target_with_votes_of_its_own_is_refused_and_left_alone() {
    let it = Move::new().await;
    let fixtures = Fixtures::new();
    let foreign = fixtures.ballot(&[(&fixtures.candidate("dave"), 1)]);
    it.world.append(P0, vec![foreign.clone()]).await;
    let refused = it.run(it.world.ports(), 0).await.expect_err("refused");
    assert!(matches!(refused, TransferError::Occupied(_)), "{refused}");
    assert!(
        refused.to_string().contains(&foreign.id.to_string()),
        "{refused}"
    );
    assert!(
        it.imported
            .candidates
            .lock()
            .expect("unpoisoned")
            .is_empty()
    );
    assert!(it.published().is_empty());
}

#[tokio::test]
async fn a_target_with_a_ballot_of_the_same_id_and_other_contents_is_refused() {
    let it = Move::new().await;
    let mut altered = it.origin.ballots[3].clone();
    altered.selections = it.origin.ballots[4].selections.clone();
    it.world.append(P0, vec![altered]).await;
    let refused = it.run(it.world.ports(), 0).await.expect_err("refused");
    assert!(matches!(refused, TransferError::Occupied(_)), "{refused}");
}

#[tokio::test]
async fn a_store_that_is_ahead_of_its_log_is_refused() {
    let it = Move::new().await;
    let step = fixtures::step(P0, (0, 3), []);
    it.world.store.apply(&step).await.expect("applied");
    let refused = it.run(it.world.ports(), 0).await.expect_err("refused");
    assert!(matches!(refused, TransferError::Occupied(_)), "{refused}");
}

/// A store that counts nothing of the first step of partition 0.
struct Forgetful {
    inner: Arc<MemoryStore>,
}

#[async_trait]
impl ForwardingVoteStore for Forgetful {
    fn inner(&self) -> &dyn VoteStore {
        &*self.inner
    }

    async fn apply(
        &self,
        step: &cast_core::domain::FoldStep,
    ) -> Result<cast_core::ports::Applied, PortError> {
        let mut step = step.clone();
        if step.start == Offset::START {
            step.ballots.pop();
        }
        self.inner.apply(&step).await
    }
}

#[tokio::test]
async fn a_ballot_that_did_not_arrive_is_named() {
    let it = Move::new().await;
    let mut target = it.world.ports();
    target.store = Arc::new(Forgetful {
        inner: it.world.store.clone(),
    });
    let differs = it.run(target, 0).await.expect_err("a ballot is missing");
    assert!(matches!(differs, TransferError::Differs(_)), "{differs}");
    assert!(
        differs.to_string().contains("is missing there"),
        "{differs}"
    );
}
