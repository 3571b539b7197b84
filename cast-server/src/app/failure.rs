//! Why a process failed, and what it prints then.

use std::{io, process::ExitCode, time::Duration};

use cast_core::{StartError, ports::PortError};

use crate::{
    config::{ConfigError, LogFormat},
    process::{exit, terminal},
};

/// Why a process ended without being asked to, or not as it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Settings that cannot work.
    #[error(transparent)]
    Usage(#[from] ConfigError),
    /// The data folder cannot be used.
    #[error("{0}")]
    Data(String),
    /// The address to listen at cannot be used.
    #[error("{}", cannot_listen(.address, .error))]
    Listen {
        /// `--listen`.
        address: String,
        /// The error of the system.
        error: io::Error,
    },
    /// The system refused something else.
    #[error("{what}: {error}")]
    System {
        /// What the process tried.
        what: &'static str,
        /// The error of the system.
        error: io::Error,
    },
    /// The use cases did not start.
    #[error("{}", start_error(.0))]
    Start(#[from] StartError),
    /// A server that the process needs does not answer, or refuses.
    #[error("{place}: {}", .error.chain())]
    Server {
        /// The server: its flag or the name of its check, and its host.
        place: String,
        /// The last answer.
        error: PortError,
    },
    /// A server that the process needs is set up wrongly, and waiting does not change that.
    #[error("{0}")]
    Misconfigured(String),
    /// A part of the process ended that never should.
    #[error("{0}")]
    Died(String),
    /// The graceful shutdown took longer than it may.
    #[error(
        "the graceful shutdown took longer than --drain-timeout ({0:?}): requests without an \
         answer were cut off"
    )]
    DrainTimeout(Duration),
    /// A second signal came during the graceful shutdown.
    #[error("{0} during the graceful shutdown: stopped at once")]
    Aborted(&'static str),
}

fn cannot_listen(address: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "another process listens at {address}: choose another address with --listen (port 0 \
             takes a free one)"
        ),
        io::ErrorKind::AddrNotAvailable => format!(
            "--listen {address}: this machine has no such address: 127.0.0.1 is for this machine \
             alone, 0.0.0.0 for all networks"
        ),
        io::ErrorKind::PermissionDenied => {
            format!("--listen {address}: the system does not permit it: choose a port above 1023")
        }
        _ => format!("--listen {address}: {error}"),
    }
}

/// With its causes: they name what has to be done.
fn start_error(error: &StartError) -> String {
    match error {
        StartError::Port(error) => error.chain(),
        StartError::Settings(error) => error.to_string(),
    }
}

/// Reports a failure, whatever `--log` filters, and says how the process exits.
pub(crate) fn exit_code(log: LogFormat, ended: Result<(), Failure>) -> ExitCode {
    let Err(failure) = ended else {
        return exit::OK.into();
    };
    match log {
        // The log's filter lets this target pass at any level: see `telemetry::log`.
        LogFormat::Json => tracing::error!(target: "cast_server::fatal", "{failure}"),
        LogFormat::Text => match &failure {
            Failure::Usage(error) => return usage_error(error),
            _ => {
                terminal::fail(&failure.to_string());
            }
        },
    }
    match failure {
        Failure::Usage(_) => exit::USAGE.into(),
        _ => exit::FAILED.into(),
    }
}

/// Reports a wrong setting as clap reports a wrong command line.
pub(crate) fn usage_error(error: &ConfigError) -> ExitCode {
    terminal::fail(&format!("{error}\n\nFor more information, try '--help'."));
    exit::USAGE.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_used_says_which_flag_to_change() {
        for kind in [
            io::ErrorKind::AddrInUse,
            io::ErrorKind::AddrNotAvailable,
            io::ErrorKind::PermissionDenied,
            io::ErrorKind::Other,
        ] {
            let error = Failure::Listen {
                address: "127.0.0.1:8000".into(),
                error: kind.into(),
            };
            let error = error.to_string();
            assert!(
                error.contains("--listen") && error.contains("127.0.0.1:8000"),
                "{error}"
            );
        }
    }
}
