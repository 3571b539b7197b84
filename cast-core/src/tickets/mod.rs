//! The ticket of each period.

mod generator;

pub use generator::Generator;
