//! A model of the path of a ballot, searched as a whole.
//!
//! Each step of the path, and each thing that may go wrong, is a step of the model; within a bound,
//! every order of them is tried. `docs/TESTING.md` says what the search covers and how to read what
//! it prints.

mod bag;
mod door;
mod fold;
mod properties;
mod quiet;
mod rare;
mod scope;
mod scopes;
mod search;
mod state;
mod steps;
mod votes;

use stateright::{Model, Property};

use self::{
    properties::{EXACT, FREE, HEALS, LIMIT, LOGGED, NOT_ABOVE, NOT_BELOW, ONCE, RESUMES},
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
fn one() {
    search::exhaust(scopes::one_voter());
}
