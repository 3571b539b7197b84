//! The store in `PostgreSQL` keeps every clause of its port's contract, against a real server.

mod postgres;

mod vote_store {
    cast_testkit::vote_store_contract!(super::postgres::store);
}
