use std::ops::RangeInclusive;

use super::{
    super::verdict::{Difference, Oversold},
    *,
};

fn id(n: u128) -> BallotId {
    BallotId::new(uuid::Uuid::from_u128(n + 1)).unwrap()
}

/// Two candidates without votes, and one ticket.
fn stats() -> RunStats {
    stats_of(&[0, 0])
}

fn stats_of(baseline: &[u64]) -> RunStats {
    let mut stats = RunStats::new(baseline, 0.0);
    stats.limits.push(1_000, None);
    stats
}

fn vote(stats: &mut RunStats, candidate: usize, response: VoteResponse) -> SentBallot {
    let sent = stats.send(Some(id(u128::from(stats.votes.sent))), candidate, 0);
    stats.answer(sent, response);
    sent
}

fn accept(stats: &mut RunStats, candidate: usize) {
    vote(stats, candidate, VoteResponse::Accepted(None));
}

fn unknown(stats: &mut RunStats, candidate: usize) -> SentBallot {
    vote(stats, candidate, VoteResponse::Unknown("TIMEOUT".into()))
}

fn verdict(stats: &RunStats, votes: &[u64]) -> Verdict {
    stats.verdict(&[Shown {
        url: "a".into(),
        votes: votes.into(),
    }])
}

fn word(stats: &RunStats, votes: &[u64]) -> &'static str {
    verdict(stats, votes).word()
}

#[test]
fn every_accepted_vote_shows_once() {
    let mut stats = stats();
    accept(&mut stats, 0);
    accept(&mut stats, 0);
    accept(&mut stats, 1);
    assert_eq!(word(&stats, &[2, 1]), "exact");
    assert!(!verdict(&stats, &[2, 1]).is_broken());
}

#[test]
fn one_vote_less_is_missing_and_one_more_is_doubled() {
    let mut stats = stats();
    for candidate in [0, 0, 1] {
        accept(&mut stats, candidate);
    }
    let it = verdict(&stats, &[1, 1]);
    let difference = |candidate, expected: RangeInclusive<u64>, shown| Difference {
        url: "a".into(),
        candidate,
        expected,
        shown,
    };
    assert_eq!(it.missing, [difference(0, 2..=2, 1)]);
    assert!(it.doubled.is_empty() && it.is_broken());
    let it = verdict(&stats, &[2, 2]);
    assert_eq!(it.doubled, [difference(1, 1..=1, 2)]);
    assert!(it.missing.is_empty() && it.is_broken());
    // As many in all do not make it right.
    assert_eq!(word(&stats, &[1, 2]), "missing_and_doubled");
}

#[test]
fn each_server_is_compared_for_itself() {
    let mut stats = stats();
    accept(&mut stats, 0);
    let shown = |url: &str, votes: [u64; 2]| Shown {
        url: url.into(),
        votes: votes.into(),
    };
    let it = stats.verdict(&[shown("a", [1, 0]), shown("b", [0, 0])]);
    assert_eq!(it.missing.len(), 1);
    assert_eq!(it.missing[0].url, "b");
}

#[test]
fn votes_from_before_the_run_are_expected() {
    let mut stats = stats_of(&[5, 0]);
    accept(&mut stats, 0);
    assert_eq!(word(&stats, &[6, 0]), "exact");
    assert_eq!(word(&stats, &[1, 0]), "missing");
    assert_eq!(word(&stats, &[7, 0]), "doubled");
}

#[test]
fn what_was_refused_must_not_show() {
    let mut stats = stats();
    vote(
        &mut stats,
        0,
        VoteResponse::Refused("TICKET_EXPIRED".into()),
    );
    vote(&mut stats, 1, VoteResponse::Fault("OVERLOADED".into()));
    assert_eq!(word(&stats, &[0, 0]), "exact");
    assert_eq!(word(&stats, &[1, 0]), "doubled");
    assert_eq!(word(&stats, &[0, 1]), "doubled");
    let counts = &stats.votes;
    assert_eq!(counts.refused["TICKET_EXPIRED"], 1);
    assert_eq!(counts.faults["OVERLOADED"], 1);
    assert_eq!((counts.sent, counts.accepted), (2, 0));
}

#[test]
fn an_unknown_vote_may_show_and_proves_nothing() {
    let mut stats = stats();
    accept(&mut stats, 0);
    unknown(&mut stats, 0);
    assert_eq!(word(&stats, &[0, 0]), "missing");
    // Whether one of them is the accepted one is not known.
    assert_eq!(word(&stats, &[1, 0]), "unproven");
    assert_eq!(word(&stats, &[2, 0]), "unproven");
    assert_eq!(word(&stats, &[3, 0]), "doubled");
    assert!(!verdict(&stats, &[1, 0]).is_broken());
}

#[test]
fn a_vote_without_any_answer_is_open() {
    let mut stats = stats();
    let sent = stats.send(Some(id(9)), 1, 0);
    let open = OpenBallot {
        entry: sent.entry,
        id: Some(id(9)),
        candidate: 1,
    };
    assert_eq!(stats.open(), [open]);
    assert_eq!(word(&stats, &[0, 1]), "unproven");
    stats.withdraw(sent);
    assert_eq!(stats.open(), []);
    assert_eq!(word(&stats, &[0, 0]), "exact");
    assert_eq!(stats.votes.sent, 0);
}

#[test]
fn only_an_acknowledgement_decides_an_unknown_vote() {
    for response in [VoteResponse::Duplicate, VoteResponse::Accepted(Some(1))] {
        let mut stats = stats();
        let SentBallot { entry, .. } = unknown(&mut stats, 0);
        for no in [
            VoteResponse::Refused("TICKET_EXHAUSTED".into()),
            VoteResponse::Fault("UNAVAILABLE".into()),
            VoteResponse::Unknown("OUTCOME_UNKNOWN".into()),
        ] {
            assert!(!stats.answer_open(entry, 0, &no), "{no:?}");
        }
        assert!(stats.answer_open(entry, 0, &response));
        assert_eq!(word(&stats, &[1, 0]), "exact", "{response:?}");
        assert_eq!(word(&stats, &[0, 0]), "missing", "{response:?}");
        assert_eq!(word(&stats, &[2, 0]), "doubled", "{response:?}");
        // Answered twice, it still is one vote.
        assert!(stats.answer_open(entry, 0, &response));
        assert_eq!(word(&stats, &[1, 0]), "exact");
        let counts = &stats.votes;
        assert_eq!((counts.resolved, counts.accepted), (1, 0));
        assert_eq!(counts.unknown["TIMEOUT"], 1);
    }
}

#[test]
fn a_retry_changes_no_tally_whatever_the_answer() {
    let mut stats = stats();
    let sent = vote(&mut stats, 0, VoteResponse::Accepted(None));
    for response in [
        VoteResponse::Duplicate,
        VoteResponse::Accepted(None),
        VoteResponse::Refused("TICKET_EXPIRED".into()),
        VoteResponse::Fault("OVERLOADED".into()),
        VoteResponse::Unknown("TIMEOUT".into()),
    ] {
        stats.answer_retry(sent, response);
    }
    assert_eq!(word(&stats, &[1, 0]), "exact");
    assert_eq!(word(&stats, &[2, 0]), "doubled");
    let retries = &stats.retries;
    assert_eq!(
        (retries.sent, retries.duplicate, retries.accepted_again),
        (5, 1, 1)
    );
    assert_eq!(retries.refused["TICKET_EXPIRED"], 1);
    assert_eq!(
        (retries.faults["OVERLOADED"], retries.unknown["TIMEOUT"]),
        (1, 1)
    );
}

#[test]
fn so_many_accepted_votes_are_retried() {
    let mut stats = RunStats::new(&[0], 0.25);
    stats.limits.push(1_000, None);
    let retried = (0..100).filter(|_| {
        let sent = stats.send(None, 0, 0);
        stats.answer(sent, VoteResponse::Accepted(None))
    });
    assert_eq!(retried.count(), 25);
    let sent = stats.send(None, 0, 0);
    assert!(!stats.answer(sent, VoteResponse::Refused("x".into())));
}

#[test]
fn a_tally_shows_at_least_what_was_acknowledged_before_the_vote_was_sent() {
    let mut stats = stats_of(&[10, 0]);
    let (first, second) = (stats.send(None, 0, 0), stats.send(None, 0, 0));
    stats.answer(first, VoteResponse::Accepted(Some(11)));
    // It was sent before the first one was acknowledged, and may be the earlier one.
    stats.answer(second, VoteResponse::Accepted(Some(11)));
    assert_eq!(stats.votes.shown_too_low, 0);
    let third = stats.send(None, 0, 0);
    stats.answer(third, VoteResponse::Accepted(Some(12)));
    assert_eq!(stats.votes.shown_too_low, 1);
    assert_eq!(word(&stats, &[13, 0]), "exact");
}

#[test]
fn a_ticket_buys_no_more_than_it_had() {
    let mut stats = RunStats::new(&[0], 0.0);
    let ticket = stats.limits.push(2, None);
    let other = stats.limits.push(2, None);
    let mut first = None;
    for ticket in [ticket, ticket, other] {
        let sent = stats.send(None, 0, ticket);
        stats.answer(sent, VoteResponse::Accepted(None));
        first.get_or_insert(sent);
    }
    // A duplicate costs no use.
    let sent = stats.send(None, 0, ticket);
    stats.answer(sent, VoteResponse::Duplicate);
    stats.answer_retry(first.unwrap(), VoteResponse::Duplicate);
    assert_eq!(word(&stats, &[4]), "exact");
    let sent = stats.send(Some(id(1)), 0, other);
    stats.answer(sent, VoteResponse::Unknown("TIMEOUT".into()));
    assert!(stats.answer_open(sent.entry, ticket, &VoteResponse::Accepted(None)));
    let it = verdict(&stats, &[5]);
    let oversold = Oversold {
        ticket,
        uses: 2,
        bought: 3,
    };
    assert_eq!(it.oversold, [oversold]);
    assert_eq!(it.word(), "oversold");
    assert!(it.is_broken() && it.tallies_match());
}

#[test]
fn the_ballots_that_count_for_a_candidate_are_known() {
    let mut stats = stats();
    accept(&mut stats, 0);
    accept(&mut stats, 1);
    vote(
        &mut stats,
        0,
        VoteResponse::Refused("TICKET_EXPIRED".into()),
    );
    let SentBallot { entry, .. } = unknown(&mut stats, 0);
    assert_eq!(stats.counting(0).collect::<Vec<_>>(), [id(0)]);
    stats.answer_open(entry, 0, &VoteResponse::Duplicate);
    assert_eq!(stats.counting(0).collect::<Vec<_>>(), [id(0), id(3)]);
}

#[test]
fn the_candidates_take_turns() {
    let mut stats = stats();
    let turns: Vec<_> = (0..4)
        .map(|_| {
            let candidate = stats.next_candidate();
            stats.send(None, candidate, 0);
            candidate
        })
        .collect();
    assert_eq!(turns, [0, 1, 0, 1]);
}
