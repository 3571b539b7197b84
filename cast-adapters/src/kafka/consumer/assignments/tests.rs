//! The assignments of a member, tested without a broker.

use cast_core::{
    domain::{BallotId, LogEntry, Partitions, Unreadable},
    ports::PortErrorKind,
};
use cast_testkit::fixtures::Fixtures;

use super::*;

const A: Partition = Partition::new(0);
const B: Partition = Partition::new(1);

/// Room for ten ballots or a thousand bytes.
fn assignments() -> Assignments {
    Assignments::new(BufferSize {
        bytes: 1_000,
        ballots: 10,
    })
}

/// A record of so many ballots, ten bytes each.
fn record(offset: u64, ballots: usize) -> PrefetchedRecord {
    PrefetchedRecord {
        entry: LogEntry {
            offset: Offset::new(offset),
            content: Err(Unreadable {
                bytes: [].into(),
                reason: "it does not matter".to_owned(),
            }),
        },
        size: BufferSize {
            bytes: ballots * 10,
            ballots,
        },
    }
}

/// Assigns partitions, and starts to read them at an offset.
fn start_at(assignments: &Assignments, partitions: &[Partition], at: u64) {
    assignments.assign(partitions);
    for awaiting_position in assignments.awaiting_position() {
        let lookup = ResumeLookup {
            at: Progress::at(Offset::new(at)),
            committed: Offset::START,
        };
        assert!(assignments.position_found(awaiting_position, Some(lookup)));
    }
    assert_eq!(assignments.take_read_starts().len(), partitions.len());
}

fn push(assignments: &Assignments, partition: Partition, record: PrefetchedRecord) {
    let pushed = assignments.push(partition, record);
    pushed.expect("there is no fingerprint to miss");
}

fn take(assignments: &Assignments, max_ballots: usize) -> Option<(Partition, u64, u64)> {
    let batch = assignments.take(max_ballots).expect("nothing failed")?;
    Some((batch.partition, batch.start.get(), batch.next.get()))
}

#[test]
fn a_batch_has_consecutive_records_and_at_most_the_requested_ballots() {
    let assignments = assignments();
    start_at(&assignments, &[A], 3);
    for (offset, ballots) in [(5, 2), (6, 2), (9, 5), (10, 1)] {
        push(&assignments, A, record(offset, ballots));
    }
    assert_eq!(take(&assignments, 4), Some((A, 3, 7)), "across a gap");
    assert_eq!(
        take(&assignments, 4),
        Some((A, 7, 10)),
        "a single record may be larger"
    );
    assert_eq!(take(&assignments, 4), Some((A, 10, 11)));
    assert_eq!(take(&assignments, 4), None);
}

#[test]
fn partitions_take_turns() {
    let assignments = assignments();
    start_at(&assignments, &[A, B], 0);
    for offset in 0..2 {
        push(&assignments, A, record(offset, 1));
        push(&assignments, B, record(offset, 1));
    }
    let served: Vec<_> = std::iter::from_fn(|| take(&assignments, 1)).collect();
    assert_eq!(served, [(A, 0, 1), (B, 0, 1), (A, 1, 2), (B, 1, 2)]);
}

#[test]
fn reading_pauses_at_the_limit_and_resumes_when_half_is_free() {
    let assignments = assignments();
    start_at(&assignments, &[A], 0);
    for offset in 0..9 {
        push(&assignments, A, record(offset, 1));
        assert!(!assignments.is_full());
    }
    push(&assignments, A, record(9, 1));
    assert!(assignments.is_full() && !assignments.has_room());
    assert_eq!(take(&assignments, 4), Some((A, 0, 4)));
    assert!(!assignments.is_full() && !assignments.has_room());
    take(&assignments, 1);
    assert!(assignments.has_room());
    push(&assignments, A, record(10, 96));
    assert!(assignments.is_full(), "a thousand bytes");
}

#[test]
fn a_revoked_partition_takes_its_prefetched_records_along() {
    let assignments = assignments();
    start_at(&assignments, &[A, B], 0);
    push(&assignments, A, record(0, 9));
    push(&assignments, B, record(0, 1));
    assert!(assignments.is_full());
    assignments.commit(A, Offset::new(7));
    assert_eq!(
        assignments.revoke(&[A]),
        [(A, Offset::new(7))],
        "still to be committed"
    );
    assert!(assignments.has_room());
    push(&assignments, A, record(1, 1));
    assert_eq!(take(&assignments, 10), Some((B, 0, 1)));
    assert_eq!(take(&assignments, 10), None);
    assignments.commit(A, Offset::new(9));
    assert_eq!(assignments.to_commit(), [], "the partition is revoked");
}

#[test]
fn a_lookup_of_an_earlier_assignment_is_ignored() {
    let assignments = assignments();
    assignments.assign(&[A]);
    let before = assignments.awaiting_position()[0];
    assignments.revoke(&[A]);
    assignments.assign(&[A]);
    let now = assignments.awaiting_position()[0];
    let at = |at| {
        Some(ResumeLookup {
            at: Progress::at(Offset::new(at)),
            committed: Offset::START,
        })
    };
    assert!(!assignments.position_found(before, at(5)));
    assert!(assignments.position_found(now, None), "the lookup failed");
    assert_eq!(
        assignments.awaiting_position(),
        [now],
        "it is looked up again"
    );
    assert!(assignments.position_found(now, at(8)));
    assert_eq!(assignments.take_read_starts(), [(A, Offset::new(8))]);
    assert_eq!(assignments.take_read_starts(), [], "returned once");
}

#[test]
fn a_seek_drops_records_that_were_read_before_it() {
    let assignments = assignments();
    start_at(&assignments, &[A], 0);
    push(&assignments, A, record(0, 1));
    assignments.seek(A, Offset::new(4));
    push(&assignments, A, record(7, 1));
    assert_eq!(
        take(&assignments, 10),
        None,
        "reading has not restarted yet"
    );
    assert_eq!(assignments.take_read_starts().len(), 1);
    push(&assignments, A, record(3, 1));
    push(&assignments, A, record(4, 1));
    assert_eq!(take(&assignments, 10), Some((A, 4, 5)));
}

#[test]
fn commits_are_merged_and_only_move_forward() {
    let assignments = assignments();
    start_at(&assignments, &[A], 2);
    assert_eq!(
        assignments.to_commit(),
        [(A, Offset::new(2))],
        "the store has applied that much"
    );
    for next in [5, 9, 7] {
        assignments.commit(A, Offset::new(next));
    }
    assert_eq!(assignments.to_commit(), [(A, Offset::new(9))]);
    assignments.commit(A, Offset::new(8));
    assert_eq!(assignments.to_commit(), []);
}

#[test]
fn records_before_a_failure_are_returned_and_none_after_it() {
    let assignments = assignments();
    start_at(&assignments, &[A, B], 0);
    push(&assignments, A, record(0, 1));
    assignments.fail(PortError::new(PortErrorKind::Corrupt, "reading"));
    // Records of the client may come after a gap now.
    push(&assignments, A, record(2, 1));
    push(&assignments, B, record(0, 1));
    assert_eq!(take(&assignments, 9), Some((A, 0, 1)));
    let error = assignments.take(9).expect_err("it failed");
    assert_eq!(error.kind(), PortErrorKind::Corrupt);
    push(&assignments, A, record(3, 1));
    assert_eq!(take(&assignments, 9), None);

    let again = assignments.awaiting_position();
    assert_eq!(again.len(), 2, "both are looked up again");
    for awaiting_position in again {
        let lookup = ResumeLookup {
            at: Progress::at(Offset::new(1)),
            committed: Offset::START,
        };
        assert!(assignments.position_found(awaiting_position, Some(lookup)));
    }
    assert_eq!(assignments.take_read_starts().len(), 2);
    push(&assignments, A, record(1, 1));
    assert_eq!(take(&assignments, 9), Some((A, 1, 2)));
}

/// A record of two ballots, and a fingerprint of the second one.
fn known_record(offset: u64) -> (PrefetchedRecord, LogFingerprint) {
    let known = Fixtures::new().record(A, Partitions::ONE, 2);
    let mut ahead = record(offset, 2);
    ahead.entry.content = Ok(known.ballots().clone());
    let fingerprint = LogFingerprint {
        offset: Offset::new(offset),
        ballot: known.ballots()[1].id,
    };
    (ahead, fingerprint)
}

/// Resumes a partition at 5 with a fingerprint; returns the offset at which reading starts.
fn resume_after(assignments: &Assignments, fingerprint: LogFingerprint) -> u64 {
    assignments.assign(&[A]);
    let lookup = ResumeLookup {
        at: Progress {
            next: Offset::new(5),
            last: Some(fingerprint),
        },
        committed: Offset::START,
    };
    assert!(assignments.position_found(assignments.awaiting_position()[0], Some(lookup)));
    assignments.take_read_starts()[0].1.get()
}

#[test]
fn a_partition_is_read_from_its_fingerprint_on_and_the_fingerprint_is_not_returned() {
    let assignments = assignments();
    let (known, fingerprint) = known_record(2);
    assert_eq!(resume_after(&assignments, fingerprint), 2);
    push(&assignments, A, known);
    // It has no ballots, so the fingerprint must be in a record before it.
    push(&assignments, A, record(4, 1));
    assert_eq!(take(&assignments, 9), None);
    push(&assignments, A, record(6, 1));
    assert_eq!(take(&assignments, 9), Some((A, 5, 7)));
}

#[test]
fn no_record_is_added_if_the_fingerprint_is_missing() {
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
        let assignments = assignments();
        resume_after(&assignments, sought);
        assert_eq!(assignments.push(A, read), Err(sought));
        assert_eq!(take(&assignments, 9), None);
    }
}

#[tokio::test]
async fn the_end_of_the_reading_thread_is_an_error() {
    let assignments = assignments();
    start_at(&assignments, &[A], 0);
    assignments.end(PortError::new(PortErrorKind::Unavailable, "reading"));
    assignments.changed().await;
    let error = assignments.take(1).expect_err("the thread has ended");
    assert_eq!(error.kind(), PortErrorKind::Unavailable);
}
