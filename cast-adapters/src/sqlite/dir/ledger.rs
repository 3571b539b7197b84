//! How far the votes of the folder were moved into a deployment.

use std::{fs, io, path::Path};

use super::{durable, error::DataDirError};

pub(super) const NAME: &str = "moved";

/// How far a move is: what is needed to go on with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveLedger {
    /// The servers, without passwords.
    pub target: String,
    /// The number of the last ballot that the target's log has acknowledged.
    pub published: u64,
    /// Whether everything was moved and verified.
    pub is_done: bool,
}

impl MoveLedger {
    /// A move to these servers, before its first ballot.
    pub fn to(target: impl Into<String>) -> Self {
        Self {
            target: target.into(),
            published: 0,
            is_done: false,
        }
    }

    fn text(&self) -> String {
        let state = if self.is_done { "done" } else { "begun" };
        format!("{state}\n{}\n{}\n", self.published, self.target)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let is_done = match lines.next()? {
            "done" => true,
            "begun" => false,
            _ => return None,
        };
        Some(Self {
            is_done,
            published: lines.next()?.parse().ok()?,
            target: lines.next()?.into(),
        })
    }
}

/// The ledger of a folder; `None` if no move was begun.
pub(super) fn read(folder: &Path) -> Result<Option<MoveLedger>, DataDirError> {
    let path = folder.join(NAME);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DataDirError::of(&error, "reading", &path)),
    };
    let ledger = MoveLedger::parse(&text);
    ledger.map(Some).ok_or_else(|| {
        DataDirError::because(format!(
            "{} is no ledger of a move: delete it, and a move begins anew",
            path.display()
        ))
    })
}

pub(super) fn write(folder: &Path, ledger: &MoveLedger) -> Result<(), DataDirError> {
    let path = folder.join(NAME);
    let written = durable::write(&path, ledger.text().as_bytes());
    written.map_err(|error| DataDirError::of(&error, "writing", &path))
}

/// Refuses a folder whose votes are elsewhere: what is voted here would be missing there.
pub(super) fn refuse_moved(folder: &Path) -> Result<(), DataDirError> {
    let Some(ledger) = read(folder)? else {
        return Ok(());
    };
    let path = folder.join(NAME);
    let (path, target) = (path.display(), &ledger.target);
    let state = if ledger.is_done {
        "were moved"
    } else {
        "are being moved"
    };
    Err(DataDirError::because(format!(
        "the votes of this folder {state} to {target}: run the servers there, or delete {path} to vote \
         here again, which the votes there do not follow"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_is_read_as_it_was_written() {
        let folder = tempfile::TempDir::new().expect("a folder");
        assert_eq!(read(folder.path()), Ok(None));
        refuse_moved(folder.path()).expect("no move was begun");
        let mut ledger = MoveLedger::to("kafka://h, postgres://h");
        for (published, is_done) in [(0, false), (7, false), (9, true)] {
            (ledger.published, ledger.is_done) = (published, is_done);
            write(folder.path(), &ledger).expect("written");
            assert_eq!(read(folder.path()), Ok(Some(ledger.clone())));
            let refused = refuse_moved(folder.path()).expect_err("the votes are elsewhere");
            assert!(refused.to_string().contains("postgres://h"), "{refused}");
        }
        fs::write(folder.path().join(NAME), "later\n").expect("written");
        let refused = read(folder.path()).expect_err("no ledger");
        assert!(refused.to_string().contains("is no ledger"), "{refused}");
    }
}
