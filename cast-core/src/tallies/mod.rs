//! Showing tallies: what the counter knows, healed from the store.

mod reader;
mod refresher;

pub(crate) use reader::{Shown, Tallies};
pub(crate) use refresher::Refresher;
