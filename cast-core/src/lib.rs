//! The core of CAST, a voting backend: votes are logged first, then counted, each exactly once.
//!
//! # Where to begin
//!
//! | to do this | look at |
//! |---|---|
//! | embed CAST in a program | [`Cast`], [`Settings`] |
//! | cast a ballot, and understand the answer | [`domain::Ballot`], [`domain::Outcome`], [`Fault`] |
//! | connect another database, log or cache | the traits in [`ports`], their contract suites in `cast-testkit` |
//! | measure, delay or fail calls of the ports | [`ports::Interceptor`] |
//! | run one role by itself | [`Roles`], or [`Generator`], [`Consumer`] and [`Audit`] |
//!
//! # The path of a vote
//!
//! 1. `ingest` checks the ballot and its ticket without I/O, and adds it to the next flush.
//! 2. The flush **redeems** a use of the ticket ([`ports::TicketSource`]), **publishes** the ballots as one
//!    record ([`ports::EventBus`]), and **records** their votes ([`ports::VoteCounter`]). The vote counts once
//!    the log has acknowledged it, and is then answered.
//! 3. `projection` reads the log, **applies** the ballots to the database ([`ports::VoteStore`]) in one
//!    transaction with its progress, and **reconciles** the counter with the new totals.
//!
//! # Rooms
//!
//! | folder | is about | imports |
//! |---|---|---|
//! | `domain` | values and pure functions | nothing |
//! | `ports` | the traits of what CAST needs | `domain` |
//! | `ingest` | a vote, from check to answer | `ports`, `tallies` |
//! | `projection` | the fold of the log into the store | `ports` |
//! | `tickets` | the ticket of each period | `ports` |
//! | `tallies` | the tallies that voters see, and how they are refreshed | `ports` |
//! | `audit` | a recount, compared with the store and the counter | `ports` |
//! | `deadline` | the deadline of a call of a port | `ports` |
//! | `ledger` | what clients were answered, for tests: *acknowledged implies counted* | nothing |
//! | `cast` | the facade | all rooms but `ledger`; no room imports it |
//!
//! Architecture invariant: this crate has no driver and no runtime of a server. Time and randomness come
//! in through [`domain::Clock`] and [`domain::Entropy`].
#![forbid(unsafe_code)]

pub mod deadline;
pub mod domain;
pub mod ledger;
pub mod ports;

mod audit;
mod backoff;
mod cast;
mod fault;
mod ingest;
mod log_reader;
mod outage;
mod projection;
mod settings;
mod tallies;
mod tasks;
mod tickets;
mod transfer;

pub use audit::{Audit, AuditReport, AuditSettings, AuditedPartition, CounterAudit, Finding};
pub use backoff::Backoff;
pub use cast::{Cast, CastBuilder, Check, Roles, StartError};
pub use fault::{Fault, FaultKind};
pub use ingest::IntakeLoad;
pub use ports::Ports;
pub use projection::Consumer;
pub use settings::{
    FoldSettings, IngestSettings, Setting, Settings, SettingsError, TallySettings, TicketSettings,
};
pub use tasks::TaskDied;
pub use tickets::Generator;
pub use transfer::{
    Destination, NumberedBallot, NumberedCandidate, NumberedRejection, Origin, Stage, Transfer,
    TransferError, TransferReport, TransferSettings, fold_to_end,
};
