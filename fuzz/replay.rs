//! Runs a fuzz target without a fuzzer: over its corpus, and over mutations of it that follow from a seed.
//!
//! Included by the `tests/fuzz.rs` of each crate.

use std::{fmt, fs, path::Path, thread};

use cast_testkit::{Seed, SeededEntropy};

/// The longest input, in bytes: libFuzzer's default.
const MAX_LEN: usize = 4_096;

/// Calls `target` with every file of `fuzz/corpus/<name>`, and then with `mutations` mutations of them.
///
/// # Panics
///
/// If the target does, after printing the input; and if there is no corpus.
pub(crate) fn replay(name: &str, mutations: usize, target: impl Fn(&[u8])) {
    let corpus = corpus(name);
    for (name, bytes) in &corpus {
        run(&target, &format_args!("{name}"), bytes);
    }
    let seed = Seed::from_env_or_random();
    for mutation in 0..mutations {
        let bytes = mutate(&corpus, &seed.part(mutation as u64).entropy());
        let input = format_args!("mutation {mutation} of seed {seed}");
        run(&target, &input, &bytes);
    }
}

/// The paths and contents of the files of `fuzz/corpus/<name>`, ordered by path.
pub(crate) fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(name);
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut corpus: Vec<_> = files
        .map(|file| {
            let path = file.expect("a readable folder").path();
            let bytes = fs::read(&path).expect("a readable file");
            (path.display().to_string(), bytes)
        })
        .collect();
    assert!(!corpus.is_empty(), "{} is empty", folder.display());
    corpus.sort_unstable();
    corpus
}

fn run(target: impl Fn(&[u8]), name: &dyn fmt::Display, bytes: &[u8]) {
    let _input = Input { name, bytes };
    target(bytes);
}

/// Prints an input if its target panics.
struct Input<'a> {
    name: &'a dyn fmt::Display,
    bytes: &'a [u8],
}

impl Drop for Input<'_> {
    #[expect(clippy::print_stderr, reason = "a failed test must print its input")]
    fn drop(&mut self) {
        if thread::panicking() {
            let bytes = self.bytes.escape_ascii();
            eprintln!("the input is {}: b\"{bytes}\"", self.name);
        }
    }
}

/// One input of the corpus, with one to six changes.
pub(crate) fn mutate(corpus: &[(String, Vec<u8>)], entropy: &SeededEntropy) -> Vec<u8> {
    let any = || &corpus[entropy.index(corpus.len())].1;
    let mut bytes = any().clone();
    for _ in 0..=entropy.below(6) {
        change(&mut bytes, any(), entropy);
        bytes.truncate(MAX_LEN);
    }
    bytes
}

/// Bytes at the boundaries of what parsers tell apart.
const BOUNDARIES: [u8; 12] = [
    0, 1, b' ', b'\n', b'"', b'0', b'9', 0x7F, 0x80, 0xC0, 0xFE, 0xFF,
];

fn change(bytes: &mut Vec<u8>, other: &[u8], entropy: &SeededEntropy) {
    let place = |len: usize| entropy.index(len + 1);
    let piece_of = |bytes: &[u8]| {
        let from = place(bytes.len());
        let len = place((bytes.len() - from).min(64));
        bytes[from..from + len].to_vec()
    };
    let boundary = || BOUNDARIES[entropy.index(BOUNDARIES.len())];
    let at = place(bytes.len());
    match entropy.below(7) {
        0 if at < bytes.len() => bytes[at] ^= 1 << entropy.below(8),
        1 if at < bytes.len() => bytes[at] = boundary(),
        2 => bytes.insert(at, boundary()),
        // Removes a piece, repeats one, or copies one of another input.
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
