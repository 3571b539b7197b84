//! The clock and the randomness of the system. No other module reads either.

mod clock;
mod entropy;

pub use clock::SystemClock;
pub use entropy::SystemEntropy;
