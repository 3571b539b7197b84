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

pub use self::log::init as init_log;
pub use self::measured::measured;
pub(crate) use self::watch::watch;
