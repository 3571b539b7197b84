//! People who look at tallies, or ask for a ballot: what they are shown must be true.

use std::{collections::BTreeMap, sync::Arc};

use cast_core::domain::{Candidate, Fate, Tally};

use super::{
    coverage::RareState,
    gremlin::{WATCHED, Watch},
    process::Body,
    truth::Votes,
    world::{Promise, World},
};
use crate::entropy::mix;

/// What must be shown at least.
#[derive(Clone)]
pub(super) struct Floor {
    least: Votes,
    losses: BTreeMap<Candidate, u64>,
}

impl Floor {
    pub(super) fn now(world: &World) -> Self {
        let (truth, ledger) = (world.truth(), world.ledger());
        let candidates = world.candidates.iter();
        let losses = candidates.map(|who| (who.clone(), truth.losses(who)));
        Self {
            least: ledger.least(&truth),
            losses: losses.collect(),
        }
    }

    pub(super) fn add(&mut self, votes: &Votes) {
        for (candidate, votes) in votes {
            *self.least.entry(candidate.clone()).or_default() += votes;
        }
    }
}

/// What is shown is never above what the log has; nor below a floor, where the counter did not
/// forget the candidate meanwhile.
pub(super) fn check_shown(world: &World, tallies: &[Tally], floor: Option<&Floor>) {
    for tally in tallies {
        let who = &tally.candidate;
        let ((logged, most), losses) = {
            let truth = world.truth();
            (truth.most(who), truth.losses(who))
        };
        let least = floor.filter(|floor| floor.losses[who] == losses);
        let least = least.and_then(|floor| floor.least.get(who).copied());
        let votes = tally.votes;
        if votes > logged && votes <= most {
            world.reached(RareState::ShownTwice);
        }
        if votes > most {
            let how = || format!("{who:?} is shown with {votes} votes, and the log has {logged}");
            world.breaks(Promise::ShownIsTrue, how);
        }
        if let Some(least) = least.filter(|least| votes < *least) {
            let how = || format!("{who:?} is shown with {votes} votes, of {least} acknowledged");
            world.breaks(Promise::ShownIsTrue, how);
        }
    }
}

/// Looks at all tallies, or at the leaders.
pub(super) async fn look(world: &World, body: &Body, leaders: bool) {
    let Some(cast) = body.cast() else { return };
    let floor = Floor::now(world);
    let watch = Arc::<Watch>::default();
    let looking = async {
        body.life.pass().await;
        if leaders {
            cast.leaderboard(3).await
        } else {
            cast.tallies(&world.candidates).await
        }
    };
    let tallies = tokio::select! {
        biased;
        tallies = WATCHED.scope(Arc::clone(&watch), looking) => tallies,
        () = body.life.ended() => return,
    };
    let sum = tallies
        .as_ref()
        .map_or(0, |tallies| tallies.iter().map(|tally| tally.votes).sum());
    world.note(body.number() ^ mix(sum), || {
        format!("{body} shows {tallies:?}")
    });
    if let Ok(tallies) = tallies {
        let is_whole = !leaders && watch.all_went_well();
        check_shown(world, &tallies, is_whole.then_some(&floor));
    }
}

/// Asks what became of a voter's ballot.
pub(super) async fn look_up(world: &World, body: &Body, voter: u32) {
    let id = world.ledger().find(voter).and_then(|sent| sent.id);
    let (Some(cast), Some(id)) = (body.cast(), id) else {
        return;
    };
    let fate = tokio::select! {
        biased;
        fate = cast.ballot(id) => fate,
        () = body.life.ended() => return,
    };
    world.note(body.number(), || format!("{body} tells of {id}: {fate:?}"));
    let truth = world.truth();
    let is_true = match &fate {
        Ok(Some(Fate::Counted(position))) => truth.first(id) == Some(*position),
        Ok(Some(Fate::Logged(position))) => {
            let record = truth.log.get(position);
            record.is_some_and(|record| record.iter().any(|ballot| ballot.id == id))
        }
        Ok(Some(Fate::Rejected { .. })) => false,
        Ok(None) | Err(_) => true,
    };
    drop(truth);
    match fate {
        Ok(Some(Fate::Counted(_))) => world.reached(RareState::LookedUpCounted),
        Ok(Some(Fate::Logged(_))) => world.reached(RareState::LookedUpLogged),
        _ => {}
    }
    if !is_true {
        let how = || format!("a voter is told of {id} what is not so");
        world.breaks(Promise::AcknowledgedIsLogged, how);
    }
}
