//! The checker finds what is broken, and says which promise: on made-up ledgers, logs and tables.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::{
    ballot_history::{ballot_history, log_references},
    history::{History, Restore},
    ledger::{Ledger, Sending, VoteResponse},
    logged::{Logged, LoggedBallot},
    tables::{Stored, StoredBallot},
    verdict::{Breach, Evidence, Promise, breaches},
};

/// How often a ticket votes here.
const USES: u64 = 3;

/// Ballots that were sent, logged and stored as they should, for a test to break.
#[derive(Default)]
struct World {
    ledger: Ledger,
    logged: Logged,
    stored: Stored,
    history: History,
}

impl World {
    /// Some ballots, each with a ticket of its own, in a log of two partitions.
    fn of(ballots: usize) -> Self {
        let mut world = Self::default();
        for number in 0..ballots {
            let name = format!("v{number}");
            world.sent(&name, &format!("ticket of {name}"), VoteResponse::Accepted);
            world.logs(&name);
            world.stores(&name);
        }
        world
    }

    fn sent(&mut self, name: &str, ticket: &str, response: VoteResponse) {
        if !self.ledger.ballots.contains_key(name) {
            self.ledger.enter(name, Some(id(name)), &selections());
        }
        let sending = Sending {
            ticket: ticket.into(),
            server: "http://a".into(),
            at_unix_ms: 7,
            request: format!("request of {name}"),
            response,
            stale: false,
        };
        self.ledger.record(name, None, sending);
    }

    /// Behind all that is in its partition.
    fn logs(&mut self, name: &str) {
        let partition = u32::try_from(id(name).as_u128() % 2).unwrap();
        let end = self.logged.ends.entry(partition).or_default();
        self.logged.ballots.push(LoggedBallot {
            partition,
            offset: *end,
            id: id(name),
            voter: name.into(),
            selections: selections(),
        });
        *end += 1;
        self.stored.progress.insert(partition, *end);
    }

    fn stores(&mut self, name: &str) {
        for (candidate, votes) in selections() {
            *self.stored.votes.entry(candidate).or_default() += votes;
        }
        self.stored.totals = self.stored.votes.clone();
        self.stored.ballots.push(StoredBallot {
            id: id(name),
            voter: name.into(),
            candidates: selections().into_iter().map(|(name, _)| name).collect(),
            votes: selections().into_iter().map(|(_, votes)| votes).collect(),
        });
    }

    /// Takes a ballot out of the tables, with its votes.
    fn unstore(&mut self, name: &str) {
        self.stored.ballots.retain(|row| row.voter != name);
        self.stored.votes = self.stored.recount();
        self.stored.totals = self.stored.votes.clone();
    }

    fn unlog(&mut self, name: &str) {
        self.logged.ballots.retain(|ballot| ballot.voter != name);
    }

    fn evidence(&self) -> Evidence<'_> {
        Evidence {
            ledger: &self.ledger,
            stored: &self.stored,
            logged: &self.logged,
            uses: USES,
            history: &self.history,
        }
    }

    fn breaches(&self) -> Vec<Breach> {
        breaches(&self.evidence())
    }

    /// Exactly that promise broke, for exactly these ballots.
    #[track_caller]
    fn breaks(&self, promise: Promise, ballots: &[&str]) {
        let found = self.breaches();
        let [breach] = &found[..] else {
            panic!("one breach: {found:?}");
        };
        assert_eq!(breach.promise, promise, "{breach}");
        assert_eq!(breach.ballots, ballots, "{breach}");
    }
}

/// From the name's last digits, so that it is known where a ballot belongs.
fn id(name: &str) -> Uuid {
    let number: String = name.chars().filter(char::is_ascii_digit).collect();
    Uuid::from_u128(number.parse().unwrap())
}

fn selections() -> Vec<(String, u64)> {
    vec![("ada".into(), 2), ("bo".into(), 1), ("ada".into(), 1)]
}

#[test]
fn where_nothing_is_broken_nothing_is_found() {
    let mut world = World::of(6);
    // All that may happen: sent again and logged again, given up, refused, of unknown outcome.
    world.logs("v3");
    world.sent("v3", "another", VoteResponse::Duplicate);
    world.sent("v10", "t", VoteResponse::Refused("TICKET_EXHAUSTED".into()));
    world.sent("v11", "t", VoteResponse::Unavailable("UNAVAILABLE".into()));
    world.sent("v12", "t", VoteResponse::Unknown("OUTCOME_UNKNOWN".into()));
    world.sent("v13", "t", VoteResponse::Unknown("no answer".into()));
    world.logs("v13");
    world.stores("v13");
    assert_eq!(world.breaches(), []);
    // A ballot of unknown outcome may also be logged and not folded yet.
    world.sent("v15", "t", VoteResponse::Unknown("OUTCOME_UNKNOWN".into()));
    world.logs("v15");
    *world.stored.progress.get_mut(&1).unwrap() -= 1;
    assert_eq!(world.breaches(), []);
}

#[test]
fn promise_1_is_broken_by_an_acknowledged_ballot_that_the_log_does_not_have() {
    let mut world = World::of(4);
    world.unlog("v3");
    world.unstore("v3");
    world.breaks(Promise::AcknowledgedMeansLogged, &["v3"]);
}

#[test]
fn promise_1_is_broken_by_a_log_that_has_another_ballot_than_was_sent() {
    let mut world = World::of(4);
    let logged = world.logged.ballots.iter_mut();
    for ballot in logged.filter(|ballot| ballot.voter == "v2") {
        ballot.selections[0].1 += 1;
    }
    world.stored.ballots[2].votes[0] += 1;
    world.stored.votes = world.stored.recount();
    world.stored.totals = world.stored.votes.clone();
    world.breaks(Promise::AcknowledgedMeansLogged, &["v2"]);
}

#[test]
fn promise_2_is_broken_by_a_logged_ballot_that_the_store_passed_over() {
    let mut world = World::of(4);
    world.unstore("v0");
    world.breaks(Promise::StoreIsExact, &["v0"]);
    // Also where the outcome was unknown.
    let mut world = World::of(4);
    world.sent("v9", "t", VoteResponse::Unknown("OUTCOME_UNKNOWN".into()));
    world.logs("v9");
    world.breaks(Promise::StoreIsExact, &["v9"]);
}

#[test]
fn promise_2_is_broken_by_a_fold_that_stands_still() {
    let mut world = World::of(4);
    world.unstore("v3");
    *world.stored.progress.get_mut(&1).unwrap() -= 1;
    world.breaks(Promise::StoreIsExact, &["v3"]);
}

#[test]
fn promise_2_is_broken_by_a_ballot_that_counts_twice() {
    let mut world = World::of(4);
    // As another ballot of the same name.
    world.logs("v1");
    world.logged.ballots.last_mut().unwrap().id = id("101");
    world.stores("v1");
    world.stored.ballots.last_mut().unwrap().id = id("101");
    world.breaks(Promise::StoreIsExact, &["v1"]);
    // And in the sums alone.
    let mut world = World::of(4);
    *world.stored.votes.get_mut("bo").unwrap() += 1;
    world.breaks(Promise::StoreIsExact, &[]);
    let mut world = World::of(4);
    *world.stored.totals.get_mut("bo").unwrap() += 1;
    world.breaks(Promise::StoreIsExact, &[]);
}

#[test]
fn promise_2_is_broken_by_a_ballot_that_was_never_sent() {
    let mut world = World::of(4);
    world.sent("v9", "t", VoteResponse::Unknown("OUTCOME_UNKNOWN".into()));
    world.stores("v9");
    world.breaks(Promise::StoreIsExact, &["v9"]);
    let mut world = World::of(4);
    world.logs("v9");
    world.stores("v9");
    world.breaks(Promise::StoreIsExact, &["v9"]);
}

#[test]
fn promise_2_is_broken_by_what_was_counted_before_its_turn() {
    let mut world = World::of(4);
    *world.stored.progress.get_mut(&0).unwrap() -= 1;
    world.breaks(Promise::StoreIsExact, &["v2"]);
}

#[test]
fn promise_2_is_broken_by_a_store_or_a_log_that_confuses_ballots() {
    let mut world = World::of(4);
    world.stored.ballots[1].votes = vec![1, 1, 2];
    world.breaks(Promise::StoreIsExact, &["v1"]);
    let mut world = World::of(4);
    world.logs("v1");
    world.logged.ballots.last_mut().unwrap().partition = 0;
    world.breaks(Promise::StoreIsExact, &["v1"]);
    let mut world = World::of(4);
    world.stored.rejected = 1;
    world.breaks(Promise::StoreIsExact, &[]);
}

#[test]
fn promise_3_is_broken_by_one_ballot_more_than_the_limit() {
    let mut world = World::default();
    for number in 0..USES {
        let name = format!("v{number}");
        world.sent(&name, "shared", VoteResponse::Accepted);
        world.logs(&name);
        world.stores(&name);
    }
    assert_eq!(world.breaches(), []);
    // One that was sent with another ticket, too, and accepted with this one.
    world.sent(
        "v7",
        "other",
        VoteResponse::Unavailable("UNAVAILABLE".into()),
    );
    world.sent("v7", "shared", VoteResponse::Accepted);
    world.logs("v7");
    world.stores("v7");
    world.breaks(Promise::TicketsHaveALimit, &["v0", "v1", "v2", "v7"]);
}

#[test]
fn promise_3_is_broken_also_by_ballots_of_unknown_outcome() {
    let mut world = World::default();
    for number in 0..=USES {
        let name = format!("v{number}");
        world.sent(&name, "shared", VoteResponse::Unknown("no answer".into()));
        world.logs(&name);
        world.stores(&name);
    }
    world.breaks(Promise::TicketsHaveALimit, &["v0", "v1", "v2", "v3"]);
}

#[test]
fn promise_5_is_broken_by_what_was_undone_and_not_folded_again() {
    let mut world = World::of(6);
    world.unstore("v4");
    // In partition 0, v0, v2 and v4 have the offsets 0 to 2.
    let restore = |from, to| Restore {
        from: BTreeMap::from([(0, from)]),
        to: BTreeMap::from([(0, to)]),
    };
    world.history.restores = vec![restore(2, 0)];
    world.breaks(Promise::StoreIsExact, &["v4"]);
    world.history.restores.push(restore(3, 2));
    world.breaks(Promise::StoreMayBeRestored, &["v4"]);
}

#[test]
fn an_answer_is_untrue_that_refuses_a_ballot_that_counts() {
    for response in [
        VoteResponse::Refused("TICKET_EXPIRED".into()),
        VoteResponse::Unavailable("OVERLOADED".into()),
    ] {
        let mut world = World::of(4);
        world.sent("v9", "t", response);
        world.logs("v9");
        world.stores("v9");
        world.breaks(Promise::AnswersAreTrue, &["v9"]);
    }
}

#[test]
fn an_answer_is_untrue_that_names_another_ballot_or_comes_too_late() {
    let mut world = World::of(4);
    world.ledger.ballots.get_mut("v1").unwrap().id = Some(id("101"));
    world.breaks(Promise::AnswersAreTrue, &["v1"]);
    let mut world = World::of(4);
    world.sent("v9", "t", VoteResponse::TimedOut);
    world.breaks(Promise::AnswersAreTrue, &["v9"]);
}

#[test]
fn a_ballot_history_has_all_that_is_known_of_a_ballot() {
    let mut world = World::of(2);
    world.sent(
        "v1",
        "another ticket",
        VoteResponse::Unknown("OUTCOME_UNKNOWN".into()),
    );
    let text = ballot_history("v1", &world.evidence());
    for part in [
        "ballot \"v1\", id 00000000-0000-0000-0000-000000000001, for",
        "7 at http://a: Accepted; request \"request of v1\", ticket ticket of v1",
        "Unknown(\"OUTCOME_UNKNOWN\"); request \"request of v1\", ticket another ticket",
        "in the log: partition 1, offset 0",
        "in the store: StoredBallot",
        "the store's progress: {0: 1, 1: 1}",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let expected = ["request of v1", "request of v1", &id("v1").to_string()];
    assert_eq!(log_references("v1", &world.ledger), expected);
}
