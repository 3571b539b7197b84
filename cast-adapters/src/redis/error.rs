//! The errors of this adapter, and the port error that each becomes.

use std::time::Duration;

use bb8_redis::redis::{ErrorKind, RedisError, ServerErrorKind};
use cast_core::ports::{PortError, PortErrorKind};

/// Why a call failed. The variant says how far it came, which decides whether it may have happened.
///
/// The messages contain those of the driver, so the driver's errors are not the source.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Cause {
    #[error("{0}")]
    Option(&'static str),
    /// The URL or the certificates are invalid.
    #[error("the URL or the certificates of Redis are invalid: {0}")]
    Address(RedisError),
    /// Nothing was sent.
    #[error("could not connect: {0}")]
    Connect(RedisError),
    /// Nothing was sent.
    #[error("could not connect within {0:?}")]
    ConnectTimeout(Duration),
    /// The command may have been sent.
    #[error("the command failed: {0}")]
    Command(RedisError),
    /// Some of the calls were carried out, and another one failed.
    #[error("some of the commands were carried out, and one failed: {0}")]
    Partly(Box<Self>),
    /// The answer is not one of this adapter's scripts.
    #[error("the answer is invalid: {0}")]
    Answer(&'static str),
}

impl Cause {
    /// The port error of `operation`, with this as its source.
    pub(super) fn with_operation(self, operation: &'static str) -> PortError {
        PortError::new(self.kind(), operation).because(self)
    }

    /// Whether the call may have been carried out.
    pub(super) fn is_unknown(&self) -> bool {
        self.kind() == PortErrorKind::OutcomeUnknown
    }

    /// Whether it persists until an operator changes the configuration.
    pub(super) fn is_misconfigured(&self) -> bool {
        self.kind() == PortErrorKind::Misconfigured
    }

    /// Whether a node named another one.
    pub(super) fn is_redirection(&self) -> bool {
        use ServerErrorKind::{Ask, Moved};
        let Self::Command(error) = self else {
            return false;
        };
        matches!(error.kind(), ErrorKind::Server(Ask | Moved))
    }

    /// Whether the node says that it did nothing because of its own state, or was not connected to.
    pub(super) fn did_nothing(&self) -> bool {
        use ServerErrorKind::{BusyLoading, ClusterDown, MasterDown};
        match self {
            Self::Connect(_) | Self::ConnectTimeout(_) => true,
            Self::Command(error) => matches!(
                error.kind(),
                ErrorKind::Server(BusyLoading | ClusterDown | MasterDown)
            ),
            _ => false,
        }
    }

    fn kind(&self) -> PortErrorKind {
        match self {
            Self::Option(_) | Self::Address(_) => PortErrorKind::Misconfigured,
            Self::Connect(error) => kind_of_connecting(error),
            Self::ConnectTimeout(_) => PortErrorKind::Unavailable,
            Self::Command(error) => kind_of_command(error),
            // Whatever the failure is, other calls were carried out.
            Self::Partly(_) | Self::Answer(_) => PortErrorKind::OutcomeUnknown,
        }
    }
}

/// Nothing was sent, so the kind only says whether a retry may succeed.
fn kind_of_connecting(error: &RedisError) -> PortErrorKind {
    match error.kind() {
        ErrorKind::AuthenticationFailed
        | ErrorKind::InvalidClientConfig
        | ErrorKind::RESP3NotSupported
        | ErrorKind::Server(ServerErrorKind::NoPerm) => PortErrorKind::Misconfigured,
        _ if matches!(error.code(), Some("NOAUTH" | "WRONGPASS")) => PortErrorKind::Misconfigured,
        _ => PortErrorKind::Unavailable,
    }
}

/// The command was sent, or may have been.
fn kind_of_command(error: &RedisError) -> PortErrorKind {
    use ServerErrorKind as Server;
    match error.kind() {
        ErrorKind::Server(kind) => match kind {
            // The server says that it did nothing, for a reason that passes.
            Server::Ask
            | Server::BusyLoading
            | Server::ClusterDown
            | Server::ExecAbort
            | Server::MasterDown
            | Server::Moved
            | Server::NoScript
            | Server::ReadOnly
            | Server::TryAgain => PortErrorKind::Unavailable,
            // A missing permission; or a proxy in front of a cluster that sends to the wrong slot.
            Server::CrossSlot | Server::NoPerm => PortErrorKind::Misconfigured,
            // A script failed. All of its reads come before its writes, so it changed nothing.
            Server::ResponseError => PortErrorKind::Corrupt,
            _ => PortErrorKind::OutcomeUnknown,
        },
        ErrorKind::Extension => match error.code() {
            Some("BUSY" | "MISCONF" | "NOREPLICAS" | "OOM") => PortErrorKind::Unavailable,
            Some("NOAUTH" | "WRONGPASS") => PortErrorKind::Misconfigured,
            Some("WRONGTYPE") => PortErrorKind::Corrupt,
            _ => PortErrorKind::OutcomeUnknown,
        },
        // The driver refused it before it sent anything.
        ErrorKind::Client => PortErrorKind::Corrupt,
        // A timeout, a lost connection, an invalid answer.
        _ => PortErrorKind::OutcomeUnknown,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use PortErrorKind::{Corrupt, Misconfigured, OutcomeUnknown, Unavailable};
    use bb8_redis::redis::{Value, parse_redis_value};

    use super::*;

    fn answered(line: &str) -> RedisError {
        let value = parse_redis_value(format!("-{line}\r\n").as_bytes()).expect("an error line");
        let Value::ServerError(error) = value else {
            panic!("{line} is an error")
        };
        error.into()
    }

    fn io(kind: io::ErrorKind) -> RedisError {
        io::Error::from(kind).into()
    }

    #[test]
    fn a_command_that_the_server_refused_did_not_happen() {
        for (line, kind) in [
            (
                "LOADING Redis is loading the dataset in memory",
                Unavailable,
            ),
            ("BUSY Redis is busy running a script.", Unavailable),
            (
                "OOM command not allowed when used memory > 'maxmemory'.",
                Unavailable,
            ),
            (
                "READONLY You can't write against a read only replica.",
                Unavailable,
            ),
            (
                "MISCONF Redis is configured to save RDB snapshots",
                Unavailable,
            ),
            ("NOREPLICAS Not enough good replicas to write.", Unavailable),
            ("NOSCRIPT No matching script.", Unavailable),
            ("NOAUTH Authentication required.", Misconfigured),
            ("NOPERM this user has no permissions", Misconfigured),
            ("MOVED 3999 127.0.0.1:6381", Unavailable),
            ("ASK 3999 127.0.0.1:6381", Unavailable),
            (
                "TRYAGAIN Multiple keys request during rehashing",
                Unavailable,
            ),
            ("CLUSTERDOWN Hash slot not served", Unavailable),
            (
                "CROSSSLOT Keys in request don't hash to the same slot",
                Misconfigured,
            ),
            (
                "WRONGTYPE Operation against a key holding the wrong kind of value",
                Corrupt,
            ),
            ("ERR user_script:1: attempt to call a nil value", Corrupt),
        ] {
            assert_eq!(Cause::Command(answered(line)).kind(), kind, "{line}");
        }
    }

    #[test]
    fn a_command_without_an_answer_may_have_happened() {
        for kind in [
            io::ErrorKind::TimedOut,
            io::ErrorKind::BrokenPipe,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::UnexpectedEof,
        ] {
            assert_eq!(Cause::Command(io(kind)).kind(), OutcomeUnknown, "{kind:?}");
        }
        let novel = answered("SOMETHING that no version of Redis says yet");
        assert_eq!(Cause::Command(novel).kind(), OutcomeUnknown);
        let one_of_many = Cause::Command(answered("OOM"));
        assert_eq!(Cause::Partly(Box::new(one_of_many)).kind(), OutcomeUnknown);
        assert_eq!(Cause::Answer("empty").kind(), OutcomeUnknown);
    }

    #[test]
    fn without_a_connection_nothing_happened() {
        for kind in [io::ErrorKind::TimedOut, io::ErrorKind::ConnectionRefused] {
            assert_eq!(Cause::Connect(io(kind)).kind(), Unavailable, "{kind:?}");
        }
        assert_eq!(Cause::ConnectTimeout(Duration::ZERO).kind(), Unavailable);
        let loading = answered("LOADING Redis is loading the dataset in memory");
        assert_eq!(Cause::Connect(loading).kind(), Unavailable);
        let refused = answered("WRONGPASS invalid username-password pair");
        assert_eq!(Cause::Connect(refused).kind(), Misconfigured);
    }
}
