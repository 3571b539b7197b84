//! Properties: laws that hold for any value, checked by [`mod@proptest`] over values that it makes up.
//!
//! ```
//! use cast_core::domain::Candidate;
//! use cast_testkit::properties;
//! use proptest::prelude::*;
//!
//! proptest! {
//!     #![proptest_config(properties::config(256))]
//!     # /*
//!     #[test]
//!     # */
//!     fn a_name_is_already_normal(name in properties::candidate()) {
//!         prop_assert_eq!(Candidate::new(name.as_str()), Ok(name));
//!     }
//! }
//! # fn main() { a_name_is_already_normal() }
//! ```
//!
//! | strategy | makes |
//! |---|---|
//! | [`text`] | texts that may be names or not, of the characters that names are about |
//! | [`candidate`], [`voter`] | names |
//! | [`timestamp`], [`ballot_id`], [`votes`] | any there can be, the first and the last among them |
//! | [`ballot_of`], [`ballot`] | ballots as the log keeps them, of your candidates and ids, or of any |
//! | [`trace`] | the contexts that some of them carry |
//! | [`record`] | records of them |

use cast_core::domain::{
    BallotId, Candidate, KeyId, LoggedBallot, MAX_NAME_BYTES, MAX_SELECTIONS, Partition, Record,
    Selection, Selections, TicketStamp, Timestamp, TraceContext, Voter, Votes,
};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    test_runner::{Config, RngSeed},
};
use uuid::Uuid;

use crate::seed::Seed;

/// Checks a property with so many values, which follow from `CAST_TEST_SEED` as everything random
/// does; see [`Seed`]. The variable `PROPTEST_CASES` names another number of them.
///
/// What fails is shrunk and shown, and comes again with its seed: no file keeps it.
pub fn config(cases: u32) -> Config {
    let default = Config::default();
    let is_named = std::env::var_os("PROPTEST_CASES").is_some();
    Config {
        cases: if is_named { default.cases } else { cases },
        rng_seed: RngSeed::Fixed(Seed::from_env_or_random().get()),
        failure_persistence: None,
        ..default
    }
}

/// A text that may be a name: most are, some are too long, blank, or hold what no name may.
pub fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        16 => vec(character(), 0..12),
        2 => vec(character(), 15..70),
        1 => vec(character(), 60..210)
    ]
    .prop_map(String::from_iter)
}

/// A character that names are about.
fn character() -> impl Strategy<Value = char> {
    prop_oneof![
        8 => prop::char::range('a', 'z'),
        2 => Just(' '),
        // What composes: marks, and letters to carry them, some of which end as one character.
        4 => prop::char::range('\u{300}', '\u{345}'),
        3 => prop::sample::select(&['ι', 'υ', 'α', 'K', 'Å', '\u{212a}', '\u{1fef}', '\u{344}'][..]),
        3 => prop::char::range('\u{1100}', '\u{1112}'),
        3 => prop::char::range('\u{1161}', '\u{1175}'),
        2 => prop::char::range('\u{11a8}', '\u{11c2}'),
        2 => prop::char::range('\u{ac00}', '\u{d7a3}'),
        // What does not stay as it is: ideographs for compatibility, and what composition leaves out.
        1 => prop::char::range('\u{f900}', '\u{faff}'),
        1 => prop::char::range('\u{fb1d}', '\u{fb4e}'),
        2 => any::<char>(),
    ]
}

/// A text that nearly always is a name: short, or as long as one may be.
fn name() -> impl Strategy<Value = String> {
    let short = vec(character(), 1..6).prop_map(String::from_iter);
    let longest = prop::sample::select(&["x", "é", "\u{ac00}a", "🗳"][..]);
    let longest = longest.prop_map(|part| part.repeat(MAX_NAME_BYTES / part.len()));
    prop_oneof![8 => "[a-z]{1,8}", 4 => short, 1 => longest]
}

/// A candidate.
pub fn candidate() -> impl Strategy<Value = Candidate> {
    name().prop_filter_map("no name", |name| Candidate::new(&name).ok())
}

/// A voter.
pub fn voter() -> impl Strategy<Value = Voter> {
    name().prop_filter_map("no name", |name| Voter::new(&name).ok())
}

/// A time that a ticket can tell.
pub fn timestamp() -> impl Strategy<Value = Timestamp> {
    const LAST: u64 = (1 << 48) - 1;
    prop_oneof![
        6 => 1_700_000_000_000..1_900_000_000_000_u64,
        2 => 0..=LAST,
        1 => Just(0),
        1 => Just(LAST)
    ]
    .prop_map(Timestamp::from_unix_ms)
}

/// Any id that a client may bring.
pub fn ballot_id() -> impl Strategy<Value = BallotId> {
    any::<u128>().prop_filter_map("stands for none", |id| {
        BallotId::new(Uuid::from_u128(id)).ok()
    })
}

/// Any number of votes.
pub fn votes() -> impl Strategy<Value = Votes> {
    prop_oneof![4 => 1..10_u32, 2 => 1..=u32::MAX, 1 => Just(u32::MAX)]
        .prop_map(|votes| Votes::new(votes).expect("at least one"))
}

/// A ballot under one of these ids, for some of these candidates.
pub fn ballot_of(
    id: impl Strategy<Value = BallotId>,
    candidate: impl Strategy<Value = Candidate>,
    votes: impl Strategy<Value = Votes>,
) -> impl Strategy<Value = LoggedBallot> {
    let selection =
        (candidate, votes).prop_map(|(candidate, votes)| Selection { candidate, votes });
    let some = prop_oneof![3 => 1..4_usize, 1 => 1..=MAX_SELECTIONS];
    let selection = std::sync::Arc::new(selection);
    let selections = some.prop_flat_map(move |count| vec(std::sync::Arc::clone(&selection), count));
    let stamp = (any::<u8>(), timestamp()).prop_map(|(key, issued_at)| TicketStamp {
        key_id: KeyId::new(key),
        issued_at,
    });
    let voter = option::weighted(0.3, voter());
    let ballot = (id, stamp, voter, selections, option::weighted(0.3, trace()));
    ballot.prop_map(|(id, ticket, voter, selections, trace)| LoggedBallot {
        id,
        ticket,
        voter,
        selections: Selections::new(selections).expect("1 to 16 selections"),
        trace,
    })
}

/// The context of any trace.
pub fn trace() -> impl Strategy<Value = TraceContext> {
    (1..=u128::MAX, 1..=u64::MAX, any::<u8>()).prop_map(|(trace, span, flags)| {
        let mut bytes = [flags; TraceContext::LEN];
        bytes[..16].copy_from_slice(&trace.to_be_bytes());
        bytes[16..24].copy_from_slice(&span.to_be_bytes());
        TraceContext::from_bytes(bytes).expect("no id is zero")
    })
}

/// Any ballot.
pub fn ballot() -> impl Strategy<Value = LoggedBallot> {
    ballot_of(ballot_id(), candidate(), votes())
}

/// Any record of some ballots.
pub fn record() -> impl Strategy<Value = Record> {
    (any::<u32>(), vec(ballot(), 1..5))
        .prop_map(|(partition, ballots)| Record::new(Partition::new(partition), ballots))
}
