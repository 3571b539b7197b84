//! The log and the store in files keep every clause of the contracts.

mod sqlite;

mod event_bus {
    cast_testkit::event_bus_contract!(async || Ok(super::sqlite::folder()));
}

mod vote_store {
    cast_testkit::vote_store_contract!(async || Ok(super::sqlite::folder()));
}
