//! Votes: the answer to each ballot, and the uses that it takes.

mod world;

use std::{collections::BTreeSet, time::Duration};

use cast_core::{
    FaultKind,
    domain::{Ballot, BallotError, Fate, KeyId, KeyRing, Outcome, Refusal},
    ports::TicketSource as _,
};
use cast_testkit::{
    ManualClock,
    faults::{Counts, Operation},
};
use world::{World, ballot, candidate, current, id, receipt, refusal, votes_of};

#[tokio::test]
async fn a_vote_is_accepted_shown_logged_and_then_counted() {
    let world = World::new(3);
    let cast = world.api().await;
    let ticket = current(&cast).await;
    let two = Ballot::new(ticket).select("alice", 2).expect("a ballot");
    let two = two
        .select("bob", 3)
        .expect("a ballot")
        .by("carol")
        .expect("a ballot");
    let receipt = receipt(cast.vote(two).await.expect("an answer"));
    let shown: Vec<_> = receipt
        .tallies
        .iter()
        .map(|t| (t.candidate.as_str().to_owned(), t.votes))
        .collect();
    assert_eq!(shown, [("alice".into(), 2), ("bob".into(), 3)]);
    assert!(!receipt.repeated && !receipt.stale);
    let position = receipt.position.expect("this log knows where");
    assert_eq!(
        cast.ballot(receipt.ballot).await.expect("known"),
        Some(Fate::Logged(position))
    );

    world.drain().await;
    assert_eq!(
        cast.ballot(receipt.ballot).await.expect("known"),
        Some(Fate::Counted(position))
    );
    assert_eq!(
        [votes_of(&cast, "alice").await, votes_of(&cast, "bob").await],
        [2, 3]
    );
    assert_eq!(votes_of(&cast, "unknown").await, 0);
    let (_, logged) = world.store.ballots().remove(0);
    assert_eq!(logged.voter.expect("a voter").as_str(), "carol");
}

#[tokio::test]
async fn a_forged_or_foreign_ticket_is_invalid_and_touches_no_port() {
    let world = World::new(1);
    let counts = Counts::new();
    let cast = world.api_over(world.ports().intercepted(&counts)).await;
    let mut forged = *current(&cast).await.as_bytes();
    forged[31] ^= 1;
    let foreign = KeyRing::new([(KeyId::new(2), [1; 32])]).expect("a ring");
    let foreign = *foreign.issue(world.now(), &*world.entropy).ticket();
    counts.reset();
    for ticket in [cast_core::domain::Ticket::from_bytes(forged), foreign] {
        let answer = cast
            .vote(ballot(ticket, "alice", 1))
            .await
            .expect("an answer");
        assert_eq!(refusal(answer), Refusal::TicketInvalid);
    }
    let calls: u64 = Operation::ALL
        .iter()
        .map(|operation| counts.calls(*operation))
        .sum();
    assert_eq!(calls, 0);
}

#[tokio::test]
async fn a_ticket_expires_at_its_end_and_the_next_is_good_from_then_on() {
    let world = World::new(1);
    let cast = world.api().await;
    let ticket = current(&cast).await;
    world.clock.advance(Duration::from_millis(1_999));
    assert!(matches!(
        cast.vote(ballot(ticket, "alice", 1)).await,
        Ok(Outcome::Accepted(_))
    ));
    world.clock.advance(Duration::from_millis(1));
    let late = cast
        .vote(ballot(ticket, "alice", 1))
        .await
        .expect("an answer");
    assert_eq!(refusal(late), Refusal::TicketExpired);
    let next = current(&cast).await;
    assert!(matches!(
        cast.vote(ballot(next, "alice", 1)).await,
        Ok(Outcome::Accepted(_))
    ));
    assert_eq!(votes_of(&cast, "alice").await, 2);
}

#[tokio::test]
async fn a_ticket_old_beyond_any_skew_is_expired_without_asking() {
    let world = World::new(1);
    let counts = Counts::new();
    let cast = world.api_over(world.ports().intercepted(&counts)).await;
    let ticket = current(&cast).await;
    counts.reset();
    world
        .clock
        .advance(world.settings.tickets.ttl + world.settings.tickets.clock_skew);
    let answer = cast
        .vote(ballot(ticket, "alice", 1))
        .await
        .expect("an answer");
    assert_eq!(refusal(answer), Refusal::TicketExpired);
    assert_eq!(counts.calls(Operation::Redeem), 0);
}

#[tokio::test]
async fn a_service_with_a_wrong_clock_leaves_expiry_to_the_ticket_source() {
    let world = World::new(1);
    let ahead = std::sync::Arc::new(ManualClock::new());
    ahead.jump(world.now().plus(Duration::from_secs(6)));
    let mut ports = world.ports();
    ports.clock = ahead;
    let cast = world.api_over(ports).await;
    let ticket = world
        .tickets
        .current()
        .await
        .expect("an answer")
        .expect("a ticket")
        .id;
    assert!(matches!(
        cast.vote(ballot(ticket, "alice", 1)).await,
        Ok(Outcome::Accepted(_))
    ));
}

#[tokio::test]
async fn too_many_votes_are_refused_and_burn_no_use() {
    let world = World::new(1);
    let cast = world.api().await;
    let ticket = current(&cast).await;
    let most = cast.vote(ballot(ticket, "bob", 1_000)).await;
    assert_eq!(receipt(most.expect("an answer")).tallies[0].votes, 1_000);
    let answer = cast
        .vote(ballot(ticket, "alice", 1_001))
        .await
        .expect("an answer");
    let expected = BallotError::TooManyVotes {
        at: 0,
        limit: 1_000,
    };
    assert_eq!(refusal(answer), Refusal::BadBallot(expected));
    assert_eq!(cast.current_ticket().await.expect("a ticket").uses_left, 99);
    assert_eq!(votes_of(&cast, "alice").await, 0);
}

#[tokio::test]
async fn a_name_twice_adds_up_and_both_entries_show_the_same_tally() {
    let world = World::new(1);
    let cast = world.api().await;
    let ticket = current(&cast).await;
    let twice = ballot(ticket, "alice", 2)
        .select("alice", 3)
        .expect("a ballot");
    let receipt = receipt(cast.vote(twice).await.expect("an answer"));
    assert_eq!([receipt.tallies[0].votes, receipt.tallies[1].votes], [5, 5]);
    world.drain().await;
    assert_eq!(votes_of(&cast, "alice").await, 5);
}

#[tokio::test]
async fn the_same_id_again_is_a_duplicate_costs_nothing_and_counts_once() {
    let world = World::new(4);
    let cast = world.api().await;
    let ticket = current(&cast).await;
    let first = ballot(ticket, "alice", 1).with_id(id(77));
    assert!(!receipt(cast.vote(first.clone()).await.expect("an answer")).repeated);
    world.clock.advance(Duration::from_secs(2));
    let newer = current(&cast).await;
    for ticket in [newer, newer] {
        let again = ballot(ticket, "alice", 1).with_id(id(77));
        let receipt = receipt(cast.vote(again).await.expect("an answer"));
        assert!(receipt.repeated);
        assert_eq!(receipt.tallies[0].votes, 1);
    }
    assert_eq!(
        cast.current_ticket().await.expect("a ticket").uses_left,
        100
    );
    world.drain().await;
    assert_eq!(votes_of(&cast, "alice").await, 1);
}

#[tokio::test]
async fn the_same_id_with_other_contents_is_refused() {
    let world = World::new(1);
    let cast = world.api().await;
    let ticket = current(&cast).await;
    let first = ballot(ticket, "alice", 1).with_id(id(5));
    receipt(cast.vote(first.clone()).await.expect("an answer"));
    for other in [
        ballot(ticket, "alice", 2).with_id(id(5)),
        ballot(ticket, "bob", 1).with_id(id(5)),
        first.by("mallory").expect("a voter"),
    ] {
        let answer = cast.vote(other).await.expect("an answer");
        assert_eq!(refusal(answer), Refusal::BadBallot(BallotError::Altered));
    }
    assert_eq!(cast.current_ticket().await.expect("a ticket").uses_left, 99);
}

#[tokio::test]
async fn a_source_that_forgot_the_id_costs_a_use_and_the_ballot_still_counts_once() {
    let world = World::new(1);
    let cast = world.api().await;
    let first = ballot(current(&cast).await, "alice", 1).with_id(id(5));
    receipt(cast.vote(first).await.expect("an answer"));
    world.tickets.forget();
    world.generator().tick().await.expect("published");
    let again = ballot(current(&cast).await, "alice", 1).with_id(id(5));
    assert!(!receipt(cast.vote(again).await.expect("an answer")).repeated);
    world.drain().await;
    assert_eq!(
        votes_of(&cast, "alice").await,
        1,
        "in the store, and in the counter that reconciled"
    );
}

#[tokio::test]
async fn a_lost_meter_fails_closed_until_the_next_ticket() {
    let world = World::new(1);
    let cast = world.api().await;
    let ticket = current(&cast).await;
    world.tickets.forget_tickets();
    let answer = cast
        .vote(ballot(ticket, "alice", 1))
        .await
        .expect("an answer");
    assert_eq!(refusal(answer), Refusal::TicketInvalid);
    let fault = cast.current_ticket().await.expect_err("none is good");
    assert_eq!(fault.kind(), FaultKind::NoTicket);
    world.generator().tick().await.expect("published");
    let next = ballot(current(&cast).await, "alice", 1);
    receipt(cast.vote(next).await.expect("an answer"));
}

#[tokio::test]
async fn a_counter_that_forgot_everything_is_refreshed_by_the_next_vote_and_by_reading() {
    let world = World::new(2);
    let cast = world.api().await;
    for _ in 0..5 {
        let ticket = current(&cast).await;
        receipt(
            cast.vote(ballot(ticket, "alice", 1))
                .await
                .expect("an answer"),
        );
    }
    world.drain().await;
    world.counter.forget();
    assert_eq!(votes_of(&cast, "alice").await, 5);
    world.counter.forget();
    let sixth = ballot(current(&cast).await, "alice", 1);
    assert_eq!(
        receipt(cast.vote(sixth).await.expect("an answer")).tallies[0].votes,
        6
    );
}

#[tokio::test]
async fn leaders_come_by_votes_and_then_by_name() {
    let world = World::new(2);
    let cast = world.api().await;
    for (name, votes) in [("bob", 2), ("alice", 2), ("carol", 3), ("dave", 1)] {
        let ticket = current(&cast).await;
        receipt(
            cast.vote(ballot(ticket, name, votes))
                .await
                .expect("an answer"),
        );
    }
    world.drain().await;
    let leaders = cast.leaderboard(3).await.expect("leaders");
    let names: Vec<_> = leaders
        .iter()
        .map(|tally| tally.candidate.clone())
        .collect();
    assert_eq!(names, ["carol", "alice", "bob"].map(candidate));
}

#[tokio::test]
async fn a_refused_ballot_has_an_id_too_its_own_or_a_fresh_one() {
    let mut world = World::new(3);
    world.settings.tickets.uses = 1;
    let cast = world.api().await;
    let good = current(&cast).await;
    cast.vote(ballot(good, "alice", 1)).await.expect("accepted");
    let forged = cast_core::domain::Ticket::from_bytes([0; 32]);
    let mut fresh = BTreeSet::new();
    for ticket in [forged, good] {
        for given in [Some(id(7)), None] {
            let ballot = ballot(ticket, "alice", 1);
            let ballot = given.map_or(ballot.clone(), |id| ballot.with_id(id));
            let Outcome::Refused { ballot, .. } = cast.vote(ballot).await.expect("an answer")
            else {
                panic!("accepted");
            };
            match given {
                Some(given) => assert_eq!(ballot, given),
                None => assert!(fresh.insert(ballot), "{ballot} twice"),
            }
        }
    }
}
