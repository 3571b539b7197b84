//! Fuzz targets without a fuzzer: a corpus, and what a seed makes of it.
//!
//! A fuzz target is a function of any bytes that panics where a law is broken. A fuzzer looks for such
//! bytes for as long as it is let; what it found worth keeping, the corpus, is worth a look at every
//! change.

use std::{fs, path::Path};

use crate::{entropy::SeededEntropy, seed::Seed};

/// The most bytes of an input: as a fuzzer has it, unless told otherwise.
const MAX_LEN: usize = 4_096;

/// Runs `target` with every file of the folder `corpus`, and then with so many `mutations` of them,
/// which follow from a [`Seed`].
///
/// # Panics
///
/// Where the target does, having shown its input; and when there is no corpus.
pub fn replay(corpus: impl AsRef<Path>, mutations: usize, target: impl Fn(&[u8])) {
    let corpus = read(corpus.as_ref());
    for (name, bytes) in &corpus {
        run(&target, &format_args!("of {name}"), bytes);
    }
    let seed = Seed::from_env_or_random();
    for mutation in 0..mutations {
        let entropy = seed.part(mutation as u64).entropy();
        let bytes = mutated(&corpus, &entropy);
        run(
            &target,
            &format_args!("of mutation {mutation} of seed {seed}"),
            &bytes,
        );
    }
}

/// The files of a folder, in the order of their names.
fn read(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let files =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut corpus: Vec<_> = files
        .map(|file| {
            let path = file.expect("a readable folder").path();
            let bytes = fs::read(&path).expect("a readable file");
            (path.display().to_string(), bytes)
        })
        .collect();
    assert!(
        !corpus.is_empty(),
        "there is no corpus in {}",
        folder.display()
    );
    corpus.sort_unstable();
    corpus
}

fn run(target: impl Fn(&[u8]), what: &dyn std::fmt::Display, bytes: &[u8]) {
    let _shown = Shown { what, bytes };
    target(bytes);
}

/// Shows an input if its target panics.
struct Shown<'a> {
    what: &'a dyn std::fmt::Display,
    bytes: &'a [u8],
}

impl Drop for Shown<'_> {
    #[expect(clippy::print_stderr, reason = "a failed test must show its input")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "the input {}: b\"{}\"",
                self.what,
                self.bytes.escape_ascii()
            );
        }
    }
}

/// One of the corpus, with a few changes.
fn mutated(corpus: &[(String, Vec<u8>)], entropy: &SeededEntropy) -> Vec<u8> {
    let any = || &corpus[entropy.index(corpus.len())].1;
    let mut bytes = any().clone();
    for _ in 0..=entropy.below(6) {
        change(&mut bytes, any(), entropy);
        bytes.truncate(MAX_LEN);
    }
    bytes
}

/// Numbers at which things tend to change.
const EDGES: [u8; 12] = [
    0, 1, b' ', b'\n', b'"', b'0', b'9', 0x7F, 0x80, 0xC0, 0xFE, 0xFF,
];

fn change(bytes: &mut Vec<u8>, other: &[u8], entropy: &SeededEntropy) {
    let place = |len: usize| entropy.index(len + 1);
    let piece_of = |bytes: &[u8]| {
        let from = place(bytes.len());
        let len = place((bytes.len() - from).min(64));
        bytes[from..from + len].to_vec()
    };
    let at = place(bytes.len());
    match entropy.below(7) {
        // Changes a bit, or a byte.
        0 if at < bytes.len() => bytes[at] ^= 1 << entropy.below(8),
        1 if at < bytes.len() => bytes[at] = EDGES[entropy.index(EDGES.len())],
        2 => bytes.insert(at, EDGES[entropy.index(EDGES.len())]),
        // Takes a piece away, says it again, or borrows one.
        3 => {
            let len = place((bytes.len() - at).min(64));
            bytes.drain(at..at + len);
        }
        4 => {
            let piece = piece_of(bytes).repeat(1 + entropy.index(40));
            bytes.splice(at..at, piece);
        }
        5 => {
            bytes.splice(at..at, piece_of(other));
        }
        _ => bytes.truncate(at),
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::HashSet};

    use super::*;

    #[test]
    fn the_corpus_comes_as_it_is_and_then_in_many_ways() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/contract");
        let files = folder.join("event_bus");
        let seen = RefCell::new(Vec::new());
        replay(&files, 200, |bytes| seen.borrow_mut().push(bytes.to_vec()));
        let seen = seen.into_inner();
        let corpus = read(&files);
        let (first, mutations) = seen.split_at(corpus.len());
        assert!(first.iter().eq(corpus.iter().map(|(_, bytes)| bytes)));
        let distinct: HashSet<_> = mutations.iter().collect();
        assert!(distinct.len() > 150, "{} of 200", distinct.len());
    }

    #[test]
    fn a_seed_makes_the_same_again() {
        let corpus = [
            ("a".to_owned(), b"some".to_vec()),
            ("b".to_owned(), b"thing".to_vec()),
        ];
        for seed in (0..100).map(Seed::new) {
            let make = || mutated(&corpus, &seed.entropy());
            assert_eq!(make(), make());
        }
    }
}
