//! Folding the log into the store.

mod consumer;
mod narrow;

pub use consumer::Consumer;
