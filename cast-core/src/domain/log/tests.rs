//! Reasons that any store can hold, and steps cut between records.

use super::*;
use crate::domain::{KeyId, Selection, Selections, TicketStamp, Timestamp, Votes};

#[test]
fn a_reason_keeps_what_any_store_can_hold() {
    let reason = |text: &str| {
        let content = Unreadable {
            bytes: (*b"\0").into(),
            reason: text.into(),
        };
        let rejection = Rejection::of_record(Offset::START, content);
        rejection.reason().to_owned()
    };
    assert_eq!(reason("not \"json\": \u{eb}"), "not \"json\": \u{eb}");
    assert_eq!(reason("a\0b\nc\u{85}"), "a\u{fffd}b\u{fffd}c\u{fffd}");
    let long = reason(&"\u{eb}".repeat(9_999));
    assert_eq!(long, "\u{eb}".repeat(512));
    assert_eq!(
        reason(&"\0".repeat(9_999)).len(),
        1_023,
        "in whole characters"
    );
}

#[test]
fn a_reason_fills_its_bytes_to_the_last() {
    let reason = "x".repeat(MAX_REASON_BYTES);
    assert_eq!(storable(&reason), reason);
    assert_eq!(storable(&format!("{reason}x")), reason);
    let almost = "x".repeat(MAX_REASON_BYTES - 1);
    assert_eq!(storable(&format!("{almost}\u{eb}x")), almost);
}

fn positioned(offset: u64, candidate: &str) -> PositionedBallot {
    let text = format!("0193b3a0-0000-7000-8000-{offset:012x}");
    let selection = Selection {
        candidate: Candidate::new(candidate).expect("a name"),
        votes: Votes::ONE,
    };
    let ballot = LoggedBallot {
        id: text.parse().expect("an id"),
        ticket: TicketStamp {
            key_id: KeyId::new(0),
            issued_at: Timestamp::default(),
        },
        voter: None,
        selections: Selections::new([selection]).expect("one"),
        trace: None,
    };
    let offset = Offset::new(offset);
    PositionedBallot { offset, ballot }
}

fn unreadable(offset: u64) -> Rejection {
    let content = Unreadable {
        bytes: (*b"?").into(),
        reason: "undecodable".into(),
    };
    Rejection::of_record(Offset::new(offset), content)
}

/// Ballots and unreadable records at these offsets, from 10 up to 20.
fn step(ballots: &[u64], unreadables: &[u64]) -> FoldStep {
    FoldStep {
        partition: Partition::new(3),
        start: Offset::new(10),
        next: Offset::new(20),
        ballots: ballots.iter().map(|at| positioned(*at, "alice")).collect(),
        rejections: unreadables.iter().copied().map(unreadable).collect(),
    }
}

/// The start and the end of a step, and the offsets of its ballots and its rejections.
fn outline(step: &FoldStep) -> (u64, u64, Vec<u64>, Vec<u64>) {
    let ballots = step
        .ballots
        .iter()
        .map(|positioned| positioned.offset.get());
    let rejections = step.rejections.iter().map(|r| r.offset().get());
    let (start, next) = (step.start.get(), step.next.get());
    (start, next, ballots.collect(), rejections.collect())
}

#[test]
fn what_is_left_of_a_step_begins_with_the_record_at_the_progress() {
    let step = step(&[10, 12, 12, 15], &[11, 14, 19]);
    let left = |at| outline(&step.clone().resumed_at(Offset::new(at)));
    assert_eq!(left(10), outline(&step));
    assert_eq!(left(12), (12, 20, vec![12, 12, 15], vec![14, 19]));
    assert_eq!(left(15), (15, 20, vec![15], vec![19]));
    assert_eq!(left(20), (20, 20, vec![], vec![]));
}

#[test]
fn a_step_is_halved_between_two_records_and_its_halves_join() {
    let halves = |step: FoldStep| {
        let (first, second) = step.halved().expect("two records");
        (outline(&first), outline(&second))
    };
    let even = halves(step(&[10, 10, 12, 14], &[19]));
    let first = (10, 14, vec![10, 10, 12], vec![]);
    assert_eq!(even, (first, (14, 20, vec![14], vec![19])));
    let odd = halves(step(&[15], &[12, 17]));
    assert_eq!(
        odd,
        ((10, 15, vec![], vec![12]), (15, 20, vec![15], vec![17]))
    );
    let two = halves(step(&[18, 11], &[]));
    assert_eq!(
        two,
        ((10, 18, vec![11], vec![]), (18, 20, vec![18], vec![]))
    );
}

#[test]
fn a_step_of_one_record_cannot_be_halved() {
    for step in [step(&[12, 12, 12], &[]), step(&[12], &[12]), step(&[], &[])] {
        assert_eq!(step.clone().halved(), Err(step));
    }
}

#[test]
fn a_step_lists_the_candidates_of_its_ballots_and_of_its_rejected_ballots() {
    let mut step = step(&[], &[11]);
    step.ballots = vec![
        positioned(10, "bob"),
        positioned(12, "alice"),
        positioned(13, "bob"),
    ];
    let greedy = positioned(13, "greedy");
    step.rejections
        .push(Rejection::of_ballot(greedy.clone(), "too much"));
    let names = |candidates: Vec<Candidate>| {
        candidates
            .iter()
            .map(|c| c.as_str().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(step.candidates()), ["alice", "bob"]);
    assert_eq!(names(step.rejected_candidates()), ["greedy"]);
    let [of_record, of_ballot] = &step.rejections[..] else {
        panic!("two rejections");
    };
    assert_eq!(
        (of_record.ballot(), of_record.reason()),
        (None, "undecodable")
    );
    let of = (of_ballot.ballot(), of_ballot.reason());
    assert_eq!(of, (Some(greedy.ballot.id), "too much"));
    assert_eq!(of_ballot.offset(), Offset::new(13));
}

#[test]
fn a_log_is_identified_by_the_last_ballot_at_its_own_offset() {
    let fingerprint = step(&[12, 13, 15], &[17]).fingerprint().expect("a ballot");
    let last = positioned(15, "alice").ballot.id;
    assert_eq!(
        (fingerprint.offset, fingerprint.ballot),
        (Offset::new(15), last)
    );
    let entry = |offset, ids: &[u64]| LogEntry {
        offset: Offset::new(offset),
        content: Ok(ids.iter().map(|id| positioned(*id, "bob").ballot).collect()),
    };
    assert!(entry(15, &[14, 15, 16]).is_at(fingerprint));
    assert!(!entry(15, &[14, 16]).is_at(fingerprint), "another record");
    assert!(!entry(14, &[15]).is_at(fingerprint), "elsewhere");
    let unreadable = LogEntry {
        content: Err(Unreadable {
            bytes: (*b"?").into(),
            reason: "undecodable".into(),
        }),
        ..entry(15, &[])
    };
    assert!(!unreadable.is_at(fingerprint));
    assert_eq!(step(&[], &[17]).fingerprint(), None);
}
