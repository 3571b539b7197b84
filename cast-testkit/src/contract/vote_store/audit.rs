//! Audit.

use std::sync::Arc;

use cast_core::{
    domain::{Candidate, KeyId, LoggedBallot, TicketStamp, Timestamp, Voter},
    ports::{Recount, Recounted, StoredBallot, VoteStore},
};

use super::scenario::{P0, P1, Scenario, at, next, rejecting};
use crate::fixtures::ballot;
use crate::fixtures::step;

async fn recount(store: &dyn VoteStore) -> Recount {
    store.recount().await.expect("the store recounts")
}

pub(super) async fn recounting_gives_the_totals(scenario: Scenario<'_>) {
    let Scenario {
        fixtures,
        alice,
        bob,
        ..
    } = &scenario;
    assert_eq!(recount(&*scenario.store).await, Recount::default());
    let twice = fixtures.ballot(&[(bob, 3), (alice, 1), (bob, 4)]);
    let impostor = ballot(twice.id, &[(alice, 500)]);
    scenario
        .fold(&step(
            P0,
            (0, 5),
            [(0, twice.clone()), (2, scenario.for_alice(10))],
        ))
        .await;
    scenario
        .fold(&next(P1, 0, &[&impostor, &scenario.for_alice(100)]))
        .await;
    scenario
        .fold(&rejecting(P1, 1, &scenario.for_alice(1_000)))
        .await;
    let of = |who: &Candidate, partition, votes| Recounted {
        candidate: who.clone(),
        partition,
        votes,
        total: votes,
    };
    let recounted = recount(&*scenario.store).await;
    assert_eq!(
        recounted.counts,
        [of(alice, P0, 11), of(alice, P1, 100), of(bob, P0, 7)],
        "by candidate, then by partition"
    );
    assert_eq!(recounted.wrong_sums, []);
    let progress = [
        (P0, scenario.progress(P0).await),
        (P1, scenario.progress(P1).await),
    ];
    assert_eq!(recounted.progress, progress);
    for (who, votes) in recounted.votes() {
        assert_eq!(scenario.votes(&who).await, votes);
    }
}

pub(super) async fn a_recount_is_one_consistent_view(scenario: Scenario<'_>) {
    let store = scenario.harness.open().await;
    let read = move || {
        let store = Arc::clone(&store);
        async move {
            let Recount {
                progress,
                counts,
                wrong_sums,
            } = recount(&*store).await;
            assert_eq!(wrong_sums, []);
            // Each step gives one vote, and there is one step an offset.
            for (partition, next) in progress {
                let there = counts.iter().filter(|count| count.partition == partition);
                let (votes, totals) = there.fold((0, 0), |(votes, totals), count| {
                    (votes + count.votes, totals + count.total)
                });
                assert_eq!((votes, totals), (next.get(), next.get()), "{partition:?}");
            }
        }
    };
    let alice = [scenario.alice.clone()];
    scenario.fold_while_read(read, &alice).await;
}

pub(super) async fn what_is_kept_of_a_ballot_is_what_the_log_has(scenario: Scenario<'_>) {
    let Scenario { alice, bob, .. } = &scenario;
    let whole = LoggedBallot {
        voter: Some(Voter::new("O'Neil {\"\\\", NULL}").expect("a name")),
        ticket: TicketStamp {
            key_id: KeyId::new(255),
            issued_at: Timestamp::from_unix_ms(1_763_826_000_123),
        },
        ..scenario
            .fixtures
            .ballot(&[(bob, 3), (alice, 70_000), (bob, 4)])
    };
    let (plain, bad) = (scenario.for_alice(1), scenario.for_alice(2));
    scenario
        .fold(&step(P1, (0, 9), [(3, whole.clone()), (6, plain.clone())]))
        .await;
    // Another copy, with another ticket and other contents: the first in the log is what counts.
    scenario
        .fold(&next(P1, 9, &[&ballot(whole.id, &[(alice, 9)])]))
        .await;
    scenario.fold(&rejecting(P0, 0, &bad)).await;

    let stranger = scenario.fixtures.ballot_id();
    let ids = [bad.id, plain.id, stranger, whole.id, plain.id];
    let kept = scenario.store.stored_ballots(&ids).await;
    let counted = |offset, ballot: &LoggedBallot| {
        Some(StoredBallot::Counted {
            position: at(P1, offset),
            ballot: Ok(ballot.clone()),
        })
    };
    let rejected = StoredBallot::Rejected {
        position: at(P0, 0),
    };
    assert_eq!(
        kept.expect("the store reads its ballots"),
        [
            Some(rejected),
            counted(6, &plain),
            None,
            counted(3, &whole),
            counted(6, &plain),
        ]
    );
    assert_eq!(
        scenario.store.stored_ballots(&[]).await.expect("nothing"),
        []
    );
}
