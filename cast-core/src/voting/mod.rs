//! The path of a ballot: check, redeem, publish, record, reply.

mod door;
mod flush;
mod intake;
mod recent;

pub(crate) use door::Door;
pub use door::IntakeLoad;
pub(crate) use intake::Intake;
