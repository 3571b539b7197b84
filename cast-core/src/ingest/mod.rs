//! The path of a vote: check, redeem, publish, record, answer.
//!
//! | file | does |
//! |---|---|
//! | `service` | checks a ballot without I/O, hands it to the intake, waits for the answer |
//! | `intake` | group commit: collects ballots into flushes |
//! | `flush` | redeems, publishes and records the ballots of one flush |
//! | `answer` | the ballots of a flush between these steps, and their answers |
//! | `recent` | remembers the positions of acknowledged ballots |

mod answer;
mod flush;
mod intake;
mod recent;
mod service;

pub(crate) use intake::Intake;
pub use service::IntakeLoad;
pub(crate) use service::VoteService;
