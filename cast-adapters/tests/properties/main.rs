//! Laws of what remembers: each adapter in memory beside a plain model of its contract, and the
//! encoding of records.

mod counter;
#[cfg(feature = "sqlite")]
mod log;
#[cfg(feature = "record")]
mod record;
mod small;
mod store;
mod tickets;
