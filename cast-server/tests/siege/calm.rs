//! The tallies shown while nothing is broken: never above what is in the log, never below what was
//! acknowledged.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use cast_testkit::{Seed, pause};

use crate::{
    check::tallies,
    ledger::{Entry, Ledger, Told},
    program::Client,
    tables::Stored,
    verdict::{Breach, Promise},
    voters::{Book, Crowd},
};

/// How many ballots are acknowledged meanwhile.
const ENOUGH: usize = 100;

/// Votes by candidate.
type Votes = BTreeMap<String, u64>;

/// Lets a crowd vote, and looks at what is shown all the while. `before` is what is stored; all of
/// it is shown.
pub(crate) async fn calm(
    book: &Book,
    doors: &[Client],
    before: &Stored,
    (seed, voters): (Seed, usize),
) -> Option<Breach> {
    let since = book.read(|ledger| ledger.ballots.len());
    let mut crowd = Crowd::gather(seed, book, voters);
    let found = tokio::select! {
        found = watch(book, doors, before, since) => Some(found),
        () = crowd.until_acknowledged(ENOUGH) => None,
    };
    crowd.stop().await;
    found
}

/// Looks at the tallies until something is wrong with one.
async fn watch(book: &Book, doors: &[Client], before: &Stored, since: usize) -> Breach {
    for door in doors.iter().cycle() {
        pause(Duration::from_millis(20)).await;
        let least = book.read(|ledger| votes(ledger, since, is_shown));
        let names = before.votes.keys().chain(least.keys()).cloned();
        let names: Vec<_> = names.collect::<BTreeSet<_>>().into_iter().collect();
        let shown = tallies(door, &names).await;
        let most = book.read(|ledger| votes(ledger, since, |_| true));
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
                    door.url
                );
                return Breach::new(Promise::TalliesShown, what);
            }
        }
    }
    unreachable!("there is a door")
}

/// Whether it must be shown: a ballot that was sent again is shown when it reconciles, and so is one
/// whose voter was told that the counter does not have it.
fn is_shown(entry: &Entry) -> bool {
    match &entry.sendings[..] {
        [only] => only.told == Told::Accepted && !only.stale,
        _ => false,
    }
}

/// The votes of the ballots that were entered since then.
fn votes(ledger: &Ledger, since: usize, counts: impl Fn(&Entry) -> bool) -> Votes {
    let mut votes = Votes::new();
    let ballots = ledger.ballots.values();
    for entry in ballots.filter(|entry| entry.number >= since && counts(entry)) {
        for (name, count) in &entry.selections {
            *votes.entry(name.clone()).or_default() += count;
        }
    }
    votes
}
