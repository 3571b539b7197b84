//! Showing tallies: what the counter lost is loaded, what is old is loaded again, and no more.

mod world;

use std::{sync::Arc, time::Duration};

use cast_core::{
    domain::{AppliedTotal, Candidate, LogPosition, LoggedBallot, Offset, Partition},
    ports::{Checkpoint, PendingVotes, Reading, VoteCounter as _},
};
use cast_testkit::{
    faults::{Counts, Gate, Moment, Operation},
    fixtures,
};
use world::{World, candidate, id, votes_of};

const P0: Partition = Partition::new(0);
const SOON: Duration = Duration::from_secs(20);

fn gives(number: u128, name: &str, votes: u32) -> LoggedBallot {
    fixtures::ballot(id(number), &[(&candidate(name), votes)])
}

/// The counter's reading of a candidate.
async fn reading(world: &World, name: &str) -> Reading {
    let readings = world.counter.read(&[candidate(name)]).await;
    readings.expect("a reading").remove(0)
}

#[tokio::test]
async fn who_was_never_voted_for_takes_no_room_in_the_counter() {
    let world = World::new(1);
    let cast = world.api().await;
    assert_eq!(votes_of(&cast, "unknown").await, 0);
    assert_eq!(reading(&world, "unknown").await.age, None, "still a miss");
}

#[tokio::test]
async fn what_the_store_knows_is_in_the_counter_once_it_was_shown() {
    let world = World::new(1);
    let cast = world.api().await;
    world.append(P0, vec![gives(1, "alice", 1)]).await;
    world.drain().await;
    world.counter.forget();
    assert_eq!(votes_of(&cast, "alice").await, 1);
    assert!(reading(&world, "alice").await.age.is_some(), "a hit");
}

#[tokio::test]
async fn a_first_vote_makes_its_candidate_known_before_the_store_has_it() {
    let world = World::new(1);
    let cast = world.api().await;
    let pending = PendingVotes {
        position: LogPosition {
            partition: P0,
            offset: Offset::START,
        },
        votes: vec![(candidate("alice"), 2)],
    };
    world
        .counter
        .record(&[pending], &[])
        .await
        .expect("recorded");
    assert_eq!(reading(&world, "alice").await.age, None);
    assert_eq!(votes_of(&cast, "alice").await, 2);
    assert!(reading(&world, "alice").await.age.is_some(), "a hit");
}

/// Candidates whose tallies are whole in the counter, and old.
async fn old_tallies(world: &World, count: usize) -> Vec<Candidate> {
    let candidates: Vec<_> = (0..count).map(|n| candidate(&format!("c{n}"))).collect();
    let whole = candidates.iter().map(|candidate| Checkpoint {
        candidate: candidate.clone(),
        applied_totals: vec![AppliedTotal {
            partition: P0,
            votes: 1,
            as_of: Offset::new(1),
        }],
        whole: true,
    });
    let whole: Vec<_> = whole.collect();
    world.counter.reconcile(&whole).await.expect("reconciled");
    world.clock.advance(world.settings.tallies.refresh_after);
    candidates
}

/// Waits until so many candidates were loaded from the store.
async fn until_loaded(counts: &Counts, candidates: u64) {
    cast_testkit::eventually(SOON, "the refresher", async || {
        (counts.items(Operation::Reconcile) >= candidates).then_some(())
    })
    .await;
    assert_eq!(counts.items(Operation::Reconcile), candidates);
}

#[tokio::test]
async fn a_tally_that_is_not_old_is_not_loaded_again() {
    let world = World::new(1);
    let counts = Counts::new();
    let cast = world.api_over(world.ports().intercepted(&counts)).await;
    let candidates = old_tallies(&world, 1).await;
    cast.tallies(&candidates).await.expect("tallies");
    until_loaded(&counts, 1).await;
    let almost = world
        .settings
        .tallies
        .refresh_after
        .saturating_sub(Duration::from_millis(1));
    world.clock.advance(almost);
    cast.tallies(&candidates).await.expect("tallies");
    cast.shutdown().await;
    assert_eq!(counts.items(Operation::Reconcile), 1);
}

#[tokio::test]
async fn a_candidate_without_room_in_the_refresh_queue_is_refreshed_when_shown_next() {
    const ROOM: usize = 4_096;
    let world = World::new(1);
    let counts = Counts::new();
    let cast = world.api_over(world.ports().intercepted(&counts)).await;
    let candidates = old_tallies(&world, ROOM + 3).await;
    cast.tallies(&candidates).await.expect("tallies");
    until_loaded(&counts, ROOM as u64).await;
    cast.tallies(&candidates).await.expect("tallies");
    until_loaded(&counts, ROOM as u64 + 3).await;
}

#[tokio::test]
async fn a_candidate_that_is_being_refreshed_is_not_queried_again() {
    let world = World::new(1);
    let (counts, gate) = (Counts::new(), Gate::new());
    let ports = world.ports().intercepted(&counts).intercepted(&gate);
    let cast = world.api_over(ports).await;
    let candidates = old_tallies(&world, 1).await;
    gate.close(Operation::Tallies, Moment::Before);
    cast.tallies(&candidates).await.expect("tallies");
    gate.until_waiting(Operation::Tallies, Moment::Before, 1)
        .await;
    for _ in 0..5 {
        cast.tallies(&candidates).await.expect("tallies");
    }
    gate.open(Operation::Tallies, Moment::Before);
    until_loaded(&counts, 1).await;
    // Whatever was asked for besides would be loaded before a later one.
    let other = vec![candidate("other")];
    world.clock.advance(world.settings.tallies.refresh_after);
    let checkpoint = Checkpoint {
        candidate: other[0].clone(),
        applied_totals: Vec::new(),
        whole: true,
    };
    world
        .counter
        .reconcile(&[checkpoint])
        .await
        .expect("reconciled");
    world.clock.advance(world.settings.tallies.refresh_after);
    cast.tallies(&other).await.expect("tallies");
    until_loaded(&counts, 2).await;
}

/// A counter that comes back empty after every reading of the store must not hide the store's tally.
#[tokio::test]
async fn a_tally_that_is_forgotten_while_it_is_loaded_is_shown_as_the_store_has_it() {
    let world = Arc::new(World::new(1));
    let gate = Gate::new();
    let cast = world.api_over(world.ports().intercepted(&gate)).await;
    world.append(P0, vec![gives(1, "alice", 3)]).await;
    world.drain().await;
    world.counter.forget();
    gate.close(Operation::Reconcile, Moment::After);
    let shown = tokio::spawn({
        let cast = cast.clone();
        async move { votes_of(&cast, "alice").await }
    });
    gate.until_waiting(Operation::Reconcile, Moment::After, 1)
        .await;
    world.counter.forget();
    gate.open(Operation::Reconcile, Moment::After);
    assert_eq!(shown.await.expect("no panic"), 3);
}
