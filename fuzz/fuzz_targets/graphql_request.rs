//! The body of a GraphQL request.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cast_server::fuzzing::graphql_request(bytes));
