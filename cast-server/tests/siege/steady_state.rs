//! The tallies shown while nothing is broken: never above what is in the log, never below what was
//! acknowledged.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use cast_testkit::{Seed, pause};

use crate::{
    check::tallies,
    ledger::{Ledger, SentBallot, VoteResponse},
    program::Client,
    tables::Stored,
    verdict::{Breach, Promise},
    voters::Voters,
    workload::Workload,
};

/// How many ballots are acknowledged meanwhile.
const ENOUGH: usize = 100;

/// Votes by candidate.
type Votes = BTreeMap<String, u64>;

/// Lets voters vote, and looks at what is shown all the while. `before` is what is stored; all of
/// it is shown.
pub(crate) async fn steady_state(
    workload: &Workload,
    apis: &[Client],
    before: &Stored,
    (seed, voters): (Seed, usize),
) -> Option<Breach> {
    let since = workload.read(|ledger| ledger.ballots.len());
    let mut voters = Voters::start(seed, workload, voters);
    let found = tokio::select! {
        found = watch(workload, apis, before, since) => Some(found),
        () = voters.until_acknowledged(ENOUGH) => None,
    };
    voters.stop().await;
    found
}

/// Looks at the tallies until something is wrong with one.
async fn watch(workload: &Workload, apis: &[Client], before: &Stored, since: usize) -> Breach {
    for api in apis.iter().cycle() {
        pause(Duration::from_millis(20)).await;
        let least = workload.read(|ledger| votes(ledger, since, is_shown));
        let names = before.votes.keys().chain(least.keys()).cloned();
        let names: Vec<_> = names.collect::<BTreeSet<_>>().into_iter().collect();
        let shown = tallies(api, &names).await;
        let most = workload.read(|ledger| votes(ledger, since, |_| true));
        for (name, shown) in shown {
            let of = |votes: &Votes| votes.get(&name).copied().unwrap_or(0);
            let (least, most) = (
                of(&before.votes) + of(&least),
                of(&before.votes) + of(&most),
            );
            if !(least..=most).contains(&shown) {
                let what = format!(
                    "{} shows {shown} votes of {name:?}: {least} were acknowledged before it was \
                     asked, {most} were sent before it had answered",
                    api.url
                );
                return Breach::new(Promise::TalliesShown, what);
            }
        }
    }
    unreachable!("there is a server")
}

/// Whether it must be shown: a ballot that was sent again is shown when it reconciles, and so is one
/// whose answer was stale: the counter does not have it.
fn is_shown(entry: &SentBallot) -> bool {
    match &entry.sendings[..] {
        [only] => only.response == VoteResponse::Accepted && !only.stale,
        _ => false,
    }
}

/// The votes of the ballots that were entered since then.
fn votes(ledger: &Ledger, since: usize, counts: impl Fn(&SentBallot) -> bool) -> Votes {
    let mut votes = Votes::new();
    let ballots = ledger.ballots.values();
    for entry in ballots.filter(|entry| entry.number >= since && counts(entry)) {
        for (name, count) in &entry.selections {
            *votes.entry(name.clone()).or_default() += count;
        }
    }
    votes
}
