//! What can go wrong, and whether it may have happened.

use std::{error::Error as _, time::Duration};

use cast_core::ports::{BoxError, PortError, PortErrorKind};
use diesel::result::{ConnectionError, DatabaseErrorKind, Error as QueryError};
use diesel_async::pooled_connection::PoolError;

/// All that can go wrong between a port's method and the server.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("{0}")]
    Options(&'static str),
    #[error("the URL cannot be read")]
    Url(#[source] tokio_postgres::Error),
    #[cfg(feature = "postgres-tls")]
    #[error("TLS cannot be set up")]
    Tls(#[source] BoxError),
    /// Something outside of the database is in the way, or the server refuses us.
    #[error("no connection")]
    Connect(#[source] tokio_postgres::Error),
    /// Its first words were not understood.
    #[error("the connection cannot be set up")]
    Setup(#[source] ConnectionError),
    #[error("no connection within {0:?}")]
    NoConnection(Duration),
    /// The database is not the one that this binary works with.
    #[error("{0}")]
    Schema(String),
    #[error("a migration failed")]
    Migration(#[source] BoxError),
    /// A statement failed, or its connection did, before the transaction was told to commit.
    #[error(transparent)]
    Statement(#[from] QueryError),
    #[error("other partitions count the same ballots all the time")]
    Raced,
    #[error("the transaction was not ready to commit within {0:?}")]
    Deadline(Duration),
    /// It was told to commit, and what became of it the answer does not say.
    #[error("the commit failed")]
    Commit(#[source] QueryError),
    #[error("the commit was not acknowledged within {0:?}")]
    CommitDeadline(Duration),
    /// The runtime ended the task of a transaction.
    #[error("the transaction's task was ended")]
    Abandoned,
    /// What is asked for does not fit the tables.
    #[error("{0}")]
    Unholdable(String),
    /// What the tables hold is none of ours.
    #[error("the database holds {0}")]
    Unreadable(String),
}

impl Error {
    pub(super) const fn options(message: &'static str) -> Self {
        Self::Options(message)
    }

    /// The end of a task that was awaited: its panic goes on here.
    pub(super) fn of_task(ended: tokio::task::JoinError) -> Self {
        match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Self::Abandoned,
        }
    }

    /// The port's error, naming what it was doing.
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

/// A server that is starting, stopping or full is one to come back to; one that knows neither the
/// user nor the database is not. Without a word of the server it was the network, unless what is
/// beneath says that both sides do not fit: no password where one is asked for, no TLS, a
/// certificate of somebody else.
fn kind_of_connect(error: &tokio_postgres::Error) -> PortErrorKind {
    // Invalid authorization, invalid catalog name, access rule violation (CONNECT is not granted),
    // a parameter that the server does not take.
    const OURS: [&str; 4] = ["28", "3D", "42", "22"];
    let misfit = match (error.code(), error.source()) {
        (Some(code), _) => OURS.contains(&&code.code()[..2]),
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

/// Before COMMIT nothing has happened, whatever went wrong: a connection that ends in the middle of
/// a transaction takes it along. What is left to tell is whether it would go better the next time.
///
/// The driver tells the SQLSTATE of constraints and of serialization failures only. So whatever
/// depends on the data is checked before it is sent, or comes back as a value, and of the errors of
/// the server only a broken constraint says that the data cannot be held. All else is taken as
/// transient (a deadlock's victim, a statement that took too long, a server that stops): that
/// retries too much where somebody changed the tables by hand, but it never rejects a good ballot.
/// A connection that failed is not used again, and the next one looks at the schema first.
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

/// An answer of the server to COMMIT that it could not be serialized says that it did not happen.
/// Every other failure may have come after the commit: a server that is told to stop says so in the
/// place of the acknowledgement.
const fn kind_of_commit(error: &QueryError) -> PortErrorKind {
    match error {
        QueryError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => {
            PortErrorKind::Unavailable
        }
        _ => PortErrorKind::OutcomeUnknown,
    }
}

/// The pool's error is diesel's, which can carry one of ours as the reason why a connection could
/// not be set up.
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
            PoolError::ConnectionError(other) => {
                Self::Statement(QueryError::QueryBuilderError(Box::new(other)))
            }
        }
    }
}

/// Puts one of ours where only diesel's fits.
impl From<Error> for ConnectionError {
    fn from(error: Error) -> Self {
        Self::CouldntSetupConfiguration(QueryError::QueryBuilderError(Box::new(error) as BoxError))
    }
}
