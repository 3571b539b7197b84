//! The laws of what reads bytes from outside, over the corpus of `fuzz/` and mutations of it.

use cast_adapters::fuzzing;
use cast_testkit::fuzz::replay;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus");

#[test]
fn record() {
    replay(format!("{CORPUS}/record"), 5_000, fuzzing::record);
}

#[test]
fn url() {
    replay(format!("{CORPUS}/url"), 5_000, fuzzing::url);
}
