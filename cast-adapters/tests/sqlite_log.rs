//! The log in a file keeps every clause of the contract.

mod sqlite;

mod event_bus {
    cast_testkit::event_bus_contract!(async || Ok(super::sqlite::folder()));
}
