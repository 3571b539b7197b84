//! Samples of the tallies shown, and of the fates of ballots: each must be true.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use cast_core::domain::{Candidate, Fate, Tally};

use super::{
    coverage::RareState,
    fault_injector::UNSUCCESSFUL_CALLS,
    instance::ProcessInstance,
    truth::Votes,
    world::{Promise, World},
};
use crate::entropy::mix;

/// The least votes that must be shown of each candidate.
#[derive(Clone)]
pub(super) struct LowerBound {
    pub(super) least: Votes,
    losses: BTreeMap<Candidate, u64>,
}

impl LowerBound {
    pub(super) fn now(world: &World) -> Self {
        let (truth, ledger) = (world.truth(), world.ledger());
        let candidates = world.candidates.iter();
        let losses = candidates.map(|who| (who.clone(), truth.losses(who)));
        Self {
            least: ledger.least(&truth),
            losses: losses.collect(),
        }
    }
}

/// A tally is never above what the log has; nor below a lower bound, unless the counter lost the
/// candidate since that was taken.
pub(super) fn check_shown(world: &World, tallies: &[Tally], lower_bound: Option<&LowerBound>) {
    for tally in tallies {
        let who = &tally.candidate;
        let ((logged, most), losses) = {
            let truth = world.truth();
            (truth.most(who), truth.losses(who))
        };
        let least = lower_bound.filter(|lower_bound| lower_bound.losses[who] == losses);
        let least = least.and_then(|lower_bound| lower_bound.least.get(who).copied());
        let votes = tally.votes;
        if votes > logged && votes <= most {
            world.reached(RareState::ShownTwice);
        }
        if votes > most {
            let how = || format!("{who:?} is shown with {votes} votes, and the log has {logged}");
            world.violated(Promise::TalliesAreTrue, how);
        }
        if let Some(least) = least.filter(|least| votes < *least) {
            let how = || format!("{who:?} is shown with {votes} votes, of {least} acknowledged");
            world.violated(Promise::TalliesAreTrue, how);
        }
    }
}

/// Reads all tallies, or the leaders.
pub(super) async fn sample_tallies(world: &World, instance: &ProcessInstance, leaders: bool) {
    let Some(cast) = instance.cast() else { return };
    let lower_bound = LowerBound::now(world);
    let unsuccessful = Arc::<AtomicU64>::default();
    let reading = async {
        instance.state.running().await;
        if leaders {
            cast.leaderboard(3).await
        } else {
            cast.tallies(&world.candidates).await
        }
    };
    let reading = UNSUCCESSFUL_CALLS.scope(Arc::clone(&unsuccessful), reading);
    let Some(tallies) = instance.state.unless_ended(reading).await else {
        return;
    };
    let sum = tallies
        .as_ref()
        .map_or(0, |tallies| tallies.iter().map(|tally| tally.votes).sum());
    world.trace(instance.number() ^ mix(sum), || {
        format!("{instance} shows {tallies:?}")
    });
    if let Ok(tallies) = tallies {
        let is_whole = !leaders && unsuccessful.load(Ordering::Relaxed) == 0;
        check_shown(world, &tallies, is_whole.then_some(&lower_bound));
    }
}

/// Reads the fate of a voter's ballot.
pub(super) async fn sample_ballot(world: &World, instance: &ProcessInstance, voter: u32) {
    let id = world.ledger().find(voter).and_then(|sent| sent.id);
    let (Some(cast), Some(id)) = (instance.cast(), id) else {
        return;
    };
    let Some(fate) = instance.state.unless_ended(cast.ballot(id)).await else {
        return;
    };
    world.trace(instance.number(), || {
        format!("{instance} says of {id}: {fate:?}")
    });
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
    match &fate {
        Ok(Some(Fate::Counted(_))) => world.reached(RareState::LookedUpCounted),
        Ok(Some(Fate::Logged(_))) => world.reached(RareState::LookedUpLogged),
        _ => {}
    }
    if !is_true {
        let how = || format!("the fate of {id} is not {fate:?}");
        world.violated(Promise::AcknowledgedIsLogged, how);
    }
}
