//! The bounds of the searches.
//!
//! One search with much of everything would not end, so there are several, each with much of some
//! dangers and little of the others.

use super::{
    scope::{Rare, Scope},
    votes::Ballots,
};

/// The variable that asks for the larger bounds, by the word `large`.
const BOUND: &str = "CAST_MODEL_BOUND";

/// Whether the larger bounds are asked for.
pub(crate) fn is_large() -> bool {
    match std::env::var(BOUND).as_deref() {
        Err(_) => false,
        Ok("large") => true,
        Ok(other) => panic!("{BOUND} is `large` or not set, not {other:?}"),
    }
}

const NEVER: Rare = Rare {
    backups: 0,
    restores: 0,
    forgets: 0,
    lost_use_counters: 0,
    lost_ids: 0,
};

/// One ballot that is sent twice: retries in every state of their first try.
pub(crate) fn one_voter() -> Scope {
    Scope {
        name: "one voter",
        sendings: [2, 0, 0, 0],
        partition_of: [0, 0, 1, 1],
        voters: [Ballots::of([0, 1, 2, 3]), Ballots::NONE],
        flush: 1,
        uses: [2, 0],
        records: 2,
        consumers: 2,
        checkpoints: 1,
        rare: NEVER,
    }
}

/// Two ballots in one partition, with checkpoints that overtake each other.
pub(crate) fn two_voters() -> Scope {
    Scope {
        name: "two voters",
        sendings: [1, 1, 0, 0],
        checkpoints: 2,
        ..one_voter()
    }
}

/// Two of two ballots in one partition and one in another.
pub(crate) fn two_partitions() -> Scope {
    Scope {
        name: "two partitions",
        sendings: [1, 1, 1, 0],
        ..one_voter()
    }
}

/// A store that is restored under two consumers.
pub(crate) fn restored() -> Scope {
    let rare = Rare {
        backups: 1,
        restores: 1,
        ..NEVER
    };
    Scope {
        name: "a store restored",
        sendings: [1, 1, 0, 0],
        records: 1,
        rare,
        ..one_voter()
    }
}

/// A store of two partitions that is restored under two consumers.
pub(crate) fn both_restored() -> Scope {
    Scope {
        name: "a store restored in two partitions",
        sendings: [1, 0, 1, 0],
        records: 2,
        ..restored()
    }
}

/// A store that is restored between a ballot and its retry.
pub(crate) fn restored_and_retried() -> Scope {
    Scope {
        name: "a store restored, and a retry",
        sendings: [2, 0, 0, 0],
        ..restored()
    }
}

/// A counter that forgets all, or one of the candidates of a ballot.
pub(crate) fn forgotten() -> Scope {
    let rare = Rare {
        forgets: 1,
        ..NEVER
    };
    Scope {
        name: "a counter that forgets",
        sendings: [1, 1, 0, 0],
        voters: [Ballots::of([0, 1]), Ballots::of([0])],
        consumers: 1,
        rare,
        ..one_voter()
    }
}

/// Flushes of two ballots, for two tickets of one use each, one of which loses its use counter.
pub(crate) fn tickets() -> Scope {
    let rare = Rare {
        lost_use_counters: 1,
        ..NEVER
    };
    Scope {
        name: "tickets",
        sendings: [1, 1, 1, 0],
        flush: 2,
        uses: [1, 1],
        consumers: 1,
        rare,
        ..one_voter()
    }
}

/// A ticket source that forgets the ids it has seen, and a counter that forgets.
pub(crate) fn lost_ids() -> Scope {
    let rare = Rare {
        lost_ids: 1,
        forgets: 1,
        ..NEVER
    };
    Scope {
        name: "lost ids",
        consumers: 1,
        rare,
        ..one_voter()
    }
}

/// All those that an ordinary run of the tests searches.
pub(crate) fn ordinary() -> Vec<Scope> {
    vec![
        one_voter(),
        two_voters(),
        two_partitions(),
        restored(),
        both_restored(),
        restored_and_retried(),
        forgotten(),
        tickets(),
        lost_ids(),
    ]
}

/// What takes minutes, and asks for an optimised build.
pub(crate) fn large() -> Vec<Scope> {
    let all_of_it = Rare {
        backups: 1,
        restores: 1,
        forgets: 1,
        lost_use_counters: 0,
        lost_ids: 0,
    };
    vec![
        Scope {
            name: "two voters and a retry (large)",
            sendings: [2, 1, 0, 0],
            ..two_voters()
        },
        Scope {
            name: "three consumers and a store restored (large)",
            consumers: 3,
            ..restored()
        },
        Scope {
            name: "three ballots in two partitions (large)",
            uses: [3, 0],
            ..two_partitions()
        },
        Scope {
            name: "a store restored and a counter that forgets (large)",
            checkpoints: 2,
            rare: all_of_it,
            ..both_restored()
        },
        Scope {
            name: "tickets, retries and lost ids (large)",
            sendings: [2, 1, 1, 0],
            rare: Rare {
                lost_use_counters: 1,
                lost_ids: 1,
                ..NEVER
            },
            ..tickets()
        },
    ]
}
