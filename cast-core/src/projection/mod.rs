//! The projection: the fold of the log into the store.
//!
//! | file | does |
//! |---|---|
//! | `consumer` | reads the log and applies it, step by step |
//! | `progress` | where the store is, and whether it was restored from a backup |
//! | `reconciler` | reconciles the counter with the store |
//! | `narrow` | finds the ballots that the store cannot hold |

mod consumer;
mod narrow;
mod progress;
mod reconciler;

pub use consumer::Consumer;
pub(crate) use consumer::FoldOutages;
