//! Waiting for no longer than one is willing to.

pub(crate) use cast_core::deadline::in_time as within;
