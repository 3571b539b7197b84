//! The laws of what reads bytes from outside, over the corpus of `fuzz/` and mutations of it.

use cast_core::fuzzing;
use cast_testkit::fuzz::replay;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus");

#[test]
fn ticket() {
    replay(format!("{CORPUS}/ticket"), 5_000, fuzzing::ticket);
}

#[test]
fn key_ring() {
    replay(format!("{CORPUS}/key_ring"), 5_000, fuzzing::key_ring);
}

#[test]
fn name() {
    replay(format!("{CORPUS}/name"), 5_000, fuzzing::name);
}
