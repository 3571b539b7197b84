//! Where a search must have been to be worth its name: the states in which a promise is in danger.

use stateright::Property;

use super::{
    Cast,
    scope::Scope,
    scopes,
    state::{CANDIDATES, Consumer, Offset, PARTITIONS, Stage, State, TICKETS},
    votes::BALLOTS,
};

pub(crate) const WASTED: &str = "a use was wasted";
pub(crate) const EXHAUSTED: &str = "a ticket is exhausted before a voter";
pub(crate) const USE_COUNTER_LOST: &str = "a use counter is lost that had uses left";
pub(crate) const OVERTAKEN: &str = "a retry overtook its first try";
pub(crate) const COUNTED_ONCE: &str = "a retry is counted once";
pub(crate) const SHOWN_TWICE: &str = "a retry shows twice, its id forgotten";
pub(crate) const FENCED: &str = "a zombie stands before the fence";
pub(crate) const HALF_FENCED: &str = "half of a batch lies behind the fence";
pub(crate) const BEHIND_A_BATCH: &str = "the store was restored behind a batch";
pub(crate) const BEHIND_WHO_WAITS: &str = "the store was restored behind who waits";
pub(crate) const COUNTER_AHEAD: &str = "the counter is ahead of the store";
pub(crate) const RECONCILED_LATE: &str = "a checkpoint comes after a newer one";
pub(crate) const RECORDED_LATE: &str = "a record comes after its checkpoint";
pub(crate) const PENDING_FORGOTTEN: &str = "acknowledged pending votes are forgotten";
pub(crate) const HALF_FORGOTTEN: &str = "one candidate of a ballot is forgotten";

/// All of them.
pub(crate) fn rare_states() -> Vec<Property<Cast>> {
    vec![
        Property::sometimes(WASTED, wasted),
        Property::sometimes(EXHAUSTED, exhausted),
        Property::sometimes(USE_COUNTER_LOST, use_counter_lost),
        Property::sometimes(OVERTAKEN, overtaken),
        Property::sometimes(COUNTED_ONCE, counted_once),
        Property::sometimes(SHOWN_TWICE, shown_twice),
        Property::sometimes(FENCED, fenced),
        Property::sometimes(HALF_FENCED, half_fenced),
        Property::sometimes(BEHIND_A_BATCH, behind_a_batch),
        Property::sometimes(BEHIND_WHO_WAITS, behind_who_waits),
        Property::sometimes(COUNTER_AHEAD, counter_ahead),
        Property::sometimes(RECONCILED_LATE, reconciled_late),
        Property::sometimes(RECORDED_LATE, recorded_late),
        Property::sometimes(PENDING_FORGOTTEN, pending_votes_forgotten),
        Property::sometimes(HALF_FORGOTTEN, half_forgotten),
    ]
}

/// The scopes of an ordinary run in which each is reached.
pub(crate) fn where_to_find_them() -> [(Scope, &'static [&'static str]); 6] {
    [
        (scopes::one_voter(), &[WASTED, OVERTAKEN, COUNTED_ONCE]),
        (
            scopes::two_voters(),
            &[FENCED, HALF_FENCED, RECONCILED_LATE, RECORDED_LATE],
        ),
        (
            scopes::restored(),
            &[BEHIND_A_BATCH, BEHIND_WHO_WAITS, COUNTER_AHEAD],
        ),
        (scopes::tickets(), &[EXHAUSTED, USE_COUNTER_LOST]),
        (scopes::forgotten(), &[PENDING_FORGOTTEN, HALF_FORGOTTEN]),
        (scopes::lost_ids(), &[SHOWN_TWICE]),
    ]
}

fn wasted(_: &Cast, state: &State) -> bool {
    let on_their_way = |id| state.records.iter().any(|record| record.ballots.has(id));
    let mut lost = state.tickets.ids.without(state.logged().ballots()).ids();
    lost.any(|id| !on_their_way(id) && state.sendings[id] == 0)
}

fn exhausted(cast: &Cast, state: &State) -> bool {
    let waits = |id| state.sendings[id] > 0 && !state.tickets.ids.has(id);
    let is_gone = |ticket| state.tickets.used[ticket] == Some(cast.scope.uses[ticket]);
    (0..BALLOTS).any(waits) && (0..TICKETS).any(is_gone)
}

fn use_counter_lost(cast: &Cast, state: &State) -> bool {
    (0..TICKETS).any(|ticket| {
        let is_lost = state.tickets.used[ticket].is_none();
        is_lost && state.tickets.granted[ticket] < cast.scope.uses[ticket]
    })
}

fn overtaken(_: &Cast, state: &State) -> bool {
    !state.tickets.overtaken.is_empty()
}

fn counted_once(_: &Cast, state: &State) -> bool {
    (0..PARTITIONS).any(|partition| {
        let folded = state.log[partition].votes(0, state.store.progress[partition]);
        !folded.repeated().is_empty()
    })
}

fn shown_twice(_: &Cast, state: &State) -> bool {
    let mut counts = state.counter.iter();
    counts.any(|count| {
        let twice = count.shown().repeated();
        !twice.within(state.tickets.forgotten).is_empty()
    })
}

/// Whether a consumer holds a batch that is in this relation to the store's progress.
fn is_held(state: &State, relation: fn(Offset, Offset, Offset) -> bool) -> bool {
    state.consumers.iter().any(|consumer| match consumer {
        Consumer::Holding {
            partition,
            start,
            next,
        } => relation(start, next, state.store.progress[partition]),
        Consumer::Waiting { .. } => false,
    })
}

fn fenced(_: &Cast, state: &State) -> bool {
    is_held(state, |_, next, progress| next <= progress)
}

fn half_fenced(_: &Cast, state: &State) -> bool {
    is_held(state, |start, next, progress| {
        start < progress && progress < next
    })
}

fn behind_a_batch(_: &Cast, state: &State) -> bool {
    is_held(state, |start, _, progress| progress < start)
}

fn behind_who_waits(_: &Cast, state: &State) -> bool {
    let mut consumers = state.consumers.iter();
    consumers.any(|consumer| {
        matches!(consumer, Consumer::Waiting { partition, at }
            if state.store.progress[partition] < at && at == state.log[partition].end())
    })
}

fn counter_ahead(_: &Cast, state: &State) -> bool {
    let mut counts = state.counter.iter();
    counts.any(|count| {
        let is_ahead = |p: usize| count.partitions[p].as_of > state.store.progress[p];
        (0..PARTITIONS).any(is_ahead)
    })
}

fn reconciled_late(_: &Cast, state: &State) -> bool {
    let mut checkpoints = state.checkpoints.iter();
    checkpoints.any(|checkpoint| {
        let count = &state.counter[checkpoint.candidate];
        let applied_totals = checkpoint.applied_totals.iter().zip(&count.partitions);
        let mut both = applied_totals.filter_map(|(total, count)| Some((total.as_ref()?, count)));
        both.any(|(total, count)| total.as_of < count.as_of)
    })
}

fn recorded_late(cast: &Cast, state: &State) -> bool {
    state.records.iter().any(|record| match record.stage {
        Stage::Logged { at } | Stage::Late { at } => {
            let as_of = |who: usize| state.counter[who].partitions[record.partition].as_of;
            let mut selected = cast.scope.selected(record.granted);
            selected.any(|who| as_of(who) > at)
        }
        Stage::Looked { .. } | Stage::Redeemed => false,
    })
}

fn pending_votes_forgotten(cast: &Cast, state: &State) -> bool {
    let unfolded = state.acknowledged.without(state.store.counted().ballots());
    let lacks = |who: usize| {
        let theirs = unfolded.within(cast.scope.voters[who]);
        !theirs
            .without(state.counter[who].shown().ballots())
            .is_empty()
    };
    state.rare.forgets < cast.scope.rare.forgets && (0..CANDIDATES).any(lacks)
}

fn half_forgotten(cast: &Cast, state: &State) -> bool {
    let of_both = cast.scope.voters[0].within(cast.scope.voters[1]);
    let [one, other] = state.counter.map(|count| count.shown().ballots());
    let acknowledged = state.acknowledged.within(of_both);
    state.rare.forgets < cast.scope.rare.forgets
        && !acknowledged.within(one).without(other).is_empty()
}
