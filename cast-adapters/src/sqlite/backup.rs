//! Copies of a folder: a backup beside a running server, and a folder made from a backup.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use diesel::connection::SimpleConnection as _;

use super::{
    dir::{self, DataDirError},
    file, folder,
    inspect::{self, Findings},
    log::{self, LogEnd},
};

/// Makes a backup of `source`, a data folder with or without a server that runs on it, in the folder
/// `target`, which must be new or empty. It blocks, for as long as it takes to write the votes twice.
///
/// The store is copied before the log, so that it is not ahead of it in the backup. Everything is synced
/// and read again before the backup is marked as whole; a backup without the mark is no data folder. Then
/// it is noted in `source` which records the backup has: [`Retention`](super::Retention) may drop those.
///
/// # Errors
///
/// With a sentence that says what to do.
pub fn backup(source: &Path, target: &Path) -> Result<Findings, DataDirError> {
    dir::require_marked(source)?;
    let findings = copy_whole(source, target)?;
    let ends = ends_of_log(target)?;
    dir::mark(target)?;
    dir::note_backup(source, &ends)?;
    Ok(findings)
}

/// Copies a folder, with or without a server that runs on it, and reads the copy, which is not marked yet.
fn copy_whole(source: &Path, target: &Path) -> Result<Findings, DataDirError> {
    let _kept = dir::keep(source)?;
    prepare(target)?;
    for name in [folder::VOTES, folder::LOG] {
        copy_database(source, target, name)?;
    }
    copy_keys(source, target)?;
    let findings = inspect::look_at(target);
    require_whole(&findings, target)?;
    Ok(findings)
}

fn ends_of_log(target: &Path) -> Result<Vec<LogEnd>, DataDirError> {
    let mut connection = file::connect_to(&target.join(folder::LOG))?;
    Ok(log::ends(&mut connection)?)
}

/// Makes the data folder `target` from a backup. It must be new or empty. It blocks.
///
/// # Errors
///
/// With a sentence that says what to do; a folder that was not finished is no data folder.
pub fn restore(backup: &Path, target: &Path) -> Result<Findings, DataDirError> {
    dir::require_marked(backup)?;
    require_whole(&inspect::look_at(backup), backup)?;
    // It may be a folder that a server runs on, whose last votes are not in the main files yet.
    let findings = copy_whole(backup, target)?;
    dir::mark(target)?;
    Ok(findings)
}

/// Makes the folder, and refuses one that has files.
fn prepare(target: &Path) -> Result<(), DataDirError> {
    dir::make(target)?;
    let entries = fs::read_dir(target);
    let mut entries = entries.map_err(|error| DataDirError::of(&error, "reading", target))?;
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(DataDirError::because(format!(
            "{} is not empty: name a folder that is new or empty",
            target.display()
        ))),
    }
}

/// Copies a database as of one moment, in its shortest form.
fn copy_database(source: &Path, target: &Path, name: &str) -> Result<(), DataDirError> {
    let to = target.join(name);
    let text = to.to_str().ok_or_else(|| {
        DataDirError::because(format!(
            "{} is not UTF-8: take another folder",
            to.display()
        ))
    })?;
    let mut connection = file::connect_to(&source.join(name))?;
    let copied = connection.batch_execute(&format!("VACUUM INTO '{}'", text.replace('\'', "''")));
    copied.map_err(|error| {
        DataDirError::because(format!(
            "copying {} to {} failed ({error}): is there room for it on the disk?",
            source.join(name).display(),
            to.display()
        ))
    })?;
    sync(&to)
}

fn copy_keys(source: &Path, target: &Path) -> Result<(), DataDirError> {
    let (from, to) = (source.join(dir::KEYS), target.join(dir::KEYS));
    match fs::copy(&from, &to) {
        Ok(_) => sync(&to),
        // A folder that was never served has no keys yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(DataDirError::of(&error, "copying to", &to)),
    }
}

fn sync(path: &Path) -> Result<(), DataDirError> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|error| DataDirError::of(&error, "syncing", path))
}

fn require_whole(findings: &Findings, folder: &Path) -> Result<(), DataDirError> {
    match findings.damage.first() {
        None => Ok(()),
        Some(damage) => Err(DataDirError::because(format!(
            "{} is damaged ({damage}): run `cast-server check --data-dir {}`, and use another backup",
            folder.display(),
            folder.display()
        ))),
    }
}
