//! Reads the whole log from time to time, slowly, and says what is damaged.
//!
//! The fold takes the newest records from memory, and no component reads the old ones before they are needed:
//! then it is too late for a backup from before the damage.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use diesel::SqliteConnection;
use parking_lot::Mutex;

use super::{read, verify::Expected};
use crate::sqlite::{damage::Damage, database::Database, error::Error};

/// What is read in one transaction: little, so that it does not keep SQLite from emptying the WAL.
const BYTES_AT_ONCE: usize = 256 * 1_024;

/// After each of these reads: 4 MiB a second at most.
const PAUSE: Duration = Duration::from_millis(64);

/// After a read of a file that is closed, or of a disk that does not answer.
const PAUSE_AFTER_AN_ERROR: Duration = Duration::from_secs(2);

/// From the end of a pass to the next one.
const PAUSE_AFTER_A_PASS: Duration = Duration::from_hours(6);

/// What the scrub of a log has found since the log was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// How often it has read the log to its end.
    pub passes: u64,
    /// The first damage that it found.
    pub damage: Option<String>,
}

/// A thread that reads the log. It ends when this is dropped.
pub(super) struct Scrub {
    found: Arc<Mutex<Scrubbed>>,
    _stop: mpsc::Sender<Infallible>,
}

impl Scrub {
    pub(super) fn start(database: Database) -> Result<Self, Error> {
        let (stop, stopped) = mpsc::channel();
        let found = Arc::<Mutex<Scrubbed>>::default();
        let noted = Arc::clone(&found);
        let thread = thread::Builder::new().name("cast-log-scrub".into());
        let started = thread.spawn(move || scrub(&database, &noted, &stopped));
        started.map_err(|error| {
            Error::Refused(format!(
                "no thread can be started to check the log ({error}): raise the limit of threads"
            ))
        })?;
        Ok(Self { found, _stop: stop })
    }

    pub(super) fn found(&self) -> Scrubbed {
        self.found.lock().clone()
    }
}

fn scrub(database: &Database, found: &Mutex<Scrubbed>, stopped: &mpsc::Receiver<Infallible>) {
    let mut pass = Pass::default();
    loop {
        let pause = match database.read_now(|connection| pass.read_on(connection)) {
            Ok(false) => PAUSE,
            Err(error) if !matches!(error, Error::Damaged(_)) => PAUSE_AFTER_AN_ERROR,
            ended => {
                if let Err(error) = ended {
                    pass.damage.note(error.to_string());
                }
                PAUSE_AFTER_A_PASS
            }
        };
        pass.tell(found);
        if pause == PAUSE_AFTER_A_PASS {
            found.lock().passes += 1;
            pass = Pass::default();
        }
        match stopped.recv_timeout(pause) {
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// One reading of the log, from its beginning to its end.
#[derive(Default)]
struct Pass {
    /// The partition that is read, by its index, and how far.
    partition: usize,
    expected: Option<Expected>,
    damage: Damage,
    /// Sentences about it that were reported.
    reported: usize,
}

impl Pass {
    /// Reads on. Returns whether it is at the end.
    fn read_on(&mut self, connection: &mut SqliteConnection) -> Result<bool, Error> {
        let logs = read::partitions(connection)?;
        let Some(log) = logs.get(self.partition) else {
            return Ok(true);
        };
        // Since the last time, the next records may have been dropped, or the last ones lost with a commit
        // of unknown outcome.
        let there = self.expected.take();
        let there = there.filter(|it| (log.span.start..=log.span.end).contains(&it.offset()));
        let expected = self
            .expected
            .insert(there.unwrap_or_else(|| Expected::first_of(log)));
        let (mut bytes, damage) = (0, &mut self.damage);
        let ended = read::each_row(connection, log.span, expected.offset(), |row| {
            expected.check(row, damage)?;
            bytes += row.bytes.len();
            Ok(bytes < BYTES_AT_ONCE)
        })?;
        if ended && let Some(expected) = self.expected.take() {
            expected.end(log, damage);
            self.partition += 1;
        }
        Ok(self.partition == logs.len())
    }

    /// Says what was found since the last time.
    fn tell(&mut self, found: &Mutex<Scrubbed>) {
        for damage in self.damage.first.iter().skip(self.reported) {
            tracing::error!(
                %damage,
                "a check of the log found damage: run `cast-server check`, and keep the older backups"
            );
            found.lock().damage.get_or_insert_with(|| damage.clone());
        }
        self.reported = self.damage.first.len();
    }
}

#[cfg(test)]
mod tests {
    use cast_core::domain::{Offset, Partition, Partitions, Timestamp};
    use diesel::{Connection as _, connection::SimpleConnection as _};

    use super::{super::append, *};

    const P0: Partition = Partition::new(0);
    const RECORDS: u64 = 7;

    /// A log of two partitions; what one reading takes of it are two records.
    fn log() -> SqliteConnection {
        let mut log = SqliteConnection::establish(":memory:").expect("a database");
        let tables = include_str!("../../../migrations/sqlite/log/2026-11-30-000000_log/up.sql");
        log.batch_execute(tables).expect("tables");
        let partitions = Partitions::new(2).expect("two");
        append::begin(&mut log, partitions).expect("begun");
        for partition in partitions.iter() {
            for at in 0..RECORDS {
                let bytes = vec![0; BYTES_AT_ONCE / 2];
                let now = Timestamp::from_unix_ms(at);
                append::append(&mut log, partition, &bytes, now).expect("appended");
            }
        }
        log
    }

    fn read_to_end(pass: &mut Pass, log: &mut SqliteConnection) -> usize {
        let mut readings = 1;
        while !pass.read_on(log).expect("read") {
            readings += 1;
        }
        readings
    }

    fn found(pass: &mut Pass) -> Option<String> {
        let found = Mutex::default();
        pass.tell(&found);
        found.into_inner().damage
    }

    #[test]
    fn a_pass_reads_everything_in_pieces() {
        let (mut log, mut pass) = (log(), Pass::default());
        assert_eq!(read_to_end(&mut pass, &mut log), 8);
        assert_eq!(found(&mut pass), None);
    }

    #[test]
    fn damage_that_comes_while_it_reads_is_found() {
        for (statement, expected) in [
            (
                "UPDATE records SET bytes = x'00' WHERE position = 5",
                "partition 0, offset 5: its",
            ),
            (
                "UPDATE records SET crc = crc + 1 WHERE position = 5",
                "partition 0, offset 5: its",
            ),
            (
                "DELETE FROM records WHERE position = 5",
                "partition 0, offset 5: 1 records are",
            ),
            (
                "DELETE FROM records WHERE position = 6",
                "partition 0, offset 6: 1 records are",
            ),
            (
                "UPDATE partitions SET crc = crc + 1 WHERE partition = 1",
                "partition 1, offset 6: the checksum of the last record",
            ),
        ] {
            let (mut log, mut pass) = (log(), Pass::default());
            assert!(!pass.read_on(&mut log).expect("read"));
            log.batch_execute(statement).expect("changed");
            read_to_end(&mut pass, &mut log);
            let found = found(&mut pass).unwrap_or_default();
            assert!(found.contains(expected), "{statement}: {found}");
        }
    }

    #[test]
    fn records_that_are_dropped_or_appended_meanwhile_are_no_damage() {
        for before in [1, 2, 5, RECORDS] {
            let (mut log, mut pass) = (log(), Pass::default());
            assert!(!pass.read_on(&mut log).expect("read"));
            let before = Offset::new(before);
            append::drop_some(&mut log, P0, before, u32::MAX).expect("dropped");
            let now = Timestamp::from_unix_ms(0);
            append::append(&mut log, P0, b"one more", now).expect("appended");
            read_to_end(&mut pass, &mut log);
            assert_eq!(found(&mut pass), None, "{before:?}");
        }
    }
}
