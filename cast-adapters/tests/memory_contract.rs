//! The memory adapters keep every clause of the ports' contracts.

mod memory;

mod ticket_source {
    cast_testkit::ticket_source_contract!(async || Ok(super::memory::tickets()));
}

mod event_bus {
    cast_testkit::event_bus_contract!(async || Ok(super::memory::bus()));
}

mod vote_counter {
    cast_testkit::vote_counter_contract!(async || Ok(super::memory::counter()));
}

mod vote_store {
    cast_testkit::vote_store_contract!(async || Ok(super::memory::store()));
}
