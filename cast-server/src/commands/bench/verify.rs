//! The check at the end: tallies, and ballots that are missing from them.

use std::time::Duration;

use cast_core::domain::BallotId;

use super::{
    run::Run,
    verdict::{Shown, Verdict},
    wire,
};
use crate::client::Connection;

/// How soon to look at the tallies again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How many ballots of a candidate with missing votes are looked up, and how many are reported.
const MAX_LOOKED_UP: usize = 2_000;
const MAX_LOST: usize = 10;

/// A ballot that counts by its answer, and that its server does not know.
#[derive(Debug)]
pub(super) struct LostBallot {
    pub(super) id: BallotId,
    pub(super) candidate: usize,
    /// What the server says of it.
    pub(super) fate: Option<String>,
}

/// Looks at the tallies until they are what they must be, or the time is over.
pub(super) async fn tallies(run: &Run) -> Result<Verdict, String> {
    let connect = |url| run.connection(url);
    let mut connections: Vec<_> = run.config.urls.iter().map(connect).collect();
    let end = run.clock.monotonic() + run.config.reconcile_timeout;
    loop {
        let looked = look(run, &mut connections);
        let Some(looked) = run.give_up.run_until_cancelled(looked).await else {
            return Err("it was interrupted".into());
        };
        let is_good = looked.as_ref().is_ok_and(Verdict::tallies_match);
        if is_good || run.clock.monotonic() >= end || run.give_up.is_cancelled() {
            return looked;
        }
        let pause = run.clock.sleep(LOOK_AGAIN);
        // After the last look, if there is to be none: what was seen is reported.
        run.give_up.run_until_cancelled(pause).await;
    }
}

async fn look(run: &Run, connections: &mut [Connection<'_>]) -> Result<Verdict, String> {
    let mut shown = Vec::new();
    for connection in connections {
        let url = connection.url().to_string();
        let votes = wire::tallies(connection, &run.names).await;
        let votes = votes.map_err(|why| format!("{url}: {why}"))?;
        shown.push(Shown { url, votes });
    }
    Ok(run.stats().verdict(&shown))
}

/// Which ballots of the candidates with missing votes their server does not have: some of them.
pub(super) async fn lost_ballots(run: &Run, verdict: &Verdict) -> Vec<LostBallot> {
    let mut lost = Vec::new();
    let Some(first) = verdict.missing.first() else {
        return lost;
    };
    let mut urls = run.config.urls.iter();
    let Some(url) = urls.find(|it| it.to_string() == first.url) else {
        return lost;
    };
    let mut connection = run.connection(url);
    for (candidate, id) in suspects(run, verdict) {
        // A server that cannot say has lost nothing by that.
        let Ok(fate) = wire::ballot(&mut connection, id).await else {
            break;
        };
        if !matches!(fate.as_deref(), Some("COUNTED" | "LOGGED")) {
            lost.push(LostBallot {
                id,
                candidate,
                fate,
            });
        }
        if lost.len() == MAX_LOST || run.give_up.is_cancelled() {
            break;
        }
    }
    lost
}

/// The ballots of the candidates with missing votes, each with its candidate.
fn suspects(run: &Run, verdict: &Verdict) -> Vec<(usize, BallotId)> {
    let stats = run.stats();
    let mut candidates: Vec<_> = verdict.missing.iter().map(|it| it.candidate).collect();
    candidates.sort_unstable();
    candidates.dedup();
    let ids = candidates.into_iter().flat_map(|candidate| {
        let ids = stats.counting(candidate);
        ids.map(move |id| (candidate, id)).collect::<Vec<_>>()
    });
    ids.take(MAX_LOOKED_UP).collect()
}
