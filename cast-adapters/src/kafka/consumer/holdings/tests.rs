//! What can be seen of a member's holdings without a broker.

use cast_core::{
    domain::{BallotId, LogEntry, Partitions, Unreadable},
    ports::PortErrorKind,
};
use cast_testkit::fixtures::Fixtures;

use super::*;

const A: Partition = Partition::new(0);
const B: Partition = Partition::new(1);

/// Room for ten ballots or a thousand bytes.
fn holdings() -> Holdings {
    Holdings::new(Weight {
        bytes: 1_000,
        ballots: 10,
    })
}

/// As the client gives it: a record of so many ballots, ten bytes each.
fn record(offset: u64, ballots: usize) -> Ahead {
    Ahead {
        entry: LogEntry {
            offset: Offset::new(offset),
            content: Err(Unreadable {
                bytes: [].into(),
                reason: "it does not matter".to_owned(),
            }),
        },
        weight: Weight {
            bytes: ballots * 10,
            ballots,
        },
    }
}

/// Gives the member partitions, and reads them from there.
fn place(holdings: &Holdings, partitions: &[Partition], at: u64) {
    holdings.assign(partitions);
    for unplaced in holdings.unplaced() {
        let placing = Placing {
            at: Progress::at(Offset::new(at)),
            committed: Offset::START,
        };
        assert!(holdings.place(unplaced, Some(placing)));
    }
    assert_eq!(holdings.to_begin().len(), partitions.len());
}

fn push(holdings: &Holdings, partition: Partition, record: Ahead) {
    let pushed = holdings.push(partition, record);
    pushed.expect("there is no fingerprint to miss");
}

fn take(holdings: &Holdings, max_ballots: usize) -> Option<(Partition, u64, u64)> {
    let batch = holdings.take(max_ballots).expect("nothing failed")?;
    Some((batch.partition, batch.start.get(), batch.next.get()))
}

#[test]
fn batches_join_and_take_no_more_than_asked_for() {
    let holdings = holdings();
    place(&holdings, &[A], 3);
    for (offset, ballots) in [(5, 2), (6, 2), (9, 5), (10, 1)] {
        push(&holdings, A, record(offset, ballots));
    }
    assert_eq!(take(&holdings, 4), Some((A, 3, 7)), "gaps are covered");
    assert_eq!(
        take(&holdings, 4),
        Some((A, 7, 10)),
        "a single record may be larger"
    );
    assert_eq!(take(&holdings, 4), Some((A, 10, 11)));
    assert_eq!(take(&holdings, 4), None);
}

#[test]
fn partitions_take_turns() {
    let holdings = holdings();
    place(&holdings, &[A, B], 0);
    for offset in 0..2 {
        push(&holdings, A, record(offset, 1));
        push(&holdings, B, record(offset, 1));
    }
    let served: Vec<_> = std::iter::from_fn(|| take(&holdings, 1)).collect();
    assert_eq!(served, [(A, 0, 1), (B, 0, 1), (A, 1, 2), (B, 1, 2)]);
}

#[test]
fn reading_stops_at_the_limit_and_goes_on_when_half_is_free() {
    let holdings = holdings();
    place(&holdings, &[A], 0);
    for offset in 0..9 {
        push(&holdings, A, record(offset, 1));
        assert!(!holdings.is_full());
    }
    push(&holdings, A, record(9, 1));
    assert!(holdings.is_full() && !holdings.has_room());
    assert_eq!(take(&holdings, 4), Some((A, 0, 4)));
    assert!(!holdings.is_full() && !holdings.has_room());
    take(&holdings, 1);
    assert!(holdings.has_room());
    push(&holdings, A, record(10, 96));
    assert!(holdings.is_full(), "a thousand bytes");
}

#[test]
fn what_was_read_of_a_partition_goes_with_it() {
    let holdings = holdings();
    place(&holdings, &[A, B], 0);
    push(&holdings, A, record(0, 9));
    push(&holdings, B, record(0, 1));
    assert!(holdings.is_full());
    holdings.commit(A, Offset::new(7));
    assert_eq!(
        holdings.revoke(&[A]),
        [(A, Offset::new(7))],
        "still to be committed"
    );
    assert!(holdings.has_room());
    push(&holdings, A, record(1, 1));
    assert_eq!(take(&holdings, 10), Some((B, 0, 1)));
    assert_eq!(take(&holdings, 10), None);
    holdings.commit(A, Offset::new(9));
    assert_eq!(holdings.to_commit(), [], "it is no longer the member's");
}

#[test]
fn an_answer_about_an_earlier_time_does_not_count() {
    let holdings = holdings();
    holdings.assign(&[A]);
    let before = holdings.unplaced()[0];
    holdings.revoke(&[A]);
    holdings.assign(&[A]);
    let now = holdings.unplaced()[0];
    let at = |at| {
        Some(Placing {
            at: Progress::at(Offset::new(at)),
            committed: Offset::START,
        })
    };
    assert!(!holdings.place(before, at(5)));
    assert!(holdings.place(now, None), "nobody could say");
    assert_eq!(holdings.unplaced(), [now], "it is asked for again");
    assert!(holdings.place(now, at(8)));
    let begin = Begin {
        partition: A,
        at: Offset::new(8),
    };
    assert_eq!(holdings.to_begin(), [begin]);
    assert_eq!(holdings.to_begin(), [], "told once");
}

#[test]
fn a_seek_drops_what_was_read_and_what_is_still_on_its_way() {
    let holdings = holdings();
    place(&holdings, &[A], 0);
    push(&holdings, A, record(0, 1));
    holdings.seek(A, Offset::new(4));
    push(&holdings, A, record(7, 1));
    assert_eq!(take(&holdings, 10), None, "the reading has not begun anew");
    assert_eq!(holdings.to_begin().len(), 1);
    push(&holdings, A, record(3, 1));
    push(&holdings, A, record(4, 1));
    assert_eq!(take(&holdings, 10), Some((A, 4, 5)));
}

#[test]
fn commits_gather_and_move_forward_only() {
    let holdings = holdings();
    place(&holdings, &[A], 2);
    assert_eq!(
        holdings.to_commit(),
        [(A, Offset::new(2))],
        "the store has so much"
    );
    for next in [5, 9, 7] {
        holdings.commit(A, Offset::new(next));
    }
    assert_eq!(holdings.to_commit(), [(A, Offset::new(9))]);
    holdings.commit(A, Offset::new(8));
    assert_eq!(holdings.to_commit(), []);
}

#[test]
fn what_was_read_before_a_failure_is_handed_out_and_nothing_behind_it() {
    let holdings = holdings();
    place(&holdings, &[A, B], 0);
    push(&holdings, A, record(0, 1));
    holdings.fail(PortError::new(PortErrorKind::Corrupt, "reading"));
    // What the client gives now may come after a gap.
    push(&holdings, A, record(2, 1));
    push(&holdings, B, record(0, 1));
    assert_eq!(take(&holdings, 9), Some((A, 0, 1)));
    let told = holdings.take(9).expect_err("it failed");
    assert_eq!(told.kind(), PortErrorKind::Corrupt);
    push(&holdings, A, record(3, 1));
    assert_eq!(take(&holdings, 9), None);

    let again = holdings.unplaced();
    assert_eq!(again.len(), 2, "both are asked for anew");
    for unplaced in again {
        let placing = Placing {
            at: Progress::at(Offset::new(1)),
            committed: Offset::START,
        };
        assert!(holdings.place(unplaced, Some(placing)));
    }
    assert_eq!(holdings.to_begin().len(), 2);
    push(&holdings, A, record(1, 1));
    assert_eq!(take(&holdings, 9), Some((A, 1, 2)));
}

/// A record of two ballots, and the fingerprint that the second of them is.
fn known_record(offset: u64) -> (Ahead, LogFingerprint) {
    let known = Fixtures::new().record(A, Partitions::ONE, 2);
    let mut ahead = record(offset, 2);
    ahead.entry.content = Ok(known.ballots().clone());
    let fingerprint = LogFingerprint {
        offset: Offset::new(offset),
        ballot: known.ballots()[1].id,
    };
    (ahead, fingerprint)
}

/// Reads a partition from 5 on, behind a fingerprint; returns where reading begins.
fn place_behind(holdings: &Holdings, fingerprint: LogFingerprint) -> u64 {
    holdings.assign(&[A]);
    let placing = Placing {
        at: Progress {
            next: Offset::new(5),
            last: Some(fingerprint),
        },
        committed: Offset::START,
    };
    assert!(holdings.place(holdings.unplaced()[0], Some(placing)));
    holdings.to_begin()[0].at.get()
}

#[test]
fn a_partition_is_read_from_its_fingerprint_on_which_is_not_handed_out() {
    let holdings = holdings();
    let (known, fingerprint) = known_record(2);
    assert_eq!(place_behind(&holdings, fingerprint), 2);
    push(&holdings, A, known);
    // Of no ballots, so the fingerprint is before it.
    push(&holdings, A, record(4, 1));
    assert_eq!(take(&holdings, 9), None);
    push(&holdings, A, record(6, 1));
    assert_eq!(take(&holdings, 9), Some((A, 5, 7)));
}

#[test]
fn nothing_is_taken_in_behind_a_fingerprint_that_is_not_there() {
    let (_, fingerprint) = known_record(2);
    let (other, _) = known_record(2);
    let elsewhere = BallotId::new(uuid::Uuid::from_u128(7)).expect("an id");
    let (known, at_two) = known_record(2);
    for (read, sought) in [
        (other, fingerprint),
        (record(2, 1), fingerprint),
        (record(3, 1), fingerprint),
        (record(9, 1), fingerprint),
        (
            known,
            LogFingerprint {
                ballot: elsewhere,
                ..at_two
            },
        ),
    ] {
        let holdings = holdings();
        place_behind(&holdings, sought);
        assert_eq!(holdings.push(A, read), Err(sought));
        assert_eq!(take(&holdings, 9), None);
    }
}

#[tokio::test]
async fn a_reader_that_died_is_told_of() {
    let holdings = holdings();
    place(&holdings, &[A], 0);
    holdings.end(PortError::new(PortErrorKind::Unavailable, "reading"));
    holdings.news().await;
    let error = holdings.take(1).expect_err("nobody reads");
    assert_eq!(error.kind(), PortErrorKind::Unavailable);
}
