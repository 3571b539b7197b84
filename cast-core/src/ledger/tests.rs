use std::ops::RangeInclusive;

use super::{
    Answer::{Accepted, Duplicate, Refused, Unknown},
    *,
};

type Small = Ledger<u32, &'static str, &'static str>;

const TICKET: &str = "ticket";

/// Enters a ballot of one vote, and sends it once for each answer.
fn vote(ledger: &mut Small, candidate: &'static str, answers: &[Answer]) -> Entry {
    let number = u32::try_from(ledger.entries().count()).unwrap();
    let entry = ledger.enter(number, [(candidate, 1)]);
    for answer in answers {
        ledger.send(entry, TICKET);
        ledger.answer(entry, TICKET, *answer);
    }
    entry
}

fn counted(ballots: &[u32]) -> Vec<CountedBallot<u32, &'static str>> {
    let counted = ballots.iter().map(|ballot| CountedBallot {
        ballot: *ballot,
        votes: vec![("a", 1)],
    });
    counted.collect()
}

fn too_low(expected: RangeInclusive<u64>, shown: u64) -> Finding<u32, &'static str, &'static str> {
    let candidate = "a";
    Finding::TallyTooLow {
        candidate,
        expected,
        shown,
    }
}

fn too_high(expected: RangeInclusive<u64>, shown: u64) -> Finding<u32, &'static str, &'static str> {
    let candidate = "a";
    Finding::TallyTooHigh {
        candidate,
        expected,
        shown,
    }
}

#[test]
fn an_acknowledged_ballot_counts_once() {
    for answers in [
        &[Accepted][..],
        &[Duplicate],
        &[Accepted, Duplicate],
        &[Unknown, Duplicate],
        &[Refused, Accepted],
        &[Accepted, Refused],
        &[Accepted, Unknown],
    ] {
        let mut ledger = Small::new();
        let entry = vote(&mut ledger, "a", answers);
        assert_eq!(ledger.expectation(entry), Expectation::Counted);
        assert_eq!(ledger.check_tallies([("a", 1)]), [], "{answers:?}");
        assert_eq!(ledger.check_tallies([]), [too_low(1..=1, 0)]);
        assert_eq!(ledger.check_tallies([("a", 2)]), [too_high(1..=1, 2)]);
        assert_eq!(ledger.check_ballots(counted(&[0])), []);
        let missing = Finding::Missing { ballot: 0 };
        assert_eq!(ledger.check_ballots([]), [missing]);
        let (ballot, times) = (0, 2);
        let doubled = Finding::Doubled { ballot, times };
        assert_eq!(ledger.check_ballots(counted(&[0, 0])), [doubled]);
    }
}

#[test]
fn a_ballot_that_was_only_refused_does_not_count() {
    for answers in [&[][..], &[Refused], &[Refused, Refused]] {
        let mut ledger = Small::new();
        let entry = vote(&mut ledger, "a", answers);
        assert_eq!(ledger.expectation(entry), Expectation::NotCounted);
        assert_eq!(ledger.check_tallies([]), []);
        assert_eq!(ledger.check_tallies([("a", 1)]), [too_high(0..=0, 1)]);
        assert_eq!(ledger.check_ballots([]), []);
        let wrong = Finding::RefusedButCounted { ballot: 0 };
        assert_eq!(ledger.check_ballots(counted(&[0])), [wrong]);
    }
}

#[test]
fn a_ballot_with_an_unknown_outcome_counts_once_or_not_at_all() {
    for answers in [&[Unknown][..], &[Unknown, Refused], &[Refused, Unknown]] {
        let mut ledger = Small::new();
        let entry = vote(&mut ledger, "a", answers);
        assert_eq!(ledger.open().collect::<Vec<_>>(), [entry]);
        assert!(ledger.was_unknown(entry));
        for shown in [0, 1] {
            assert_eq!(ledger.check_tallies([("a", shown)]), []);
        }
        assert_eq!(ledger.check_tallies([("a", 2)]), [too_high(0..=1, 2)]);
        for ballots in [&[][..], &[0]] {
            assert_eq!(ledger.check_ballots(counted(ballots)), []);
        }
        assert_eq!(ledger.check_ballots(counted(&[0, 0])).len(), 1);
    }
}

#[test]
fn a_ballot_in_flight_is_open_until_it_is_answered_or_withdrawn() {
    let mut ledger = Small::new();
    let entry = vote(&mut ledger, "a", &[]);
    ledger.send(entry, TICKET);
    assert_eq!(ledger.expectation(entry), Expectation::Open);
    assert_eq!(ledger.check_tallies([("a", 1)]), []);
    ledger.withdraw(entry);
    assert_eq!(ledger.expectation(entry), Expectation::NotCounted);
    ledger.send(entry, TICKET);
    ledger.answer(entry, TICKET, Refused);
    assert_eq!(ledger.check_tallies([("a", 1)]), [too_high(0..=0, 1)]);
    assert!(!ledger.was_unknown(entry));
}

#[test]
fn votes_from_before_the_run_are_expected() {
    let mut ledger = Small::new();
    ledger.set_baseline("a", 5);
    vote(&mut ledger, "a", &[Accepted]);
    assert_eq!(ledger.check_tallies([("a", 6)]), []);
    assert_eq!(ledger.check_tallies([("a", 1)]), [too_low(6..=6, 1)]);
    // A candidate that no ballot of the run is for.
    assert_eq!(ledger.check_tallies([("a", 6), ("b", 1)]).len(), 1);
}

#[test]
fn all_votes_of_a_ballot_count_together() {
    let mut ledger = Small::new();
    let votes = [("a", 2), ("b", 1), ("a", 1)];
    let entry = ledger.enter(7, votes);
    ledger.send(entry, TICKET);
    ledger.answer(entry, TICKET, Accepted);
    assert_eq!(ledger.votes(entry), votes);
    assert_eq!(ledger.check_tallies([("a", 3), ("b", 1)]), []);
    assert_eq!(ledger.check_tallies([("a", 3)]).len(), 1);
    let counted = |votes: &[(&'static str, u64)]| CountedBallot {
        ballot: 7,
        votes: votes.into(),
    };
    assert_eq!(ledger.check_ballots([counted(&votes)]), []);
    let altered = Finding::Altered { ballot: 7 };
    assert_eq!(ledger.check_ballots([counted(&votes[..2])]), [altered]);
}

#[test]
fn a_counted_ballot_that_no_client_sent_is_found() {
    let mut ledger = Small::new();
    vote(&mut ledger, "a", &[Accepted]);
    let wrong = Finding::NotEntered { ballot: 9 };
    assert_eq!(ledger.check_ballots(counted(&[0, 9])), [wrong]);
}

#[test]
fn a_tally_shows_at_least_what_was_accepted_as_new() {
    let mut ledger = Small::new();
    ledger.set_baseline("a", 10);
    vote(&mut ledger, "a", &[Accepted, Accepted]);
    vote(&mut ledger, "a", &[Unknown]);
    assert_eq!(ledger.least_shown(&"a"), 11);
    // It shows when it is reconciled, which may be later.
    vote(&mut ledger, "a", &[Unknown, Duplicate]);
    assert_eq!(ledger.least_shown(&"a"), 11);
    assert_eq!(ledger.least_shown(&"b"), 0);
}

fn exceeded(ledger: &Small, limit: u64, counts: bool) -> Vec<(u64, Vec<u32>)> {
    let findings = ledger.check_tickets(|_| limit, |_| counts).into_iter();
    let exceeded = findings.map(|finding| match finding {
        Finding::LimitExceeded { used, ballots, .. } => (used, ballots),
        other => panic!("{other}"),
    });
    exceeded.collect()
}

#[test]
fn a_ticket_buys_no_more_ballots_than_it_has_uses() {
    let mut ledger = Small::new();
    for answers in [&[Accepted][..], &[Accepted, Duplicate], &[Refused]] {
        vote(&mut ledger, "a", answers);
    }
    assert_eq!(ledger.uses(&TICKET), 2);
    assert_eq!(exceeded(&ledger, 2, false), []);
    assert_eq!(exceeded(&ledger, 1, false), [(2, vec![0, 1])]);
    // One that was accepted twice took two uses.
    vote(&mut ledger, "a", &[Accepted, Accepted]);
    assert_eq!(exceeded(&ledger, 3, false), [(4, vec![0, 1, 3])]);
}

#[test]
fn a_ballot_that_counts_and_was_sent_with_one_ticket_alone_was_bought_with_it() {
    let mut ledger = Small::new();
    vote(&mut ledger, "a", &[Unknown, Unknown]);
    assert_eq!(exceeded(&ledger, 0, true), [(1, vec![0])]);
    assert_eq!(exceeded(&ledger, 0, false), []);
    // Which of two tickets it was cannot be said.
    let mut ledger = Small::new();
    let entry = vote(&mut ledger, "a", &[Unknown]);
    ledger.send(entry, "other");
    ledger.answer(entry, "other", Unknown);
    assert_eq!(exceeded(&ledger, 0, true), []);
}

#[test]
fn a_withdrawn_sending_leaves_no_doubt_about_the_ticket_of_another() {
    for withdrawn in [0, 1] {
        let mut ledger = Small::new();
        let entry = vote(&mut ledger, "a", &[]);
        for (number, ticket) in ["first", "second"].into_iter().enumerate() {
            ledger.send(entry, ticket);
            if number == withdrawn {
                ledger.withdraw(entry);
            } else {
                ledger.answer(entry, ticket, Unknown);
            }
        }
        assert_eq!(exceeded(&ledger, 0, true), [(1, vec![0])]);
    }
}

#[test]
fn the_ticket_of_a_sending_in_flight_may_have_bought_the_ballot() {
    let mut ledger = Small::new();
    let entry = vote(&mut ledger, "a", &[]);
    ledger.send(entry, TICKET);
    assert_eq!(exceeded(&ledger, 0, true), [(1, vec![0])]);
    ledger.answer(entry, TICKET, Unknown);
    ledger.send(entry, "other");
    assert_eq!(exceeded(&ledger, 0, true), []);
}
