//! Whether all promises held: waits until the log is folded and the tallies shown have recovered, and
//! compares everything with everything.

use std::{cell::RefCell, collections::BTreeSet, time::Duration};

use cast_core::{
    domain::{BallotId, Partitions},
    ledger::Expectation,
};
use cast_testkit::{Seed, pause, servers::random_name};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

pub(crate) use crate::tables::Stored;
use crate::{
    ballot_history::ballot_history,
    logged::Logged,
    program::{Client, process::run_within},
    stack::{LATER, PARTITIONS, Stack, until},
    tables::counted,
    verdict::{self, Breach, Evidence, Promise},
    voters::Voter,
    workload::{VoteInput, Workload},
};

/// How many ballots of a breach are shown: what differs, differs in few ways.
const SHOWN: usize = 10;

/// How many questions are asked at once.
const AT_ONCE: usize = 4;

/// What was found.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) breaches: Vec<Breach>,
    /// Each breach, with all that is known of some of its ballots.
    pub(crate) text: String,
}

/// Compares everything with everything.
///
/// # Panics
///
/// With the promises that broke, and the ballots concerned.
pub(crate) async fn check(stack: &Stack, workload: &Workload, apis: &[Client]) {
    let found = examine(stack, workload, apis, &mut BTreeSet::new()).await;
    assert!(found.breaches.is_empty(), "{}", found.text);
}

/// Compares everything with everything. `asked` has the ballots whose fate was asked for before.
pub(crate) async fn examine(
    stack: &Stack,
    workload: &Workload,
    apis: &[Client],
    asked: &mut BTreeSet<String>,
) -> Findings {
    let is_folded = fold_all(stack, workload).await;
    let ledger = workload.ledger();
    let stored = Stored::read(stack).await;
    let logged = Logged::read(stack).await;
    let history = stack.history.lock().unwrap().clone();
    let evidence = Evidence {
        ledger: &ledger,
        stored: &stored,
        logged: &logged,
        uses: uses(stack),
        history: &history,
    };
    let mut breaches = verdict::breaches(&evidence);
    if !is_folded {
        let what = "the log is not folded in time, though all servers are there";
        breaches.push(Breach::new(Promise::StoreIsExact, what));
    }
    // What is shown cannot be right where the store is not.
    if breaches.is_empty() {
        for api in apis {
            breaches.extend(recovered(api, &evidence).await);
        }
        breaches.extend(fates(apis, &evidence, asked).await);
        breaches.extend(audit(stack).await);
    }
    let text = breaches.iter().map(|breach| report(breach, &evidence));
    Findings {
        text: text.collect::<Vec<_>>().join("\n"),
        breaches,
    }
}

fn report(breach: &Breach, evidence: &Evidence<'_>) -> String {
    let shown = breach.ballots.iter().take(SHOWN);
    let histories = shown.map(|name| ballot_history(name, evidence));
    let lines: Vec<_> = std::iter::once(breach.to_string())
        .chain(histories)
        .collect();
    lines.join("\n")
}

/// Waits until `audit` finds nothing: some differences are temporary.
///
/// # Panics
///
/// With what it found, if it still does by the deadline.
pub(crate) async fn audited(stack: &Stack) {
    let found = audit(stack).await;
    assert!(found.is_none(), "{found:?}");
}

async fn audit(stack: &Stack) -> Option<Breach> {
    let last = RefCell::new(String::new());
    let auditing = async {
        loop {
            let (code, report, stderr) = run_within(LATER, stack.command("audit", &[])).await;
            if code == Some(0) {
                return;
            }
            last.replace(format!("the audit found {code:?}: {report}{stderr}"));
        }
    };
    let in_time = timeout(LATER, auditing).await.is_ok();
    (!in_time).then(|| Breach::new(Promise::StoreIsExact, last.into_inner()))
}

/// Waits until the store has all that the log had when this was called.
pub(crate) async fn drained(stack: &Stack, workload: &Workload) {
    // Voters may go on meanwhile; what is acknowledged from now on may be folded later.
    let due = workload.read(|ledger| {
        let names = ledger.ballots.keys();
        let is_due = |name: &&String| ledger.expectation(name) == Some(Expectation::Counted);
        names.filter(is_due).cloned().collect::<Vec<_>>()
    });
    assert!(
        fold_all(stack, workload).await,
        "the log is not folded in time"
    );
    // A store that was restored in between has folded it again by now.
    let stored = Stored::read(stack).await;
    let stored = stored.by_name();
    let missing = due
        .iter()
        .filter(|name| !stored.contains_key(name.as_str()));
    let missing: Vec<_> = workload.read(|ledger| {
        missing
            .map(|name| format!("{name}: {:?}", ledger.ballots[name]))
            .collect()
    });
    assert!(missing.is_empty(), "not stored: {}", missing.join("\n"));
}

/// Sends one more ballot to each partition, and waits for them to be stored, all before them with
/// them; whether they are by the deadline.
async fn fold_all(stack: &Stack, workload: &Workload) -> bool {
    let partitions = Partitions::new(PARTITIONS.into()).unwrap();
    let mut last = Voter::new("the last", Seed::random(), workload);
    let mut ids = Vec::new();
    for home in partitions.iter() {
        let ballot = std::iter::repeat_with(|| VoteInput::one("the last")).find(|ballot| {
            let id = BallotId::new(ballot.id.unwrap()).unwrap();
            partitions.partition_of(id) == home
        });
        let (name, ballot) = (format!("the last {}", random_name()), ballot.unwrap());
        last.vote(&name, &ballot).await;
        ids.extend(ballot.id);
    }
    let all_stored = async {
        while counted(&stack.database, &ids).await < ids.len() {
            pause(Duration::from_millis(100)).await;
        }
    };
    timeout(LATER / 2, all_stored).await.is_ok()
}

/// How often a ticket votes.
fn uses(stack: &Stack) -> u64 {
    let known = stack.settings.iter();
    let mut set = known
        .filter(|(name, _)| name == "CAST_TICKET_USES")
        .map(|(_, uses)| uses.parse().unwrap());
    set.next_back().unwrap_or(100)
}

/// Waits until a server shows the tallies of the store.
async fn recovered(api: &Client, evidence: &Evidence<'_>) -> Option<Breach> {
    let names = evidence.ledger.candidates();
    let votes = &evidence.stored.votes;
    let expected: Vec<_> = names
        .iter()
        .map(|name| (name.clone(), votes.get(name).copied().unwrap_or(0)))
        .collect();
    let shown = RefCell::new(Vec::new());
    let waiting = async {
        while *shown.borrow() != expected {
            pause(Duration::from_millis(50)).await;
            shown.replace(tallies(api, &names).await);
        }
    };
    if timeout(LATER / 3, waiting).await.is_ok() {
        return None;
    }
    let promise = if evidence.history.redis_losses > 0 {
        Promise::CounterMayLoseData
    } else {
        Promise::TalliesShown
    };
    let shown = shown.into_inner();
    let what = format!("{} shows {shown:?}, stored are {expected:?}", api.url);
    Some(Breach::new(promise, what))
}

/// What a server shows; nothing while it cannot.
pub(crate) async fn tallies(api: &Client, names: &[String]) -> Vec<(String, u64)> {
    let query = "query($names: [String!]!) { tallies(usernames: $names) { username votes } }";
    let reply = api.ask(query, json!({"names": names})).await;
    let Some(tallies) = reply.body["data"]["tallies"].as_array() else {
        return Vec::new();
    };
    let tally = |tally: &Value| {
        let name = tally["username"].as_str().unwrap();
        (name.to_owned(), tally["votes"].as_u64().unwrap())
    };
    tallies.iter().map(tally).collect()
}

/// What a server says became of a ballot: nothing if it does not know it. One that is busy is asked
/// again.
pub(crate) async fn fate(api: &Client, id: Uuid) -> Option<String> {
    let query = "query($id: ID!) { ballot(id: $id) { fate } }";
    until("a ballot's fate", async || {
        let reply = api.ask(query, json!({"id": id})).await;
        let fate = reply.body["data"]["ballot"]["fate"].as_str();
        (reply.code() != "UNAVAILABLE").then(|| {
            assert!(reply.body["errors"].is_null(), "{reply:?}");
            fate.map(String::from)
        })
    })
    .await
}

/// A voter can ask for a ballot of unknown outcome: it was counted, or the server does not know it.
async fn fates(
    apis: &[Client],
    evidence: &Evidence<'_>,
    asked: &mut BTreeSet<String>,
) -> Option<Breach> {
    let stored = evidence.stored.by_name();
    let ballots = evidence.ledger.ballots.iter();
    let unknown = ballots.filter(|(name, ballot)| {
        ballot.was_unknown() && ballot.id.is_some() && asked.insert((*name).clone())
    });
    let asking = unknown
        .zip(apis.iter().cycle())
        .map(|((name, ballot), api)| {
            let expected = stored.contains_key(name.as_str()).then_some("COUNTED");
            async move {
                let fate = fate(api, ballot.id.unwrap()).await;
                (fate.as_deref() != expected).then(|| name.clone())
            }
        });
    let asking = stream::iter(asking).buffer_unordered(AT_ONCE);
    let wrong: Vec<_> = asking.filter_map(std::future::ready).collect().await;
    (!wrong.is_empty()).then(|| Breach {
        promise: Promise::AnswersAreTrue,
        what: "the server answers another fate than it has".into(),
        ballots: wrong,
    })
}
