//! A model of the path of a ballot, searched as a whole.
//!
//! Each step of the path, and each thing that may go wrong, is a step of the model; within a bound,
//! every order of them is tried. `docs/TESTING.md` says what the search covers and how to read what
//! it prints.

mod bag;
mod fold;
mod ingest;
mod properties;
mod quiet;
mod rare;
mod scope;
mod scopes;
mod search;
mod state;
mod steps;
mod votes;

use std::collections::BTreeSet;

use stateright::{Model, Property};

use self::{
    scope::{Mechanism, Scope},
    state::State,
    steps::Step,
};

/// The model: a scope, perhaps with a mechanism taken out, and what is to be watched.
#[derive(Clone, Debug)]
pub(crate) struct Cast {
    pub(crate) scope: Scope,
    pub(crate) without: Option<Mechanism>,
    pub(crate) watch: fn() -> Vec<Property<Cast>>,
}

impl Cast {
    pub(crate) fn lacks(&self, mechanism: Mechanism) -> bool {
        self.without == Some(mechanism)
    }
}

impl Model for Cast {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(&self.scope)]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        steps::steps(self, state, steps);
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        steps::after(self, state, step)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        (self.watch)()
    }
}

#[test]
fn every_promise_holds_in_every_state() {
    for scope in scopes::ordinary() {
        search::exhaust(scope);
    }
}

#[test]
fn every_promise_holds_in_every_state_of_the_larger_bounds_that_are_asked_for() {
    if scopes::is_large() {
        for scope in scopes::large() {
            search::exhaust(scope);
        }
    }
}

#[test]
fn every_rare_state_is_reached() {
    let names = rare::rare_states().into_iter().map(|rare| rare.name);
    let mut missed: BTreeSet<_> = names.collect();
    for (scope, reached) in rare::where_to_find_them() {
        search::reaches(scope, reached);
        missed.retain(|name| !reached.contains(name));
    }
    assert!(missed.is_empty(), "no scope looks for {missed:?}");
}

mod without {
    //! Each mechanism is there for a reason: without it, a promise breaks within a bound in which all
    //! of them hold with it.

    use super::{
        properties::{
            EXACT, FREE, LIMIT, LOGGED, NOT_ABOVE, NOT_BELOW, NOTICES, ONCE, REFRESHES, RESUMES,
        },
        scope::Mechanism,
        scopes,
        search::breaks,
    };

    #[test]
    fn the_fence_a_zombie_takes_the_store_back() {
        breaks(scopes::two_voters(), Mechanism::Fence, EXACT);
    }

    #[test]
    fn the_dedup_a_retry_counts_twice() {
        breaks(scopes::one_voter(), Mechanism::Dedup, ONCE);
    }

    #[test]
    fn the_positions_of_pending_votes_reconciling_drops_some_that_the_total_lacks() {
        breaks(
            scopes::two_voters(),
            Mechanism::PendingByPosition,
            NOT_BELOW,
        );
    }

    #[test]
    fn the_positions_of_pending_votes_reconciling_keeps_some_that_the_total_includes() {
        breaks(
            scopes::two_voters(),
            Mechanism::PendingEverDropped,
            NOT_ABOVE,
        );
    }

    #[test]
    fn the_progress_in_the_store_a_restored_store_stays_behind() {
        breaks(scopes::restored(), Mechanism::ProgressInStore, RESUMES);
    }

    #[test]
    fn looking_back_a_restored_store_stays_behind_while_there_are_no_votes() {
        breaks(scopes::restored(), Mechanism::LookBack, NOTICES);
    }

    #[test]
    fn reconciling_only_what_is_newer_a_late_checkpoint_hides_votes() {
        breaks(scopes::two_voters(), Mechanism::ReconcileIfNewer, NOT_BELOW);
    }

    #[test]
    fn one_partition_for_a_ballot_a_tally_is_never_refreshed() {
        let scope = scopes::restored_and_retried();
        breaks(scope, Mechanism::PartitionOfBallot, REFRESHES);
    }

    #[test]
    fn leaving_repeats_unrecorded_a_retry_shows_twice() {
        breaks(scopes::one_voter(), Mechanism::RepeatUnrecorded, NOT_ABOVE);
    }

    #[test]
    fn remembering_ids_a_retry_costs_a_use() {
        breaks(scopes::one_voter(), Mechanism::IdsRemembered, FREE);
    }

    #[test]
    fn an_atomic_redemption_two_servers_sell_one_use() {
        breaks(scopes::tickets(), Mechanism::AtomicRedeem, LIMIT);
    }

    #[test]
    fn refusing_a_lost_use_counter_its_uses_are_sold_again() {
        breaks(scopes::tickets(), Mechanism::LostUseCounterRefused, LIMIT);
    }

    #[test]
    fn replying_only_after_the_log_what_was_acknowledged_is_nowhere() {
        breaks(scopes::one_voter(), Mechanism::ReplyAfterLog, LOGGED);
    }
}
