//! The tallies that voters see: those of the counter, refreshed from the store.

mod reader;
mod refresher;

pub(crate) use reader::{Shown, Tallies};
pub(crate) use refresher::Refresher;
