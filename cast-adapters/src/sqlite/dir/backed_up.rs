//! Which records the last verified backup of the folder has.

use std::{fs, io, path::Path};

use cast_core::domain::{Offset, Partition};

use super::{durable, error::DataDirError};
use crate::sqlite::log::LogEnd;

pub(super) const NAME: &str = "backup";

/// Where each partition of the last backup ends; `None` if there was no backup.
pub(in crate::sqlite) fn read(folder: &Path) -> Result<Option<Vec<LogEnd>>, DataDirError> {
    let path = folder.join(NAME);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DataDirError::of(&error, "reading", &path)),
    };
    let ends: Option<Vec<_>> = text.lines().map(parse).collect();
    ends.map(Some).ok_or_else(|| {
        DataDirError::because(format!(
            "{} does not say which records a backup has: delete it, and make a backup",
            path.display()
        ))
    })
}

pub(in crate::sqlite) fn write(folder: &Path, ends: &[LogEnd]) -> Result<(), DataDirError> {
    let lines = ends.iter().map(|end| {
        let (partition, next) = (end.partition.get(), end.next.get());
        format!("{partition} {next} {}\n", end.crc)
    });
    let path = folder.join(NAME);
    let written = durable::write(&path, lines.collect::<String>().as_bytes());
    written.map_err(|error| DataDirError::of(&error, "writing", &path))
}

fn parse(line: &str) -> Option<LogEnd> {
    let mut words = line.split(' ');
    let end = LogEnd {
        partition: Partition::new(words.next()?.parse().ok()?),
        next: Offset::new(words.next()?.parse().ok()?),
        crc: words.next()?.parse().ok()?,
    };
    words.next().is_none().then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_are_read_as_they_were_written() {
        let folder = tempfile::TempDir::new().expect("a folder");
        assert_eq!(read(folder.path()), Ok(None));
        let end = |partition, next, crc| LogEnd {
            partition: Partition::new(partition),
            next: Offset::new(next),
            crc,
        };
        let ends = vec![end(0, 0, 0), end(1, 1 << 40, u32::MAX)];
        write(folder.path(), &ends).expect("written");
        assert_eq!(read(folder.path()), Ok(Some(ends)));
        for text in ["\n", "0 1\n", "0 1 2 3\n", "0 1 -2\n"] {
            fs::write(folder.path().join(NAME), text).expect("written");
            let refused = read(folder.path()).expect_err("refused");
            assert!(refused.to_string().contains("make a backup"), "{refused}");
        }
    }
}
