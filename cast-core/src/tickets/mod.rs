//! Issuing a ticket each period.

mod generator;

pub use generator::Generator;
