//! Runs a search, and says what it found.

use std::{collections::BTreeSet, thread};

use stateright::{Checker, HasDiscoveries, Model as _, Path, Property};

use super::{
    Cast,
    properties::promises,
    rare::rare_states,
    scope::{Mechanism, Scope},
    scopes,
    state::State,
    steps::Step,
};

/// Tries everything within a scope. Fails at a promise that does not hold.
pub(crate) fn exhaust(scope: Scope) {
    let cast = cast(scope, None, promises);
    // Depth first needs far less memory; what it finds is longer than it must be.
    let checker = cast.clone().checker().threads(threads());
    let checker = checker.spawn_dfs().join();
    say(&format!(
        "{}: {} states, {} steps, at most {} in a row",
        cast.scope.name,
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
    ));
    if let Some((property, path)) = checker.discoveries().into_iter().next() {
        let shown = counterexample(&cast, property, path);
        panic!(
            "{}: it does not hold that {property}\n{shown}",
            cast.scope.name
        );
    }
}

/// Looks for each of these rare states. Fails at one that is not reached.
pub(crate) fn reaches(scope: Scope, names: &[&'static str]) {
    let name = scope.name;
    let until = HasDiscoveries::AllOf(names.iter().copied().collect());
    let checker = cast(scope, None, rare_states).checker().finish_when(until);
    let found = checker.threads(threads()).spawn_bfs().join();
    for rare in names {
        let path = found.discovery(rare);
        let path = path.unwrap_or_else(|| panic!("{name}: never reached: {rare}"));
        let steps = path.into_actions().len();
        say(&format!("{name}: {rare}, within {steps} steps"));
    }
}

/// Takes a mechanism out and looks for a state in which `property` does not hold. Fails if there is
/// none. The scope is one in which everything holds with the mechanism in its place.
pub(crate) fn breaks(scope: Scope, without: Mechanism, property: &'static str) {
    assert!(
        scopes::ordinary().contains(&scope),
        "the scope is one that is searched"
    );
    let cast = cast(scope, Some(without), promises);
    let until = HasDiscoveries::AllOf(BTreeSet::from([property]));
    let checker = cast.clone().checker().finish_when(until);
    let found = checker.spawn_bfs().join();
    let (name, states) = (cast.scope.name, found.unique_state_count());
    let path = found.discovery(property).unwrap_or_else(|| {
        panic!("{name}: without {without:?} it holds in all {states} states that {property}")
    });
    let shown = counterexample(&cast, property, path);
    say(&format!(
        "{name}: without {without:?} it does not hold that {property}\n{shown}"
    ));
}

fn cast(scope: Scope, without: Option<Mechanism>, watch: fn() -> Vec<Property<Cast>>) -> Cast {
    scope.check();
    Cast {
        scope,
        without,
        watch,
    }
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// A counterexample as lines: each step that it takes, and the state that they lead to.
fn counterexample(cast: &Cast, property: &'static str, path: Path<State, Step>) -> String {
    let steps = shrunk(cast, property, path.into_actions());
    let last = replayed(cast, &steps).expect("it was replayed before");
    let lines = steps.iter().enumerate();
    let mut lines: Vec<_> = lines
        .map(|(n, step)| format!("{:>4}. {step:?}", n + 1))
        .collect();
    lines.push(format!("      {last:?}"));
    lines.join("\n")
}

/// Leaves out what a counterexample does without: a search that is broad finds one that is short, but
/// not always the shortest.
fn shrunk(cast: &Cast, property: &'static str, mut steps: Vec<Step>) -> Vec<Step> {
    let property = cast.property(property);
    let breaks = |steps: &[Step]| {
        replayed(cast, steps).is_some_and(|state| !(property.condition)(cast, &state))
    };
    let mut at = steps.len();
    while at > 0 {
        at -= 1;
        let mut fewer = steps.clone();
        fewer.remove(at);
        if breaks(&fewer) {
            steps = fewer;
            // What this step needed may not be needed any more.
            at = steps.len();
        }
    }
    steps
}

/// Where steps lead, if each is possible when it is its turn.
fn replayed(cast: &Cast, steps: &[Step]) -> Option<State> {
    let mut state = State::new(&cast.scope);
    for step in steps {
        let mut possible = Vec::new();
        cast.actions(&state, &mut possible);
        if !possible.contains(step) {
            return None;
        }
        state = cast.next_state(&state, *step)?;
    }
    Some(state)
}

#[expect(
    clippy::print_stdout,
    reason = "how far a search went is worth reading"
)]
fn say(line: &str) {
    println!("{line}");
}
