//! The laws of what reads bytes from outside, over the corpus of `fuzz/` and mutations of it.

use cast_server::fuzzing;
use cast_testkit::fuzz::replay;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus");

#[test]
fn document() {
    replay(format!("{CORPUS}/document"), 3_000, fuzzing::document);
}

#[test]
fn graphql_request() {
    replay(
        format!("{CORPUS}/graphql_request"),
        3_000,
        fuzzing::graphql_request,
    );
}

#[test]
fn settings() {
    replay(format!("{CORPUS}/settings"), 1_000, fuzzing::settings);
}
