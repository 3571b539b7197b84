//! A whole CAST in one process, started with one line.
#![cfg(feature = "memory")]

use std::{collections::HashSet, time::Duration};

use cast_core::{
    Cast,
    domain::{Ballot, BallotId, Candidate, Fate, Outcome, Receipt, Version},
};

const VOTERS: u64 = 50;

fn ballot_id(number: u64) -> BallotId {
    format!("{:032x}", u128::from(number) + 1)
        .parse()
        .expect("an id")
}

/// Votes for alice; retries if the ticket expired or was used up in between.
async fn vote(cast: &Cast, number: u64) -> Receipt {
    loop {
        let ticket = cast.current_ticket().await.expect("a ticket");
        let ballot = Ballot::new(ticket.id).select("alice", 2).expect("a ballot");
        match cast.vote(ballot.with_id(ballot_id(number))).await {
            Ok(Outcome::Accepted(receipt)) => return receipt,
            Ok(Outcome::Refused { why, .. }) if why.is_retryable() => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn until_counted(cast: &Cast, number: u64) {
    let counted = async {
        loop {
            let fate = cast.ballot(ballot_id(number)).await.expect("a fate");
            if matches!(fate, Some(Fate::Counted(_))) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), counted)
        .await
        .expect("counted in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_votes_are_shown_at_once_and_stored() {
    let cast = cast_adapters::memory::start().await.expect("started");
    let voters: Vec<_> = (0..VOTERS)
        .map(|number| {
            let cast = cast.clone();
            tokio::spawn(async move { vote(&cast, number).await })
        })
        .collect();
    let mut positions = HashSet::new();
    for voter in voters {
        let receipt = voter.await.expect("no panic");
        assert!(
            !receipt.stale && receipt.tallies[0].votes >= 2,
            "{receipt:?}"
        );
        positions.insert(receipt.position.expect("this log knows where"));
    }
    let again = vote(&cast, 0).await;
    assert!(again.repeated);

    for number in 0..VOTERS {
        until_counted(&cast, number).await;
    }
    let alice = [Candidate::new("alice").expect("a name")];
    let shown = cast.tallies(&alice).await.expect("a tally");
    assert_eq!(shown[0].votes, 2 * VOTERS);
    assert!(shown[0].version >= Version::new(positions.len() as u64));
    let leaders = cast.leaderboard(1).await.expect("leaders");
    assert_eq!(leaders[0].votes, 2 * VOTERS);
    cast.shutdown().await;
}
