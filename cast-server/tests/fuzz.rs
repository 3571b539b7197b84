//! The fuzz targets of the server, on a stable compiler: over their corpus and mutations of it.

#[path = "../../fuzz/laws/document.rs"]
mod document;
#[path = "../../fuzz/laws/graphql_request.rs"]
mod graphql_request;
#[path = "../../fuzz/laws/limits.rs"]
mod limits;
#[path = "../../fuzz/replay.rs"]
mod replay;
#[path = "../../fuzz/laws/server.rs"]
mod server;
#[path = "../../fuzz/laws/settings.rs"]
mod settings;

use replay::replay;

#[test]
fn document() {
    replay("document", 2_000, document::check);
}

#[test]
fn graphql_request() {
    replay("graphql_request", 2_000, graphql_request::check);
}

#[test]
fn settings() {
    replay("settings", 1_000, settings::check);
}
