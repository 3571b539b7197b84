//! The fuzz targets of the domain, on a stable compiler: over their corpus and mutations of it.

#[path = "../../fuzz/laws/key_ring.rs"]
mod key_ring;
#[path = "../../fuzz/laws/name.rs"]
mod name;
#[path = "../../fuzz/replay.rs"]
mod replay;
#[path = "../../fuzz/laws/ticket.rs"]
mod ticket;

use std::{cell::RefCell, collections::HashSet};

use cast_testkit::Seed;
use replay::replay;

#[test]
fn ticket() {
    replay("ticket", 5_000, ticket::check);
}

#[test]
fn key_ring() {
    replay("key_ring", 5_000, key_ring::check);
}

#[test]
fn name() {
    replay("name", 5_000, name::check);
}

#[test]
fn the_corpus_is_replayed_as_it_is_and_then_in_mutations() {
    const MUTATIONS: usize = 200;
    let seen = RefCell::new(Vec::new());
    replay("ticket", MUTATIONS, |bytes| {
        seen.borrow_mut().push(bytes.to_vec());
    });
    let (corpus, seen) = (replay::corpus("ticket"), seen.into_inner());
    assert_eq!(seen.len(), corpus.len() + MUTATIONS);
    let (first, mutations) = seen.split_at(corpus.len());
    assert!(first.iter().eq(corpus.iter().map(|(_, bytes)| bytes)));
    let distinct: HashSet<_> = mutations.iter().collect();
    assert!(
        distinct.len() > MUTATIONS / 2,
        "{} distinct",
        distinct.len()
    );
}

#[test]
fn a_seed_makes_the_same_mutation_again() {
    let corpus = [
        ("a".to_owned(), b"some".to_vec()),
        ("b".to_owned(), b"thing".to_vec()),
    ];
    for seed in (0..100).map(Seed::new) {
        let mutate = || replay::mutate(&corpus, &seed.entropy());
        assert_eq!(mutate(), mutate());
    }
}
