//! The domain, the ports and the use cases of CAST.
#![forbid(unsafe_code)]

pub mod deadline;
pub mod domain;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod ledger;
pub mod ports;

mod auditing;
mod backoff;
mod cast;
mod fault;
mod folding;
mod issuing;
mod outage;
mod settings;
mod showing;
mod tasks;
mod voting;

pub use auditing::{Audit, AuditReport, AuditSettings, AuditedPartition, CounterAudit, Finding};
pub use cast::{Cast, CastBuilder, Check, Ports, Roles, StartError};
pub use fault::{Fault, FaultKind};
pub use folding::Consumer;
pub use issuing::Generator;
pub use settings::{
    DoorSettings, FoldSettings, Settings, SettingsError, TallySettings, TicketSettings,
};
pub use tasks::TaskDied;
pub use voting::IntakeLoad;
