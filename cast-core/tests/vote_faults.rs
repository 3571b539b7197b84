//! Votes when a port fails: the answer is true, and a retry counts once.

mod world;

use std::{sync::Arc, time::Duration};

use cast_core::{
    Cast, FaultKind, IntakeLoad, Ports,
    domain::{Ballot, Outcome, Receipt},
};
use cast_testkit::faults::{Fault, FaultPlan, Gate, Moment, Operation};
use world::{World, ballot, current, id, receipt, votes_of};

struct Faulty {
    world: World,
    plan: Arc<FaultPlan>,
    cast: Cast,
}

async fn faulty() -> Faulty {
    let world = World::new(2);
    let plan = FaultPlan::quiet(world.clock.clone());
    let cast = world.api_over(world.ports().intercepted(&plan)).await;
    Faulty { world, plan, cast }
}

impl Faulty {
    async fn ballot(&self, number: u128) -> Ballot {
        ballot(current(&self.cast).await, "alice", 1).with_id(id(number))
    }

    /// The kind of fault that a ballot ends with; silence is waited out on the test's clock.
    async fn fault_of(&self, ballot: Ballot) -> FaultKind {
        let vote = self.cast.vote(ballot);
        let passing = async {
            loop {
                self.world.clock.until_sleepers(1).await;
                self.world.clock.advance(Duration::from_secs(1));
            }
        };
        let answer = tokio::select! { answer = vote => answer, () = passing => unreachable!() };
        let fault = answer.expect_err("a fault");
        assert!(fault.is_retryable());
        assert_eq!(fault.ballot(), Some(id(1)), "it names the ballot");
        fault.kind()
    }

    /// The receipt of a vote that is accepted.
    async fn vote(&self, number: u128) -> Receipt {
        let answer = self.cast.vote(self.ballot(number).await).await;
        receipt(answer.expect("an answer"))
    }

    /// Time passes until the store is asked again for the voters' sake.
    fn until_store_is_asked_again(&self) {
        let pause = self.world.settings.tallies.store_pause;
        self.world.clock.advance(pause);
    }

    async fn uses_left(&self) -> u32 {
        let current = self.cast.current_ticket().await;
        current.expect("a ticket").uses_left
    }

    async fn counted(&self) -> u64 {
        self.world.drain().await;
        votes_of(&self.cast, "alice").await
    }
}

#[tokio::test]
async fn a_redemption_that_fails_in_any_way_is_unavailable_and_nothing_is_published() {
    for fault in [
        Fault::Refused,
        Fault::Lost,
        Fault::LostNoReply,
        Fault::DoneOutcomeUnknown,
        Fault::DoneNoReply,
    ] {
        let faulty = faulty().await;
        faulty.plan.next(Operation::Redeem, fault);
        let ballot = faulty.ballot(1).await;
        assert_eq!(
            faulty.fault_of(ballot).await,
            FaultKind::Unavailable,
            "{fault:?}"
        );
        assert_eq!(faulty.counted().await, 0, "{fault:?}");
        faulty.vote(1).await;
        assert_eq!(faulty.counted().await, 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_publish_that_was_not_sent_is_unavailable_and_wastes_a_use() {
    let faulty = faulty().await;
    faulty.plan.next(Operation::Publish, Fault::Refused);
    let ballot = faulty.ballot(1).await;
    assert_eq!(faulty.fault_of(ballot).await, FaultKind::Unavailable);
    assert_eq!(faulty.uses_left().await, 99);
    assert_eq!(faulty.counted().await, 0);
}

#[tokio::test]
async fn a_publish_that_may_have_happened_is_unknown_and_the_retry_counts_once() {
    for fault in [
        Fault::Lost,
        Fault::LostNoReply,
        Fault::DoneOutcomeUnknown,
        Fault::DoneNoReply,
    ] {
        let faulty = faulty().await;
        faulty.plan.next(Operation::Publish, fault);
        let ballot = faulty.ballot(1).await;
        assert_eq!(
            faulty.fault_of(ballot).await,
            FaultKind::OutcomeUnknown,
            "{fault:?}"
        );
        assert!(faulty.vote(1).await.repeated, "{fault:?}");
        assert_eq!(faulty.counted().await, 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_retry_that_is_not_sent_is_still_unknown_for_the_first_may_be_in_the_log() {
    let faulty = faulty().await;
    faulty
        .plan
        .next(Operation::Publish, Fault::DoneOutcomeUnknown);
    faulty.plan.next(Operation::Publish, Fault::Refused);
    let (first, again) = (faulty.ballot(1).await, faulty.ballot(1).await);
    assert_eq!(faulty.fault_of(first).await, FaultKind::OutcomeUnknown);
    assert_eq!(faulty.fault_of(again).await, FaultKind::OutcomeUnknown);
    assert_eq!(faulty.counted().await, 1);
}

/// The one case in which a counter that works shows more than there are votes. It cannot be helped
/// without asking the counter for each ballot, and lasts until the second record is folded too.
#[tokio::test]
async fn a_retry_that_overtakes_its_first_sending_shows_twice_until_both_are_folded() {
    let (world, gate, slow) = held(8, 1).await;
    let quick = world.api().await;
    let alice = ballot(current(&quick).await, "alice", 1).with_id(id(1));
    let first = spawn_vote(&slow, alice.clone());
    until_flushing(&gate).await;
    let retry = receipt(quick.vote(alice).await.expect("an answer"));
    assert!(retry.repeated, "the first sending took the use");
    world.drain().await;
    assert_eq!(world.counted("alice").await, 1);

    gate.open(Operation::Publish, Moment::Before);
    assert!(!accepted(first).await.repeated);
    assert_eq!(
        world.counted("alice").await,
        2,
        "its pending votes, and the retry"
    );
    world.drain().await;
    assert_eq!(world.counted("alice").await, 1);
}

#[tokio::test]
async fn a_vote_succeeds_without_the_counter_and_says_so() {
    let faulty = faulty().await;
    faulty.vote(1).await;
    faulty.world.drain().await;
    faulty.plan.always(Operation::Record, Fault::Refused);
    faulty.plan.always(Operation::Read, Fault::Refused);
    let receipt = faulty.vote(2).await;
    assert!(receipt.stale);
    assert_eq!(receipt.tallies[0].votes, 1, "what the store has");
    faulty.plan.clear();
    assert_eq!(faulty.counted().await, 2);
}

#[tokio::test]
async fn a_vote_succeeds_without_counter_and_store_and_shows_itself() {
    let faulty = faulty().await;
    for operation in [Operation::Record, Operation::Read, Operation::Tallies] {
        faulty.plan.always(operation, Fault::Refused);
    }
    let receipt = faulty.vote(1).await;
    assert!(receipt.stale);
    assert_eq!(receipt.tallies[0].votes, 1);
}

#[tokio::test]
async fn a_name_that_neither_counter_nor_store_can_tell_of_is_unavailable_not_zero() {
    let faulty = faulty().await;
    faulty.vote(1).await;
    assert_eq!(faulty.counted().await, 1);
    faulty.world.counter.forget();
    faulty.plan.next(Operation::Tallies, Fault::Refused);
    let alice = [world::candidate("alice")];
    let fault = faulty.cast.tallies(&alice).await.expect_err("not a number");
    assert_eq!(fault.kind(), FaultKind::Unavailable);
    let leaders = faulty.cast.leaderboard(1).await.expect("the store's tally");
    assert_eq!(leaders[0].votes, 1);
    faulty.until_store_is_asked_again();
    assert_eq!(votes_of(&faulty.cast, "alice").await, 1);
}

#[tokio::test]
async fn a_counter_that_cannot_be_reconciled_is_no_reason_to_hide_what_the_store_answered() {
    let faulty = faulty().await;
    faulty.vote(1).await;
    assert_eq!(faulty.counted().await, 1);
    faulty.world.counter.forget();
    faulty.plan.next(Operation::Reconcile, Fault::Refused);
    assert_eq!(votes_of(&faulty.cast, "alice").await, 1);
}

#[tokio::test]
async fn a_store_that_is_down_is_not_waited_for_by_every_vote() {
    let faulty = faulty().await;
    faulty.plan.always(Operation::Tallies, Fault::Refused);
    for number in 1..=5 {
        assert!(faulty.vote(number).await.stale);
    }
    assert_eq!(faulty.plan.injected_in_all(Fault::Refused), 1);
    faulty.plan.clear();
    faulty.until_store_is_asked_again();
    let refreshed = faulty.vote(6).await;
    assert!(!refreshed.stale);
    assert_eq!(refreshed.tallies[0].votes, 6);
}

/// A vote service on one slow log: flushes wait until the test releases them.
async fn held(intake_capacity: usize, flushes_in_flight: usize) -> (World, Arc<Gate>, Cast) {
    let mut world = World::new(1);
    world.settings.ingest.intake_capacity = intake_capacity;
    world.settings.ingest.flushes_in_flight = flushes_in_flight;
    // Less than a ticket lasts.
    world.settings.ingest.max_wait = Duration::from_secs(1);
    let gate = Gate::new();
    let ports: Ports = world.ports().intercepted(&gate);
    let cast = world.api_over(ports).await;
    gate.close(Operation::Publish, Moment::Before);
    (world, gate, cast)
}

/// Waits until a flush waits for the log.
async fn until_flushing(gate: &Gate) {
    let (operation, moment) = (Operation::Publish, Moment::Before);
    gate.until_waiting(operation, moment, 1).await;
}

async fn accepted(vote: tokio::task::JoinHandle<VoteAnswer>) -> Receipt {
    receipt(vote.await.expect("no panic").expect("an answer"))
}

fn spawn_vote(cast: &Cast, ballot: Ballot) -> tokio::task::JoinHandle<VoteAnswer> {
    let cast = cast.clone();
    tokio::spawn(async move { cast.vote(ballot).await })
}

type VoteAnswer = Result<Outcome, cast_core::Fault>;

#[tokio::test]
async fn a_full_intake_answers_overloaded_at_once_and_keeps_what_it_has() {
    let (world, gate, cast) = held(2, 1).await;
    let ticket = current(&cast).await;
    let load = |waiting| IntakeLoad {
        waiting,
        capacity: 2,
    };
    assert_eq!(cast.intake(), load(0));
    let first = spawn_vote(&cast, ballot(ticket, "alice", 1));
    until_flushing(&gate).await;
    let waiting: Vec<_> = (0..2)
        .map(|_| spawn_vote(&cast, ballot(ticket, "alice", 1)))
        .collect();
    tokio::task::yield_now().await;
    assert_eq!(cast.intake(), load(2));

    let fault = cast
        .vote(ballot(ticket, "alice", 1))
        .await
        .expect_err("full");
    assert_eq!(fault.kind(), FaultKind::Overloaded);
    assert!(fault.is_retryable());

    gate.open(Operation::Publish, Moment::Before);
    for vote in waiting.into_iter().chain([first]) {
        accepted(vote).await;
    }
    assert_eq!(cast.current_ticket().await.expect("a ticket").uses_left, 97);
    world.drain().await;
    assert_eq!(votes_of(&cast, "alice").await, 3);
}

#[tokio::test]
async fn a_ballot_that_waited_too_long_for_a_flush_is_answered_overloaded_and_loses_nothing() {
    let (world, gate, cast) = held(8, 1).await;
    let ticket = current(&cast).await;
    let first = spawn_vote(&cast, ballot(ticket, "alice", 1));
    until_flushing(&gate).await;
    let late = spawn_vote(&cast, ballot(ticket, "alice", 1).with_id(id(9)));
    tokio::task::yield_now().await;
    world
        .clock
        .advance(world.settings.ingest.max_wait + Duration::from_millis(1));
    gate.open(Operation::Publish, Moment::Before);
    accepted(first).await;
    let fault = late.await.expect("no panic").expect_err("too late");
    assert_eq!(
        (fault.kind(), fault.ballot()),
        (FaultKind::Overloaded, Some(id(9)))
    );
    world.drain().await;
    assert_eq!(votes_of(&cast, "alice").await, 1);
}

#[tokio::test]
async fn who_waited_just_as_long_as_a_ballot_may_is_flushed() {
    let (world, gate, cast) = held(8, 1).await;
    let ticket = current(&cast).await;
    let first = spawn_vote(&cast, ballot(ticket, "alice", 1));
    until_flushing(&gate).await;
    let just_in_time = spawn_vote(&cast, ballot(ticket, "alice", 1));
    tokio::task::yield_now().await;
    world.clock.advance(world.settings.ingest.max_wait);
    gate.open(Operation::Publish, Moment::Before);
    accepted(first).await;
    accepted(just_in_time).await;
}

#[tokio::test]
async fn a_voter_who_hangs_up_before_the_flush_has_not_voted_and_one_after_it_has() {
    let (world, gate, cast) = held(8, 1).await;
    let ticket = current(&cast).await;
    let in_flush = spawn_vote(&cast, ballot(ticket, "alice", 1));
    until_flushing(&gate).await;
    let in_intake = spawn_vote(&cast, ballot(ticket, "bob", 1));
    tokio::task::yield_now().await;
    for vote in [in_flush, in_intake] {
        vote.abort();
        assert!(vote.await.expect_err("aborted").is_cancelled());
    }
    gate.open(Operation::Publish, Moment::Before);
    cast.shutdown().await;
    world.drain().await;
    assert_eq!(
        [votes_of(&cast, "alice").await, votes_of(&cast, "bob").await],
        [1, 0]
    );
}

#[tokio::test]
async fn a_drain_answers_what_was_taken_in_and_takes_nothing_new() {
    let (world, gate, cast) = held(8, 1).await;
    let ticket = current(&cast).await;
    let votes: Vec<_> = (0..5)
        .map(|_| spawn_vote(&cast, ballot(ticket, "alice", 1)))
        .collect();
    until_flushing(&gate).await;
    let shutdown = {
        let cast = cast.clone();
        tokio::spawn(async move { cast.shutdown().await })
    };
    tokio::task::yield_now().await;
    let fault = cast
        .vote(ballot(ticket, "alice", 1))
        .await
        .expect_err("closed");
    assert_eq!(fault.kind(), FaultKind::Unavailable);
    gate.open(Operation::Publish, Moment::Before);
    for vote in votes {
        accepted(vote).await;
    }
    shutdown.await.expect("no panic");
    world.drain().await;
    assert_eq!(votes_of(&cast, "alice").await, 5);
}

#[tokio::test]
async fn a_drain_waits_for_the_flushes_that_are_under_way() {
    let (world, gate, cast) = held(8, 2).await;
    let vote = spawn_vote(&cast, ballot(current(&cast).await, "alice", 1));
    until_flushing(&gate).await;
    let mut shutdown = {
        let cast = cast.clone();
        tokio::spawn(async move { cast.shutdown().await })
    };
    // Nothing waits in the intake, and a slot is free: only the flush is left.
    let early = cast_testkit::dropped_after(10, &mut shutdown).await;
    assert!(early.is_none(), "it did not wait");
    gate.open(Operation::Publish, Moment::Before);
    accepted(vote).await;
    shutdown.await.expect("no panic");
    world.drain().await;
    assert_eq!(votes_of(&cast, "alice").await, 1);
}
