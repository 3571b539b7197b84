//! The domain, the ports and the use cases of CAST.
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
mod outage;
mod projection;
mod settings;
mod tallies;
mod tasks;
mod tickets;

pub use audit::{Audit, AuditReport, AuditSettings, AuditedPartition, CounterAudit, Finding};
pub use backoff::Backoff;
pub use cast::{Cast, CastBuilder, Check, Roles, StartError};
pub use fault::{Fault, FaultKind};
pub use ingest::IntakeLoad;
pub use ports::Ports;
pub use projection::Consumer;
pub use settings::{
    FoldSettings, IngestSettings, Settings, SettingsError, TallySettings, TicketSettings,
};
pub use tasks::TaskDied;
pub use tickets::Generator;
