//! Showing tallies: what the counter knows, healed from the store.

mod healer;
mod tallies;

pub(crate) use healer::Healer;
pub(crate) use tallies::{Shown, Tallies};
