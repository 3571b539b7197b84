//! The fuzz targets of the adapters, on a stable compiler: over their corpus and mutations of it.

#[path = "../../fuzz/laws/record.rs"]
mod record;
#[path = "../../fuzz/replay.rs"]
mod replay;
#[path = "../../fuzz/laws/url.rs"]
mod url;

use replay::replay;

#[test]
fn record() {
    replay("record", 5_000, record::check);
}

#[test]
fn url() {
    replay("url", 5_000, url::check);
}
