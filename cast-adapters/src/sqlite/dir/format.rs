//! The marker file, which says which version of the folder it is.

use std::{fs, io, path::Path};

use super::{durable, error::DataDirError};

pub(super) const NAME: &str = "format";

/// The version that this program writes. A program that changes what is in the folder, other than by a
/// migration of one of the databases, raises it and upgrades older ones here.
const VERSION: u32 = 1;

const KIND: &str = "cast-data";

/// Whether the folder has a marker; fails if that is of a version that this program does not know.
pub(super) fn is_marked(folder: &Path) -> Result<bool, DataDirError> {
    let path = folder.join(NAME);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(DataDirError::of(&error, "reading", &path)),
    };
    let version = text.trim().strip_prefix(KIND).map(str::trim);
    let version: Option<u32> = version.and_then(|version| version.parse().ok());
    match version {
        Some(1..=VERSION) => Ok(true),
        Some(newer) => Err(DataDirError::because(format!(
            "{} has version {newer} of the data, and this program knows versions up to {VERSION}: use \
             the program that wrote it, or a newer one",
            folder.display()
        ))),
        None => Err(DataDirError::because(format!(
            "{} is no marker of a data folder: restore it from a backup, or take another folder with \
             --data-dir",
            path.display()
        ))),
    }
}

/// Marks a folder whose files are all there.
pub(super) fn mark(folder: &Path) -> Result<(), DataDirError> {
    let path = folder.join(NAME);
    let written = durable::write(&path, format!("{KIND} {VERSION}\n").as_bytes());
    written.map_err(|error| DataDirError::of(&error, "writing", &path))
}
