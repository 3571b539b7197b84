//! A GraphQL document.
#![no_main]

#[path = "../laws/document.rs"]
mod document;
#[path = "../laws/graphql_request.rs"]
mod graphql_request;
#[path = "../laws/limits.rs"]
mod limits;
#[path = "../laws/server.rs"]
mod server;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| document::check(bytes));
