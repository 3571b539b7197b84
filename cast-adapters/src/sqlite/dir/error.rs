//! Why a folder is refused.

use std::{io, path::Path};

/// Why a data folder cannot be used: a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DataDirError(String);

impl DataDirError {
    pub(in crate::sqlite) fn because(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }

    /// Something that the operating system refused.
    pub(in crate::sqlite) fn of(error: &io::Error, what: &str, path: &Path) -> Self {
        let advice = match error.kind() {
            io::ErrorKind::PermissionDenied => {
                "run the server as the user whom the folder belongs to, or take another folder with \
                 --data-dir"
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                "the disk is read-only: take a folder on another one with --data-dir"
            }
            io::ErrorKind::StorageFull => "the disk is full: make room on it",
            _ => "look at the disk, or take a folder on another one with --data-dir",
        };
        let path = path.display();
        Self(format!("{what} {path} failed ({error}): {advice}"))
    }
}

impl From<crate::sqlite::error::Error> for DataDirError {
    fn from(error: crate::sqlite::error::Error) -> Self {
        let source = std::error::Error::source(&error);
        Self(source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}")))
    }
}
