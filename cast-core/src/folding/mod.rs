//! Folding the log into the store.

mod consumer;
mod narrow;
mod reading;

pub use consumer::Consumer;
