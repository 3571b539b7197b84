//! Folding the log into the store.

mod consumer;
mod narrow;
mod progress;
mod reconciler;

pub use consumer::Consumer;
pub(crate) use consumer::FoldOutages;
