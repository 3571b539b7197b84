//! The bounds of the searches.

use super::{
    scope::{Rare, Scope},
    votes::Ballots,
};

pub(crate) fn one_voter() -> Scope {
    Scope {
        name: "one voter",
        sendings: [2, 0, 0, 0],
        home: [0, 0, 1, 1],
        voters: [Ballots::of([0, 1, 2, 3]), Ballots::NONE],
        flush: 1,
        uses: [1, 0],
        records: 2,
        consumers: 2,
        settlements: 1,
        rare: Rare::default(),
    }
}
