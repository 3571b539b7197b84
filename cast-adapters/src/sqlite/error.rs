//! The errors of this adapter, and the port error that each becomes.

use std::{path::PathBuf, sync::Arc};

use cast_core::ports::{BoxError, PortError, PortErrorKind};
use diesel::result::Error as QueryError;
use libsqlite3_sys as sqlite;

/// Why a call of the port failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The file cannot be used as it is; the sentence says what to do.
    #[error("{0}")]
    Refused(String),
    #[error("a migration of {path} failed")]
    Migration {
        path: PathBuf,
        #[source]
        source: BoxError,
    },
    /// A statement failed before COMMIT: the transaction was rolled back.
    #[error(transparent)]
    Statement(#[from] QueryError),
    /// The transaction failed before COMMIT, with all that it had, and was rolled back.
    #[error("the transaction was rolled back: {0}")]
    RolledBack(Arc<str>),
    /// COMMIT failed, and what it wrote may be read again after a crash.
    #[error("the commit failed: {0}")]
    Commit(Arc<str>),
    /// The files were closed after an error, and could not be opened again yet.
    #[error("{path} is closed until it can be opened again: {reason}")]
    Closed { path: PathBuf, reason: Arc<str> },
    /// The thread that writes has ended, or the runtime that reads.
    #[error("the thread of {0} has ended")]
    Ended(PathBuf),
    /// A value does not fit its column.
    #[error("{0}")]
    Unholdable(String),
    /// A row that was never written like this. [`File::explained`](super::file::File::explained) names the
    /// file.
    #[error("{0}")]
    Row(String),
    /// What is in the file is not what was written; the sentence says what to do.
    #[error("{0}")]
    Damaged(String),
}

impl Error {
    /// The port error of `operation`, with this error as its source.
    pub(super) fn with_operation(self, operation: &'static str) -> PortError {
        PortError::new(self.kind(), operation).because(self)
    }

    fn kind(&self) -> PortErrorKind {
        match self {
            Self::Refused(_) | Self::Migration { .. } | Self::Row(_) | Self::Damaged(_) => {
                PortErrorKind::Misconfigured
            }
            Self::Statement(error) => kind_of_statement(error),
            Self::RolledBack(_) | Self::Closed { .. } => PortErrorKind::Unavailable,
            Self::Commit(_) | Self::Ended(_) => PortErrorKind::OutcomeUnknown,
            Self::Unholdable(_) => PortErrorKind::Corrupt,
        }
    }

    /// Whether it is about one job alone: the transaction may go on without it.
    pub(super) const fn is_of_the_job(&self) -> bool {
        !matches!(self, Self::Statement(_))
    }
}

/// Nothing was written. A full disk may get room again, and a failing one may answer again; a file
/// that is damaged, or may not be written, needs an operator.
fn kind_of_statement(error: &QueryError) -> PortErrorKind {
    match error {
        error if is_damage(error) || is(error, sqlite::SQLITE_READONLY) => {
            PortErrorKind::Misconfigured
        }
        QueryError::DatabaseError(..) => PortErrorKind::Unavailable,
        // A value or a row that this adapter cannot have written.
        _ => PortErrorKind::Corrupt,
    }
}

/// Whether the disk may be failing, so that the file is to be opened again.
pub(super) fn is_of_the_disk(error: &QueryError) -> bool {
    is(error, sqlite::SQLITE_IOERR) || is(error, sqlite::SQLITE_CANTOPEN) || is_damage(error)
}

/// Whether the disk was full.
pub(super) fn is_full(error: &QueryError) -> bool {
    is(error, sqlite::SQLITE_FULL)
}

/// Whether the file is not one of SQLite's, or a page of it is not.
pub(super) fn is_damage(error: &QueryError) -> bool {
    is(error, sqlite::SQLITE_CORRUPT) || is(error, sqlite::SQLITE_NOTADB) || is_of_the_schema(error)
}

/// Whether SQLite does not understand the tables of the file. It is damage, with a message that names
/// the table.
fn is_of_the_schema(error: &QueryError) -> bool {
    message(error).is_some_and(|message| message.starts_with("malformed database schema"))
}

/// Whether the error has this code. diesel passes on only the text,
/// which is SQLite's own for these codes.
fn is(error: &QueryError, code: i32) -> bool {
    message(error) == Some(sqlite::code_to_str(code))
}

fn message(error: &QueryError) -> Option<&str> {
    match error {
        QueryError::DatabaseError(_, information) => Some(information.message()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use diesel::result::DatabaseErrorKind;

    use super::*;

    fn failed(code: i32) -> QueryError {
        let message = sqlite::code_to_str(code).to_owned();
        QueryError::DatabaseError(DatabaseErrorKind::Unknown, Box::new(message))
    }

    #[test]
    fn a_full_disk_is_waited_for_and_damage_is_not() {
        let kind = |code| kind_of_statement(&failed(code));
        assert_eq!(kind(sqlite::SQLITE_FULL), PortErrorKind::Unavailable);
        assert_eq!(kind(sqlite::SQLITE_IOERR), PortErrorKind::Unavailable);
        assert_eq!(kind(sqlite::SQLITE_BUSY), PortErrorKind::Unavailable);
        assert_eq!(kind(sqlite::SQLITE_CORRUPT), PortErrorKind::Misconfigured);
        assert_eq!(kind(sqlite::SQLITE_NOTADB), PortErrorKind::Misconfigured);
        assert_eq!(kind(sqlite::SQLITE_READONLY), PortErrorKind::Misconfigured);
        let message: Box<String> = Box::new("malformed database schema (records)".into());
        let tables = QueryError::DatabaseError(DatabaseErrorKind::Unknown, message);
        assert_eq!(kind_of_statement(&tables), PortErrorKind::Misconfigured);
        let row = kind_of_statement(&QueryError::NotFound);
        assert_eq!(row, PortErrorKind::Corrupt);
    }

    #[test]
    fn a_file_is_opened_again_after_an_error_of_the_disk_alone() {
        for (code, expected) in [
            (sqlite::SQLITE_IOERR, true),
            (sqlite::SQLITE_CORRUPT, true),
            (sqlite::SQLITE_FULL, false),
            (sqlite::SQLITE_CONSTRAINT, false),
            (sqlite::SQLITE_BUSY, false),
        ] {
            assert_eq!(is_of_the_disk(&failed(code)), expected, "{code}");
        }
    }

    #[test]
    fn only_a_failed_commit_may_have_happened() {
        let of = |error: Error| error.with_operation("writing").kind();
        let reason = || Arc::from("why");
        assert_eq!(of(Error::Commit(reason())), PortErrorKind::OutcomeUnknown);
        let ended = of(Error::Ended("log.db".into()));
        assert_eq!(ended, PortErrorKind::OutcomeUnknown);
        assert_eq!(of(Error::RolledBack(reason())), PortErrorKind::Unavailable);
        let closed = Error::Closed {
            path: "log.db".into(),
            reason: reason(),
        };
        assert_eq!(of(closed), PortErrorKind::Unavailable);
    }
}
