//! The domain, the ports and the use cases of CAST.
#![forbid(unsafe_code)]

pub mod domain;
pub mod ports;

mod cast;
mod fault;
mod settings;

pub use cast::{Cast, CastBuilder, Check, Ports, Roles, StartError, TaskDied};
pub use fault::{Fault, FaultKind};
pub use settings::{
    DoorSettings, FoldSettings, Settings, SettingsError, TallySettings, TicketSettings,
};
