//! The path of a ballot: check, redeem, publish, record, reply.

mod flush;
mod intake;
mod recent;
mod service;

pub(crate) use intake::Intake;
pub use service::IntakeLoad;
pub(crate) use service::VoteService;
