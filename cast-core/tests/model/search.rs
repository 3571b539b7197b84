//! Runs a search, and says what it found.

use std::{collections::BTreeSet, thread};

use stateright::{Checker, HasDiscoveries, Model as _, Path};

use super::{
    Cast,
    properties::promises,
    rare::rare_states,
    scope::{Mechanism, Scope},
    state::State,
    steps::Step,
};

/// Tries everything within a scope. Fails at a promise that does not hold.
pub(crate) fn exhaust(scope: Scope) {
    let name = scope.name;
    let cast = cast(scope, None, promises);
    // Depth first needs far less memory; what it finds may be longer than it must be.
    let checker = cast.checker().threads(threads()).spawn_dfs().join();
    say(&format!(
        "{name}: {} states, {} steps, at most {} in a row",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
    ));
    for (property, path) in checker.discoveries() {
        panic!("{name}: it does not hold that {property}\n{}", told(path));
    }
}

/// Looks for each of the rare states. Fails at one that is not reached.
pub(crate) fn reach_rare_states(scope: Scope) {
    let name = scope.name;
    let found = cast(scope, None, rare_states).checker().spawn_bfs().join();
    let reached = found.discoveries();
    for property in rare_states() {
        let path = reached.get(property.name);
        let path = path.unwrap_or_else(|| panic!("{name}: never reached: {}", property.name));
        say(&format!(
            "{name}: after {} steps {}",
            path.clone().into_actions().len(),
            property.name
        ));
    }
}

/// Takes a mechanism out and looks for a state in which `property` does not hold. Fails if there is
/// none.
pub(crate) fn breaks(scope: Scope, without: Mechanism, property: &'static str) {
    let name = scope.name;
    let until = HasDiscoveries::AllOf(BTreeSet::from([property]));
    let checker = cast(scope, Some(without), promises).checker();
    let found = checker.finish_when(until).spawn_bfs().join();
    let states = found.unique_state_count();
    let path = found.discovery(property);
    let path = path.unwrap_or_else(|| {
        panic!("{name}: without {without:?}, it still holds in all {states} states that {property}")
    });
    say(&format!(
        "without {without:?}, it does not hold that {property} ({states} states)\n{}",
        told(path)
    ));
}

fn cast(
    scope: Scope,
    without: Option<Mechanism>,
    watch: fn() -> Vec<stateright::Property<Cast>>,
) -> Cast {
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

/// A path as lines: each step, and in the end the state that it led to.
fn told(path: Path<State, Step>) -> String {
    let last = path.last_state().clone();
    let steps = path.into_actions();
    let steps = steps.iter().enumerate();
    let mut lines: Vec<_> = steps
        .map(|(n, step)| format!("{:>4}. {step:?}", n + 1))
        .collect();
    lines.push(format!("      {last:?}"));
    lines.join("\n")
}

#[expect(
    clippy::print_stdout,
    reason = "how far a search went is worth reading"
)]
fn say(line: &str) {
    println!("{line}");
}
