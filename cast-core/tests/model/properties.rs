//! The promises, as what must hold in every state.

use stateright::Property;

use super::{
    Cast,
    bag::Bag,
    quiet::is_at_the_end,
    state::{CANDIDATES, PARTITIONS, State, TICKETS},
};

pub(crate) const LOGGED: &str = "acknowledged means logged";
pub(crate) const EXACT: &str = "the store is the fold of the log up to its own progress";
pub(crate) const ONCE: &str = "each ballot counts once";
pub(crate) const LIMIT: &str = "a ticket never buys more than its limit";
pub(crate) const FREE: &str = "a repeated ballot costs no use";
pub(crate) const NOT_ABOVE: &str = "a shown tally is never above what is in the log";
pub(crate) const NOT_BELOW: &str = "a counter that forgot nothing never shows less than it did";
pub(crate) const RESUMES: &str = "a consumer that joins brings the store to the end of the log";
pub(crate) const NOTICES: &str = "consumers that are there bring the store to the end of the log";
pub(crate) const REFRESHES: &str = "after a drain, a tally that is read shows what the store has";

/// All of them.
pub(crate) fn promises() -> Vec<Property<Cast>> {
    vec![
        Property::always(LOGGED, is_logged),
        Property::always(EXACT, is_exact),
        Property::always(ONCE, is_counted_once),
        Property::always(LIMIT, is_within_the_limit),
        Property::always(FREE, is_a_repeat_free),
        Property::always(NOT_ABOVE, is_not_above),
        Property::always(NOT_BELOW, is_not_below),
        Property::always(RESUMES, does_resume),
        Property::always(NOTICES, does_notice),
        Property::always(REFRESHES, does_refresh),
    ]
}

fn is_logged(_: &Cast, state: &State) -> bool {
    let logged = state.logged().ballots();
    state.acknowledged.without(logged).is_empty()
}

fn is_exact(_: &Cast, state: &State) -> bool {
    let (logs, store) = (&state.log, &state.store);
    let is_exact = |p: usize| store.totals[p] == logs[p].fold(store.progress[p]);
    (0..PARTITIONS).all(is_exact)
}

fn is_counted_once(_: &Cast, state: &State) -> bool {
    state.store.counted().repeated().is_empty()
}

fn is_within_the_limit(cast: &Cast, state: &State) -> bool {
    let (granted, uses) = (&state.tickets.granted, &cast.scope.uses);
    (0..TICKETS).all(|ticket| granted[ticket] <= uses[ticket])
}

fn is_a_repeat_free(_: &Cast, state: &State) -> bool {
    let tickets = &state.tickets;
    let granted: u8 = tickets.granted.iter().sum();
    let ids = tickets.ids.and(tickets.forgotten).len();
    // An id that was forgotten may be granted again.
    usize::from(granted) <= ids + tickets.forgotten.len()
}

/// A ballot shows once, however often the log has it. Two kinds may show as often as it is logged,
/// until they reconcile: one whose id the ticket source has forgotten, and one whose retry was logged
/// before its first try was.
fn is_not_above(_: &Cast, state: &State) -> bool {
    let logged = state.logged();
    let twice = state.tickets.forgotten.and(state.tickets.overtaken);
    state.counter.iter().all(|count| {
        let shown = count.shown();
        let as_logged = |id| shown.times(id) <= logged.times(id);
        let repeated = shown.repeated();
        shown.ballots().without(logged.ballots()).is_empty()
            && repeated.without(twice).is_empty()
            && repeated.ids().all(as_logged)
    })
}

fn is_not_below(_: &Cast, state: &State) -> bool {
    (0..CANDIDATES).all(|candidate| {
        let shown = state.counter[candidate].shown().ballots();
        state.due[candidate].without(shown).is_empty()
    })
}

fn does_resume(cast: &Cast, state: &State) -> bool {
    let mut quiet = *state;
    quiet.consumers = Bag::EMPTY;
    is_at_the_end(state) || is_at_the_end(&cast.drained(&quiet))
}

fn does_notice(cast: &Cast, state: &State) -> bool {
    is_at_the_end(state) || is_at_the_end(&cast.drained(state))
}

/// A store that does not get to the end of the log has properties of its own.
fn does_refresh(cast: &Cast, state: &State) -> bool {
    let quiet = cast.drained(state);
    !is_at_the_end(&quiet) || cast.is_refreshed(state, &quiet)
}
