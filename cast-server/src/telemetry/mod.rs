//! What a process reports to its operators.
//!
//! | module | holds |
//! |---|---|
//! | `log` | what is logged, to standard error |
//! | [`metrics`] | what `/metrics` shows |
//! | [`traces`] | what is sent to a collector of traces, with the feature `otlp` |
//! | `measured` | the ports, each call of which is counted and timed |
//! | `watch` | the gauges that have to be polled: the ticket, the log's lag, the store's progress |

mod log;
mod measured;
pub mod metrics;
pub mod traces;
mod watch;

use std::time::Duration;

pub use self::log::init as init_log;
pub use self::measured::measured;
pub(crate) use self::watch::watch;

/// What is reported to the operators of a server.
#[derive(Clone, Debug)]
pub struct TelemetrySettings {
    /// How often the ticket, the log and the store are polled for `/metrics`.
    pub metrics_interval: Duration,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self {
            metrics_interval: Duration::from_secs(5),
        }
    }
}
