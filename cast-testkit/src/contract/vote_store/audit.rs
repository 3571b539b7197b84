//! Audit.

use cast_core::{
    domain::{Candidate, KeyId, LoggedBallot, TicketStamp, Timestamp, Voter},
    ports::{Applied, Recount, Recounted, StoredBallot, VoteStore},
};

use super::{P0, P1, Skipped, Stage, VoteStoreHarness, at, next, rejecting, step};
use crate::fixtures::ballot;

async fn recount(store: &dyn VoteStore) -> Recount {
    store.recount().await.expect("the store recounts")
}

pub(super) async fn recounting_gives_the_totals(
    harness: &dyn VoteStoreHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let Stage {
        fixtures,
        alice,
        bob,
        ..
    } = &stage;
    assert_eq!(recount(&*stage.store).await, Recount::default());
    let twice = fixtures.ballot(&[(bob, 3), (alice, 1), (bob, 4)]);
    let impostor = ballot(twice.id, &[(alice, 500)]);
    stage
        .fold(&step(
            P0,
            (0, 5),
            [(0, twice.clone()), (2, stage.for_alice(10))],
        ))
        .await;
    stage
        .fold(&next(P1, 0, &[&impostor, &stage.for_alice(100)]))
        .await;
    stage.fold(&rejecting(P1, 1, &stage.for_alice(1_000))).await;
    let of = |who: &Candidate, partition, votes| Recounted {
        candidate: who.clone(),
        partition,
        votes,
        total: votes,
    };
    let recounted = recount(&*stage.store).await;
    assert_eq!(
        recounted.counts,
        [of(alice, P0, 11), of(alice, P1, 100), of(bob, P0, 7)],
        "by candidate, then by partition"
    );
    let progress = [
        (P0, stage.progress(P0).await),
        (P1, stage.progress(P1).await),
    ];
    assert_eq!(recounted.progress, progress);
    for (who, votes) in recounted.votes() {
        assert_eq!(stage.votes(&who).await, votes);
    }
    Ok(())
}

pub(super) async fn a_recount_is_one_consistent_view(
    harness: &dyn VoteStoreHarness,
) -> Result<(), Skipped> {
    const STEPS: u64 = 60;
    const LOOKS: usize = 20;
    let stage = Stage::set(harness).await;
    let store = harness.open().await;
    let auditor = tokio::spawn(async move {
        for _ in 0..LOOKS {
            let Recount { progress, counts } = recount(&*store).await;
            // Each step gives one vote, and there is one step an offset.
            for (partition, next) in progress {
                let there = counts.iter().filter(|count| count.partition == partition);
                let (votes, totals) = there.fold((0, 0), |(votes, totals), count| {
                    (votes + count.votes, totals + count.total)
                });
                assert_eq!((votes, totals), (next.get(), next.get()), "{partition:?}");
            }
            tokio::task::yield_now().await;
        }
    });
    // A fast store goes on until the auditor has looked often enough.
    for start in 0.. {
        if start >= STEPS && auditor.is_finished() {
            break;
        }
        for partition in [P0, P1] {
            let applied = stage
                .apply(&next(partition, start, &[&stage.for_alice(1)]))
                .await;
            assert!(matches!(applied, Applied::Folded { counted: 1, .. }));
            tokio::task::yield_now().await;
        }
    }
    auditor.await.expect("a consistent view");
    Ok(())
}

pub(super) async fn what_is_kept_of_a_ballot_is_what_the_log_has(
    harness: &dyn VoteStoreHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let Stage { alice, bob, .. } = &stage;
    let whole = LoggedBallot {
        voter: Some(Voter::new("O'Neil {\"\\\", NULL}").expect("a name")),
        ticket: TicketStamp {
            key_id: KeyId::new(255),
            issued_at: Timestamp::from_unix_ms(1_763_826_000_123),
        },
        ..stage
            .fixtures
            .ballot(&[(bob, 3), (alice, 70_000), (bob, 4)])
    };
    let (plain, bad) = (stage.for_alice(1), stage.for_alice(2));
    stage
        .fold(&step(P1, (0, 9), [(3, whole.clone()), (6, plain.clone())]))
        .await;
    // Another copy, with another ticket and other contents: the first in the log is what counts.
    stage
        .fold(&next(P1, 9, &[&ballot(whole.id, &[(alice, 9)])]))
        .await;
    stage.fold(&rejecting(P0, 0, &bad)).await;

    let stranger = stage.fixtures.ballot_id();
    let ids = [bad.id, plain.id, stranger, whole.id, plain.id];
    let kept = stage.store.stored_ballots(&ids).await;
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
        kept.expect("the store tells what it keeps"),
        [
            Some(rejected),
            counted(6, &plain),
            None,
            counted(3, &whole),
            counted(6, &plain),
        ]
    );
    assert_eq!(stage.store.stored_ballots(&[]).await.expect("nothing"), []);
    Ok(())
}
