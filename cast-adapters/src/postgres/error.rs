//! The errors of this adapter, and the port error that each becomes.

use std::{error::Error as _, time::Duration};

use cast_core::ports::{BoxError, PortError, PortErrorKind};
use diesel::result::{ConnectionError, DatabaseErrorKind, Error as QueryError};
use diesel_async::pooled_connection::PoolError;

/// Why a call of the port failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("{0}")]
    Options(&'static str),
    #[error("the URL is invalid")]
    Url(#[source] tokio_postgres::Error),
    #[cfg(feature = "postgres-tls")]
    #[error("could not set up TLS")]
    Tls(#[source] BoxError),
    /// The network failed, or the server refused the connection.
    #[error("could not connect to PostgreSQL")]
    Connect(#[source] tokio_postgres::Error),
    #[error("could not set up the connection to PostgreSQL")]
    Setup(#[source] ConnectionError),
    #[error("could not get a connection to PostgreSQL within {0:?}")]
    NoConnection(Duration),
    /// The database does not have the schema of this binary.
    #[error("{0}")]
    Schema(String),
    #[error("a migration failed")]
    Migration(#[source] BoxError),
    /// A statement failed, or its connection did, before COMMIT was sent.
    #[error(transparent)]
    Statement(#[from] QueryError),
    #[error("the transactions of other partitions kept inserting the same ballots")]
    Raced,
    #[error("the transaction was not ready to commit within {0:?}")]
    Deadline(Duration),
    /// COMMIT was sent, and may have succeeded.
    #[error("the commit failed")]
    Commit(#[source] QueryError),
    #[error("the commit was not acknowledged within {0:?}")]
    CommitDeadline(Duration),
    /// The runtime cancelled the task of a transaction.
    #[error("the task of the transaction was cancelled")]
    Abandoned,
    /// A value does not fit its column.
    #[error("{0}")]
    Unholdable(String),
    /// A row that this adapter cannot have written.
    #[error("the database holds {0}")]
    Unreadable(String),
}

impl Error {
    /// The error of a task that was cancelled; a panic of the task is resumed here.
    pub(super) fn of_task(ended: tokio::task::JoinError) -> Self {
        match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Self::Abandoned,
        }
    }

    /// The port error of `operation`, with this error as its source.
    pub(super) fn with_operation(self, operation: &'static str) -> PortError {
        PortError::new(self.kind(), operation).because(self)
    }

    fn kind(&self) -> PortErrorKind {
        match self {
            Self::Options(_) | Self::Url(_) | Self::Schema(_) | Self::Migration(_) => {
                PortErrorKind::Misconfigured
            }
            #[cfg(feature = "postgres-tls")]
            Self::Tls(_) => PortErrorKind::Misconfigured,
            Self::Connect(error) => kind_of_connect(error),
            Self::Setup(_) | Self::NoConnection(_) | Self::Deadline(_) | Self::Raced => {
                PortErrorKind::Unavailable
            }
            Self::Statement(error) => kind_of_statement(error),
            Self::Commit(error) => kind_of_commit(error),
            Self::CommitDeadline(_) | Self::Abandoned => PortErrorKind::OutcomeUnknown,
            Self::Unholdable(_) | Self::Unreadable(_) => PortErrorKind::Corrupt,
        }
    }
}

/// A server that is starting, stopping or full is unavailable; one that does not know the user or the
/// database is misconfigured. Without an answer of the server it was the network, unless the cause says
/// otherwise: a missing password, no TLS, a wrong certificate.
fn kind_of_connect(error: &tokio_postgres::Error) -> PortErrorKind {
    // Invalid authorization, invalid catalog name, access rule violation (CONNECT is not granted),
    // a parameter that the server does not accept.
    const CONFIGURATION: [&str; 4] = ["28", "3D", "42", "22"];
    let misfit = match (error.code(), error.source()) {
        (Some(code), _) => CONFIGURATION.contains(&&code.code()[..2]),
        (None, None) => false,
        (None, Some(cause)) => match cause.downcast_ref::<std::io::Error>() {
            Some(network) => refuses_certificate(network),
            None => true,
        },
    };
    if misfit {
        PortErrorKind::Misconfigured
    } else {
        PortErrorKind::Unavailable
    }
}

#[cfg(feature = "postgres-tls")]
fn refuses_certificate(error: &std::io::Error) -> bool {
    let inner = error.get_ref();
    inner.is_some_and(|inner| {
        matches!(
            inner.downcast_ref(),
            Some(rustls::Error::InvalidCertificate(_))
        )
    })
}

#[cfg(not(feature = "postgres-tls"))]
const fn refuses_certificate(_: &std::io::Error) -> bool {
    false
}

/// Before COMMIT nothing has happened: a connection that ends during a transaction rolls it back. So the
/// kind only says whether a retry may succeed.
///
/// The driver reports the SQLSTATE of constraint violations and serialization failures only. So values
/// are checked before they are sent, or the statement returns what does not fit; of the server's errors
/// only a constraint violation says that the data cannot be stored. Every other error is treated as
/// transient (a deadlock, a statement timeout, a shutdown). After manual changes of the tables that may
/// retry too often, but it never rejects a valid ballot. A failed connection is not used again, and a
/// new one checks the schema first.
fn kind_of_statement(error: &QueryError) -> PortErrorKind {
    match error {
        QueryError::DatabaseError(
            DatabaseErrorKind::CheckViolation
            | DatabaseErrorKind::NotNullViolation
            | DatabaseErrorKind::UniqueViolation
            | DatabaseErrorKind::ForeignKeyViolation
            | DatabaseErrorKind::ExclusionViolation
            | DatabaseErrorKind::RestrictViolation,
            _,
        )
        | QueryError::SerializationError(_)
        | QueryError::DeserializationError(_) => PortErrorKind::Corrupt,
        _ => PortErrorKind::Unavailable,
    }
}

/// A serialization failure in the answer to COMMIT says that the transaction did not commit. Every other
/// error may have come after the commit: a server that shuts down sends its error in the place of the
/// acknowledgement.
const fn kind_of_commit(error: &QueryError) -> PortErrorKind {
    match error {
        QueryError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => {
            PortErrorKind::Unavailable
        }
        _ => PortErrorKind::OutcomeUnknown,
    }
}

/// The pool's error is diesel's, which may contain one of ours as the reason why a connection could not
/// be set up.
impl From<PoolError> for Error {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::ConnectionError(ConnectionError::CouldntSetupConfiguration(
                QueryError::QueryBuilderError(ours),
            )) => match ours.downcast::<Self>() {
                Ok(ours) => *ours,
                Err(other) => Self::Statement(QueryError::QueryBuilderError(other)),
            },
            PoolError::ConnectionError(ConnectionError::CouldntSetupConfiguration(error))
            | PoolError::QueryError(error) => Self::Statement(error),
            PoolError::ConnectionError(other) => Self::Setup(other),
        }
    }
}

/// Wraps one of our errors in diesel's type, for the setup of a connection.
impl From<Error> for ConnectionError {
    fn from(error: Error) -> Self {
        Self::CouldntSetupConfiguration(QueryError::QueryBuilderError(Box::new(error) as BoxError))
    }
}
