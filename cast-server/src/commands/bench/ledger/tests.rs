use super::*;

fn id(n: u128) -> BallotId {
    BallotId::new(uuid::Uuid::from_u128(n + 1)).unwrap()
}

/// Two candidates without votes, and one ticket.
fn ledger() -> Ledger {
    ledger_of(&[0, 0])
}

fn ledger_of(baseline: &[u64]) -> Ledger {
    let mut ledger = Ledger::new(baseline, 0.0);
    ledger.ticket_seen(1_000, Duration::ZERO);
    ledger
}

fn vote(ledger: &mut Ledger, candidate: usize, told: Told) -> Sent {
    let sent = ledger.send(Some(id(ledger.entries.len() as u128)), candidate);
    ledger.told(sent, 0, told);
    sent
}

fn accept(ledger: &mut Ledger, candidate: usize) {
    vote(ledger, candidate, Told::Accepted(None));
}

fn unknown(ledger: &mut Ledger, candidate: usize) -> Sent {
    vote(ledger, candidate, Told::Unknown("TIMEOUT".into()))
}

fn verdict(ledger: &Ledger, votes: &[u64]) -> Verdict {
    ledger.verdict(&[Shown {
        url: "a".into(),
        votes: votes.into(),
    }])
}

fn word(ledger: &Ledger, votes: &[u64]) -> &'static str {
    verdict(ledger, votes).word()
}

#[test]
fn every_accepted_vote_shows_once() {
    let mut ledger = ledger();
    accept(&mut ledger, 0);
    accept(&mut ledger, 0);
    accept(&mut ledger, 1);
    assert_eq!(word(&ledger, &[2, 1]), "exact");
    assert!(!verdict(&ledger, &[2, 1]).is_broken());
}

#[test]
fn one_vote_less_is_missing_and_one_more_is_doubled() {
    let mut ledger = ledger();
    for candidate in [0, 0, 1] {
        accept(&mut ledger, candidate);
    }
    let it = verdict(&ledger, &[1, 1]);
    let difference = |candidate, expected, shown| Difference {
        url: "a".into(),
        candidate,
        expected,
        shown,
    };
    assert_eq!(it.missing, [difference(0, 2..=2, 1)]);
    assert!(it.doubled.is_empty() && it.is_broken());
    let it = verdict(&ledger, &[2, 2]);
    assert_eq!(it.doubled, [difference(1, 1..=1, 2)]);
    assert!(it.missing.is_empty() && it.is_broken());
    // As many in all do not make it right.
    assert_eq!(word(&ledger, &[1, 2]), "missing_and_doubled");
}

#[test]
fn each_server_is_compared_for_itself() {
    let mut ledger = ledger();
    accept(&mut ledger, 0);
    let shown = |url: &str, votes: [u64; 2]| Shown {
        url: url.into(),
        votes: votes.into(),
    };
    let it = ledger.verdict(&[shown("a", [1, 0]), shown("b", [0, 0])]);
    assert_eq!(it.missing.len(), 1);
    assert_eq!(it.missing[0].url, "b");
}

#[test]
fn what_was_there_before_is_not_the_runs() {
    let mut ledger = ledger_of(&[5, 0]);
    accept(&mut ledger, 0);
    assert_eq!(word(&ledger, &[6, 0]), "exact");
    assert_eq!(word(&ledger, &[1, 0]), "missing");
    assert_eq!(word(&ledger, &[7, 0]), "doubled");
}

#[test]
fn what_was_refused_must_not_show() {
    let mut ledger = ledger();
    vote(&mut ledger, 0, Told::Refused("TICKET_EXPIRED".into()));
    vote(&mut ledger, 1, Told::Fault("OVERLOADED".into()));
    assert_eq!(word(&ledger, &[0, 0]), "exact");
    assert_eq!(word(&ledger, &[1, 0]), "doubled");
    assert_eq!(word(&ledger, &[0, 1]), "doubled");
    let counts = ledger.counts();
    assert_eq!(counts.refused["TICKET_EXPIRED"], 1);
    assert_eq!(counts.faults["OVERLOADED"], 1);
    assert_eq!((counts.sent, counts.accepted), (2, 0));
}

#[test]
fn an_unknown_vote_may_show_and_proves_nothing() {
    let mut ledger = ledger();
    accept(&mut ledger, 0);
    unknown(&mut ledger, 0);
    assert_eq!(word(&ledger, &[0, 0]), "missing");
    // Whether one of them is the accepted one, nobody knows.
    assert_eq!(word(&ledger, &[1, 0]), "unproven");
    assert_eq!(word(&ledger, &[2, 0]), "unproven");
    assert_eq!(word(&ledger, &[3, 0]), "doubled");
    assert!(!verdict(&ledger, &[1, 0]).is_broken());
}

#[test]
fn a_vote_without_any_answer_is_open() {
    let mut ledger = ledger();
    let sent = ledger.send(Some(id(9)), 1);
    let open = OpenBallot {
        place: sent.place,
        id: Some(id(9)),
        candidate: 1,
    };
    assert_eq!(ledger.open(), [open]);
    assert_eq!(word(&ledger, &[0, 1]), "unproven");
    ledger.not_sent(sent);
    assert_eq!(ledger.open(), []);
    assert_eq!(word(&ledger, &[0, 0]), "exact");
    assert_eq!(ledger.counts().sent, 0);
}

#[test]
fn only_a_yes_decides_an_unknown_vote() {
    for told in [Told::Duplicate, Told::Accepted(Some(1))] {
        let mut ledger = ledger();
        let Sent { place, .. } = unknown(&mut ledger, 0);
        for no in [
            Told::Refused("TICKET_EXHAUSTED".into()),
            Told::Fault("UNAVAILABLE".into()),
            Told::Unknown("OUTCOME_UNKNOWN".into()),
        ] {
            assert!(!ledger.told_of_open(place, 0, &no), "{no:?}");
        }
        assert!(ledger.told_of_open(place, 0, &told));
        assert_eq!(word(&ledger, &[1, 0]), "exact", "{told:?}");
        assert_eq!(word(&ledger, &[0, 0]), "missing", "{told:?}");
        assert_eq!(word(&ledger, &[2, 0]), "doubled", "{told:?}");
        // Told twice, it still is one vote.
        assert!(ledger.told_of_open(place, 0, &told));
        assert_eq!(word(&ledger, &[1, 0]), "exact");
        let counts = ledger.counts();
        assert_eq!((counts.resolved, counts.accepted), (1, 0));
        assert_eq!(counts.unknown["TIMEOUT"], 1);
    }
}

#[test]
fn a_retry_changes_no_tally_whatever_is_told() {
    let mut ledger = ledger();
    accept(&mut ledger, 0);
    for told in [
        Told::Duplicate,
        Told::Accepted(None),
        Told::Refused("TICKET_EXPIRED".into()),
        Told::Fault("OVERLOADED".into()),
        Told::Unknown("TIMEOUT".into()),
    ] {
        ledger.told_of_retry(told);
    }
    assert_eq!(word(&ledger, &[1, 0]), "exact");
    assert_eq!(word(&ledger, &[2, 0]), "doubled");
    let retries = ledger.retries();
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
    let mut ledger = Ledger::new(&[0], 0.25);
    ledger.ticket_seen(1_000, Duration::ZERO);
    let retried = (0..100).filter(|_| {
        let sent = ledger.send(None, 0);
        ledger.told(sent, 0, Told::Accepted(None))
    });
    assert_eq!(retried.count(), 25);
    let sent = ledger.send(None, 0);
    assert!(!ledger.told(sent, 0, Told::Refused("x".into())));
}

#[test]
fn a_tally_shows_at_least_what_was_acknowledged_before_the_vote_was_sent() {
    let mut ledger = ledger_of(&[10, 0]);
    let (first, second) = (ledger.send(None, 0), ledger.send(None, 0));
    ledger.told(first, 0, Told::Accepted(Some(11)));
    // It was sent before the first one was acknowledged, and may be the earlier one.
    ledger.told(second, 0, Told::Accepted(Some(11)));
    assert_eq!(ledger.counts().shown_too_low, 0);
    let third = ledger.send(None, 0);
    ledger.told(third, 0, Told::Accepted(Some(12)));
    assert_eq!(ledger.counts().shown_too_low, 1);
    assert_eq!(word(&ledger, &[13, 0]), "exact");
}

#[test]
fn a_ticket_buys_no_more_than_it_had() {
    let mut ledger = Ledger::new(&[0], 0.0);
    let ticket = ledger.ticket_seen(2, Duration::ZERO);
    let other = ledger.ticket_seen(2, Duration::ZERO);
    for ticket in [ticket, ticket, other] {
        let sent = ledger.send(None, 0);
        ledger.told(sent, ticket, Told::Accepted(None));
    }
    // A duplicate costs no use.
    let sent = ledger.send(None, 0);
    ledger.told(sent, ticket, Told::Duplicate);
    ledger.told_of_retry(Told::Duplicate);
    assert_eq!(word(&ledger, &[4]), "exact");
    let sent = ledger.send(Some(id(1)), 0);
    ledger.told(sent, other, Told::Unknown("TIMEOUT".into()));
    assert!(ledger.told_of_open(sent.place, ticket, &Told::Accepted(None)));
    let it = verdict(&ledger, &[5]);
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
    let mut ledger = ledger();
    accept(&mut ledger, 0);
    accept(&mut ledger, 1);
    vote(&mut ledger, 0, Told::Refused("TICKET_EXPIRED".into()));
    let Sent { place, .. } = unknown(&mut ledger, 0);
    assert_eq!(ledger.counting(0).collect::<Vec<_>>(), [id(0)]);
    ledger.told_of_open(place, 0, &Told::Duplicate);
    assert_eq!(ledger.counting(0).collect::<Vec<_>>(), [id(0), id(3)]);
}

#[test]
fn the_candidates_take_turns() {
    let mut ledger = ledger();
    let turns: Vec<_> = (0..4)
        .map(|_| {
            let candidate = ledger.next_candidate();
            ledger.send(None, candidate);
            candidate
        })
        .collect();
    assert_eq!(turns, [0, 1, 0, 1]);
}

#[test]
fn tickets_bound_the_rate() {
    let mut ledger = Ledger::new(&[0], 0.0);
    assert_eq!(ledger.allowance(), Allowance::default());
    // The first one was met near its end.
    for (uses, seconds) in [(7, 0), (100, 1), (99, 3), (100, 5)] {
        ledger.ticket_seen(uses, Duration::from_secs(seconds));
    }
    let allowance = ledger.allowance();
    assert_eq!((allowance.tickets, allowance.uses), (4, 100));
    assert_eq!(allowance.votes_per_second(), Some(50.0));
}
