//! Laws of the checks before a document is executed, over the corpus of its fuzz target and mutations of it.

use async_graphql::parser::parse_query;

use super::{DocumentLimits, MAX_DEPTH, MAX_NESTING, MAX_ROOT_FIELDS, document, guard};

#[path = "../../../fuzz/laws/limits.rs"]
mod limits;
#[path = "../../../fuzz/replay.rs"]
mod replay;

fn limits() -> limits::Limits {
    let max = DocumentLimits::default();
    limits::Limits {
        root_fields: MAX_ROOT_FIELDS,
        depth: MAX_DEPTH,
        cost: max.max_cost,
    }
}

#[test]
fn a_document_that_passes_the_guard_nests_no_deeper_than_the_guard_counted() {
    let max = DocumentLimits::default();
    replay::replay("document", 3_000, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return;
        };
        if guard::check(text, max.max_size, MAX_NESTING).is_ok()
            && let Ok(document) = parse_query(text)
        {
            assert!(limits::nesting(&document) <= MAX_NESTING);
        }
    });
}

#[test]
fn a_document_that_passes_the_limits_costs_no_more_than_was_computed() {
    let max = DocumentLimits::default();
    replay::replay("document", 3_000, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return;
        };
        if guard::check(text, max.max_size, MAX_NESTING).is_ok()
            && let Ok(document) = parse_query(text)
            && document::check(&document, max.max_cost).is_ok()
        {
            limits::assert_within(&document, limits());
        }
    });
}
