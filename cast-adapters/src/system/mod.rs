//! The clock and the randomness of the machine: the only place that asks it for either.

mod clock;
mod entropy;

pub use clock::SystemClock;
pub use entropy::SystemEntropy;
