//! What a transfer brings into the store beside the log.

mod postgres;

use cast_core::{
    Destination as _, NumberedCandidate, NumberedRejection,
    domain::{Candidate, Offset, PositionedBallot, Rejection, Timestamp, Unreadable},
    ports::VoteStore as _,
};
use cast_testkit::fixtures::{self, Fixtures};
use postgres::{P0, TestDb};

fn named(number: u64, name: &str) -> NumberedCandidate {
    NumberedCandidate {
        number,
        candidate: Candidate::new(name).expect("a name"),
    }
}

#[tokio::test]
async fn candidates_keep_their_numbers_and_new_ones_come_after_them() {
    let Some(db) = TestDb::shared().await else {
        return;
    };
    let store = db.open();
    let moved = [named(3, "carol"), named(7, "bob")];
    store.import_candidates(&moved).await.expect("imported");
    store
        .import_candidates(&moved)
        .await
        .expect("imported again");
    // A number that is taken, and a candidate that has one.
    let other = [named(7, "dave"), named(9, "carol")];
    store.import_candidates(&other).await.expect("imported");
    let fixtures = Fixtures::new();
    let votes = ["bob", "dave"].map(|name| Candidate::new(name).expect("a name"));
    let ballot = fixtures.ballot(&[(&votes[0], 1), (&votes[1], 1)]);
    let step = fixtures::step(P0, (0, 1), [(0, ballot)]);
    store.apply(&step).await.expect("applied");
    let rows = db
        .sql("SELECT id, username FROM candidates ORDER BY id")
        .await;
    let dave = rows.strip_prefix("3|carol\n7|bob\n");
    let number = dave.and_then(|row| row.strip_suffix("|dave"));
    let number: Option<u64> = number.and_then(|number| number.parse().ok());
    assert!(number.is_some_and(|number| number > 7), "{rows}");
}

#[tokio::test]
async fn rejections_are_imported_once_with_their_time() {
    let Some(db) = TestDb::shared().await else {
        return;
    };
    let fixtures = Fixtures::new();
    let positioned = PositionedBallot {
        offset: Offset::new(4),
        ballot: fixtures.ballot(&[(&fixtures.candidate("alice"), 2)]),
    };
    let content = Unreadable {
        bytes: (*b"no record").into(),
        reason: "not a record".into(),
    };
    let rejections = [
        Rejection::of_ballot(positioned.clone(), "too many"),
        Rejection::of_record(Offset::new(5), content),
    ];
    let moved: Vec<_> = (1..)
        .zip(rejections)
        .map(|(number, rejection)| NumberedRejection {
            number,
            partition: P0,
            rejection,
            rejected_at: Timestamp::from_unix_ms(1_000 * number),
        })
        .collect();
    let store = db.open();
    store.import_rejections(&moved).await.expect("imported");
    store
        .import_rejections(&moved)
        .await
        .expect("imported again");
    let rows = "SELECT log_offset, reason, extract(epoch FROM rejected_at)::int FROM rejected \
                ORDER BY log_offset";
    assert_eq!(db.sql(rows).await, "4|too many|1\n5|not a record|2");
    let fate = store.ballot(positioned.ballot.id).await.expect("answered");
    assert!(
        matches!(fate, Some(cast_core::domain::Fate::Rejected { .. })),
        "{fate:?}"
    );
}
