//! The store in `PostgreSQL` passes the contract suite on a real server.

mod postgres;

mod vote_store {
    cast_testkit::vote_store_contract!(super::postgres::store);
}
