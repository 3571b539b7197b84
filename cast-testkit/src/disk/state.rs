//! What is on the disk, and what is only said to be.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use crate::SeededEntropy;

/// The bytes that a disk writes as a whole.
const SECTOR: usize = 512;

/// A call that changes what is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoCall {
    /// Bytes are written.
    Write,
    /// A file is cut off.
    Truncate,
    /// A file is synced.
    Sync,
    /// A file is deleted.
    Delete,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A write finds no room.
    Full,
    /// The call fails. After a sync that failed, what was written before is not on the disk, whatever later
    /// syncs say: the system has dropped it.
    Error,
    /// The power is cut: this call and all after it fail.
    PowerCut,
    /// The process ends.
    Abort,
}

/// A disk's memory.
#[derive(Default)]
pub(super) struct State {
    files: BTreeMap<PathBuf, FileState>,
    /// Calls so far.
    pub(super) calls: u64,
    /// The faults: from which call on, and how many calls.
    pub(super) plan: Option<(u64, u64, Fault)>,
    pub(super) ignores_syncs: bool,
    is_cut: bool,
}

#[derive(Clone, Default)]
struct FileState {
    /// As of the last sync.
    durable: Vec<u8>,
    /// Whether the name is on the disk.
    is_named: bool,
    /// Since the last sync.
    pending: Vec<Pending>,
    /// Deleted, and the folder was not synced since.
    is_deleted: bool,
}

#[derive(Clone)]
enum Pending {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

impl State {
    /// Counts a call; the fault that it meets.
    pub(super) fn fault_of(&mut self, call: IoCall) -> Option<Fault> {
        if self.is_cut {
            return Some(Fault::PowerCut);
        }
        let number = self.calls;
        self.calls += 1;
        let (from, count, fault) = self.plan?;
        if number < from || number - from >= count {
            return None;
        }
        if fault == Fault::PowerCut {
            self.is_cut = true;
        }
        // A full disk still syncs and deletes.
        (fault != Fault::Full || call == IoCall::Write).then_some(fault)
    }

    /// Notes a file that is opened. One that was there before is on the disk.
    pub(super) fn opened(&mut self, path: &Path) {
        if self.files.get(path).is_some_and(|file| !file.is_deleted) {
            return;
        }
        let durable = fs::read(path).unwrap_or_default();
        let is_named = !durable.is_empty();
        let file = FileState {
            durable,
            is_named,
            ..FileState::default()
        };
        self.files.insert(path.into(), file);
    }

    pub(super) fn written(&mut self, path: &Path, offset: usize, bytes: &[u8]) {
        let file = self.files.entry(path.into()).or_default();
        file.pending.push(Pending::Write(offset, bytes.into()));
    }

    pub(super) fn truncated(&mut self, path: &Path, len: usize) {
        let file = self.files.entry(path.into()).or_default();
        file.pending.push(Pending::Truncate(len));
    }

    pub(super) fn synced(&mut self, path: &Path) {
        if self.ignores_syncs {
            return;
        }
        let file = self.files.entry(path.into()).or_default();
        for pending in std::mem::take(&mut file.pending) {
            pending.apply(&mut file.durable);
        }
        let is_new = !std::mem::replace(&mut file.is_named, true);
        if is_new {
            // SQLite syncs the folder with the first sync of a new journal or WAL.
            let folder = path.parent();
            self.files
                .retain(|other, file| !file.is_deleted || other.parent() != folder);
        }
    }

    /// Notes that what was written to a file will never be on the disk.
    pub(super) fn dropped(&mut self, path: &Path) {
        let file = self.files.entry(path.into()).or_default();
        file.pending.clear();
    }

    pub(super) fn deleted(&mut self, path: &Path, is_synced: bool) {
        if is_synced {
            self.files.remove(path);
        } else if let Some(file) = self.files.get_mut(path) {
            file.is_deleted = true;
        }
    }

    /// Writes what a power cut may leave of the files in `from` into `to`; files that were not opened
    /// through this disk are copied.
    pub(super) fn leave(&self, from: &Path, to: &Path, random: &SeededEntropy) -> io::Result<()> {
        for entry in fs::read_dir(from)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default();
            let is_shared_memory = name.to_string_lossy().ends_with("-shm");
            if !is_shared_memory && !self.files.contains_key(&path) {
                fs::copy(&path, to.join(name))?;
            }
        }
        for (path, file) in &self.files {
            if let (Some(left), Some(name)) = (file.left(random), path.file_name()) {
                fs::write(to.join(name), left)?;
            }
        }
        Ok(())
    }
}

impl FileState {
    /// What a power cut may leave of the file; `None` if that is nothing, not even its name.
    fn left(&self, random: &SeededEntropy) -> Option<Vec<u8>> {
        let may_be_gone = self.is_deleted || !self.is_named;
        if may_be_gone && random.below(2) == 0 {
            return None;
        }
        let mut bytes = self.durable.clone();
        for pending in &self.pending {
            match random.below(3) {
                0 => {}
                1 => pending.apply(&mut bytes),
                _ => pending.apply_in_part(&mut bytes, random),
            }
        }
        Some(bytes)
    }
}

impl Pending {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(offset, written) => write_at(bytes, *offset, written),
            Self::Truncate(len) => bytes.truncate(*len),
        }
    }

    /// Some of the sectors.
    fn apply_in_part(&self, bytes: &mut Vec<u8>, random: &SeededEntropy) {
        let Self::Write(offset, written) = self else {
            return self.apply(bytes);
        };
        let mut at = 0;
        while at < written.len() {
            let sector_end = (offset + at) / SECTOR * SECTOR + SECTOR - offset;
            let end = sector_end.min(written.len());
            if random.below(2) == 0 {
                write_at(bytes, offset + at, &written[at..end]);
            }
            at = end;
        }
    }
}

fn write_at(bytes: &mut Vec<u8>, offset: usize, written: &[u8]) {
    let end = offset + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(written);
}
