//! The key ring of the folder.

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::Path};

use cast_core::domain::{Entropy, KeyRing};
use zeroize::Zeroizing;

use super::{durable, error::DataDirError};

pub(in crate::sqlite) const NAME: &str = "keys";

/// The key ring; a new one, if there is none yet.
pub(super) fn read_or_make(folder: &Path, entropy: &dyn Entropy) -> Result<KeyRing, DataDirError> {
    let path = folder.join(NAME);
    match fs::symlink_metadata(&path) {
        Ok(found) => check_mode(&path, found.permissions().mode())?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(&path, entropy)?,
        Err(error) => return Err(DataDirError::of(&error, "reading", &path)),
    }
    let text = fs::read_to_string(&path).map(Zeroizing::new);
    let text = text.map_err(|error| DataDirError::of(&error, "reading", &path))?;
    text.parse().map_err(|error| {
        DataDirError::because(format!(
            "{} is no key ring ({error}): restore it from a backup, or delete it, and the tickets that \
             are open now become invalid",
            path.display()
        ))
    })
}

fn make(path: &Path, entropy: &dyn Entropy) -> Result<(), DataDirError> {
    let mut secret = Zeroizing::new([0; KeyRing::MIN_SECRET_LEN]);
    entropy.fill(&mut *secret);
    let text = Zeroizing::new(format!("1:{}\n", hex::encode(*secret)));
    let written = durable::write(path, text.as_bytes());
    written.map_err(|error| DataDirError::of(&error, "writing", path))
}

fn check_mode(path: &Path, mode: u32) -> Result<(), DataDirError> {
    let of_others = mode & 0o077;
    if of_others == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(DataDirError::because(format!(
        "other users of this machine may read {path}, and issue tickets with it: run `chmod 600 {path}`"
    )))
}
