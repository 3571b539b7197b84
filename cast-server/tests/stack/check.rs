//! Whether acknowledged equals stored, exactly: what the voters were told, beside what is in the
//! tables. It knows nothing of how one became the other.

use std::collections::BTreeMap;

use cast_core::domain::{BallotId, Partitions};
use cast_testkit::Seed;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    ledger::{Due, Entry, Ledger},
    program::{Client, run},
    stack::{LATER, PARTITIONS, Stack},
    voters::{Book, Paper, Voter},
};

/// Shown for the most: what differs, differs in few ways.
const SHOWN: usize = 10;

/// What is in the tables, in one view.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) ballots: Vec<StoredBallot>,
    /// By candidate: the table that people look at.
    pub(crate) votes: BTreeMap<String, u64>,
    /// By candidate: what it adds up.
    pub(crate) totals: BTreeMap<String, u64>,
    pub(crate) rejected: u64,
    /// By partition: the first record that was not applied.
    pub(crate) progress: BTreeMap<u32, u64>,
}

/// A ballot that was counted.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct StoredBallot {
    pub(crate) id: Uuid,
    pub(crate) voter: String,
    pub(crate) candidates: Vec<String>,
    pub(crate) votes: Vec<u64>,
}

const STORED: &str = "SELECT json_build_object(
    'ballots', (SELECT coalesce(json_agg(ballots ORDER BY id), '[]') FROM ballots),
    'votes', (SELECT coalesce(json_object_agg(username, count), '{}') FROM votes),
    'totals', (SELECT coalesce(json_object_agg(candidate, votes), '{}')
               FROM (SELECT candidate, sum(votes) AS votes FROM totals GROUP BY candidate) AS sums),
    'rejected', (SELECT count(*) FROM rejected),
    'progress', (SELECT coalesce(json_object_agg(partition, next), '{}') FROM progress))";

impl Stored {
    /// What is in the tables now.
    pub(crate) async fn read(stack: &Stack) -> Self {
        let text = stack.database.sql(STORED).await;
        serde_json::from_str(&text).expect("what was asked for")
    }

    /// The ballots counted again, by candidate.
    fn recount(&self) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for ballot in &self.ballots {
            for (candidate, votes) in ballot.candidates.iter().zip(&ballot.votes) {
                *sums.entry(candidate.clone()).or_default() += votes;
            }
        }
        sums
    }

    fn by_name(&self) -> BTreeMap<&str, Vec<&StoredBallot>> {
        let mut by_name: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for ballot in &self.ballots {
            by_name.entry(&ballot.voter).or_default().push(ballot);
        }
        by_name
    }
}

/// Waits until the log is folded and the tallies shown have healed, and compares everything with
/// everything.
///
/// # Panics
///
/// With what differs, if anything does by the deadline.
pub(crate) async fn check(stack: &Stack, book: &Book, doors: &[Client]) {
    drained(stack, book).await;
    let (ledger, stored) = (book.ledger(), Stored::read(stack).await);
    let differences = differences(&ledger, &stored, uses(stack));
    assert!(
        differences.is_empty(),
        "{} differences, among them:\n{}",
        differences.len(),
        differences[..differences.len().min(SHOWN)].join("\n")
    );
    for door in doors {
        healed(door, &ledger, &stored).await;
        fates(door, &ledger, &stored).await;
    }
    audited(stack).await;
}

/// Waits until `audit` finds nothing: some of what it may find heals.
pub(crate) async fn audited(stack: &Stack) {
    let last = std::cell::RefCell::new(String::new());
    let auditing = async {
        loop {
            let (code, report, stderr) = run(stack.command("audit", &[])).await;
            if code == Some(0) {
                return;
            }
            last.replace(format!("{code:?}: {report}{stderr}"));
        }
    };
    let in_time = tokio::time::timeout(LATER / 3, auditing).await.is_ok();
    assert!(in_time, "the audit found {}", last.into_inner());
}

/// Waits until the store has all that the log had when this was called: it sends one more ballot to
/// each partition, and waits for them and for all that were acknowledged.
pub(crate) async fn drained(stack: &Stack, book: &Book) {
    let partitions = Partitions::new(PARTITIONS.into()).unwrap();
    let mut last = Voter::new("the last", Seed::random(), book);
    for home in partitions.iter() {
        let ballot = std::iter::repeat_with(|| Paper::one("the last")).find(|ballot| {
            let id = BallotId::new(ballot.id.unwrap()).unwrap();
            partitions.home_of(id) == home
        });
        let name = format!("the last {}", Uuid::from_u128(Seed::random().get().into()));
        last.vote(&name, &ballot.unwrap()).await;
    }
    let missing = std::cell::RefCell::new(Vec::new());
    let all_stored = async {
        loop {
            *missing.borrow_mut() = missing_in(&book.ledger(), &Stored::read(stack).await);
            if missing.borrow().is_empty() {
                return;
            }
            cast_testkit::pause(std::time::Duration::from_millis(100)).await;
        }
    };
    if tokio::time::timeout(LATER / 2, all_stored).await.is_err() {
        let missing = missing.into_inner();
        panic!(
            "{} ballots were acknowledged and are not stored, among them:\n{}",
            missing.len(),
            missing[..missing.len().min(SHOWN)].join("\n")
        );
    }
}

/// The ballots that were acknowledged and are not there.
fn missing_in(ledger: &Ledger, stored: &Stored) -> Vec<String> {
    let stored = stored.by_name();
    let due = ledger.ballots.iter();
    due.filter(|(name, entry)| entry.due() == Due::Stored && !stored.contains_key(name.as_str()))
        .map(|(name, entry)| format!("{name}: {entry:?}"))
        .collect()
}

/// How often a ticket votes.
fn uses(stack: &Stack) -> usize {
    let known = stack.settings.iter();
    let mut set = known
        .filter(|(name, _)| name == "CAST_TICKET_USES")
        .map(|(_, uses)| uses.parse().unwrap());
    set.next_back().unwrap_or(100)
}

/// All that is not as it must be.
fn differences(ledger: &Ledger, stored: &Stored, uses: usize) -> Vec<String> {
    let mut differences = missing_in(ledger, stored);
    for (name, ballots) in stored.by_name() {
        if ballots.len() > 1 {
            differences.push(format!("counted twice: {name}: {ballots:?}"));
        }
        match ledger.ballots.get(name) {
            None => differences.push(format!("nobody sent it: {name}: {ballots:?}")),
            Some(entry) => differences.extend(unlike(name, entry, ballots[0])),
        }
    }
    differences.extend(overspent(ledger, stored, uses));
    let recount = stored.recount();
    for (what, sums) in [("votes", &stored.votes), ("totals", &stored.totals)] {
        if *sums != recount {
            differences.push(format!(
                "{what} are {sums:?}, the ballots add up to {recount:?}"
            ));
        }
    }
    if stored.rejected > 0 {
        differences.push(format!("{} rejected", stored.rejected));
    }
    differences
}

/// What is wrong with a ballot that is there.
fn unlike(name: &str, entry: &Entry, stored: &StoredBallot) -> Option<String> {
    let selections = stored.candidates.iter().cloned();
    let selections: Vec<_> = selections.zip(stored.votes.iter().copied()).collect();
    let wrong = if entry.due() == Due::Absent {
        "its voter was told that it does not count"
    } else if selections != entry.selections {
        "it says something else"
    } else if entry.id.is_some_and(|id| id != stored.id) {
        "it has another id"
    } else {
        return None;
    };
    Some(format!("{wrong}: {name}: {stored:?}, sent as {entry:?}"))
}

/// Tickets that bought more than they may, looking only at ballots that were never sent with
/// another ticket: whose use the others took, nobody can tell from here.
fn overspent(ledger: &Ledger, stored: &Stored, uses: usize) -> Vec<String> {
    let mut bought: BTreeMap<&str, usize> = BTreeMap::new();
    for ballot in &stored.ballots {
        let entry = ledger.ballots.get(&ballot.voter);
        let sendings = entry.map_or(&[][..], |entry| &entry.sendings);
        if let [first, rest @ ..] = sendings
            && rest.iter().all(|next| next.ticket == first.ticket)
        {
            *bought.entry(&first.ticket).or_default() += 1;
        }
    }
    let too_many = bought.into_iter().filter(|(_, count)| *count > uses);
    too_many
        .map(|(ticket, count)| format!("a ticket bought {count} ballots: {ticket}"))
        .collect()
}

/// Waits until a server shows the tallies of the store.
async fn healed(door: &Client, ledger: &Ledger, stored: &Stored) {
    let names = ledger.candidates();
    let expected: Vec<_> = names
        .iter()
        .map(|name| (name.clone(), stored.votes.get(name).copied().unwrap_or(0)))
        .collect();
    let shown = std::cell::RefCell::new(Vec::new());
    let waiting = async {
        while *shown.borrow() != expected {
            cast_testkit::pause(std::time::Duration::from_millis(50)).await;
            shown.replace(tallies(door, &names).await);
        }
    };
    let in_time = tokio::time::timeout(LATER / 3, waiting).await.is_ok();
    let shown = shown.into_inner();
    assert!(in_time, "shown are {shown:?}, stored are {expected:?}");
}

/// What a server shows; nothing while it cannot.
pub(crate) async fn tallies(door: &Client, names: &[String]) -> Vec<(String, u64)> {
    let query = "query($names: [String!]!) { tallies(usernames: $names) { username votes } }";
    let reply = door.ask(query, json!({"names": names})).await;
    let Some(tallies) = reply.body["data"]["tallies"].as_array() else {
        return Vec::new();
    };
    let tally = |tally: &Value| {
        let name = tally["username"].as_str().unwrap();
        (name.to_owned(), tally["votes"].as_u64().unwrap())
    };
    tallies.iter().map(tally).collect()
}

/// What a server says became of a ballot: nothing if nobody has seen it.
pub(crate) async fn fate(door: &Client, id: Uuid) -> Option<String> {
    let query = "query($id: ID!) { ballot(id: $id) { fate } }";
    let data = door.data(query, json!({"id": id})).await;
    data["ballot"]["fate"].as_str().map(String::from)
}

/// Whoever was ever left in the dark can ask: the ballot was counted, or nobody has it.
async fn fates(door: &Client, ledger: &Ledger, stored: &Stored) {
    let stored = stored.by_name();
    let in_the_dark = |entry: &Entry| {
        let mut told = entry.sendings.iter().map(|sending| &sending.told);
        told.any(|told| matches!(told, crate::ledger::Told::Unknown(_)))
    };
    for (name, entry) in &ledger.ballots {
        if let Some(id) = entry.id.filter(|_| in_the_dark(entry)) {
            let expected = stored.contains_key(name.as_str()).then_some("COUNTED");
            assert_eq!(
                fate(door, id).await.as_deref(),
                expected,
                "{name}: {entry:?}"
            );
        }
    }
}
