//! The thread that writes a file: one transaction for all jobs that wait (group commit).
//!
//! SQLite syncs the WAL within COMMIT. Where that fails, the operating system may have forgotten the
//! pages that it could not write, while later syncs succeed (*fsyncgate*: Rebello et al., "Can
//! Applications Recover from fsync Failures?", USENIX ATC 2020). So the outcome is unknown, all
//! connections to both files are closed, and nothing is read or acknowledged before the WAL was moved
//! into the file (`wal_checkpoint(TRUNCATE)`), which writes and syncs it all again.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use diesel::{
    QueryResult, RunQueryDsl as _, SqliteConnection, connection::SimpleConnection as _, dsl::sql,
    result::Error as QueryError, sql_types::Integer,
};

use super::{
    error::{self, Error},
    file::File,
    readers::Readers,
};

/// Jobs of one transaction at most.
const MAX_JOBS: usize = 256;

/// How often a file that was closed after an error is tried again.
const REOPEN_EVERY: Duration = Duration::from_millis(250);

/// How a job ends that did not fail.
pub(super) enum End<T> {
    /// What it wrote is kept.
    Keep(T),
    /// What it wrote is undone.
    Undo(T),
}

/// A job of the writer.
pub(super) trait Job: Send {
    /// Writes; returns whether what was written is to be kept.
    fn run(&mut self, connection: &mut SqliteConnection) -> Result<bool, Error>;

    /// Called with the outcome of the job and its transaction.
    fn end(self: Box<Self>, transaction: Result<(), Error>);
}

/// A job that answers with `done`, in the writer's thread.
pub(super) fn job<T: Send + 'static>(
    run: impl FnMut(&mut SqliteConnection) -> Result<End<T>, Error> + Send + 'static,
    done: impl FnOnce(Result<T, Error>) + Send + 'static,
) -> Box<dyn Job> {
    Box::new(Closures {
        run,
        done,
        value: None,
    })
}

struct Closures<T, R, D> {
    run: R,
    done: D,
    value: Option<T>,
}

impl<T, R, D> Job for Closures<T, R, D>
where
    T: Send,
    R: FnMut(&mut SqliteConnection) -> Result<End<T>, Error> + Send,
    D: FnOnce(Result<T, Error>) + Send,
{
    fn run(&mut self, connection: &mut SqliteConnection) -> Result<bool, Error> {
        let (value, keep) = match (self.run)(connection)? {
            End::Keep(value) => (value, true),
            End::Undo(value) => (value, false),
        };
        self.value = Some(value);
        Ok(keep)
    }

    fn end(self: Box<Self>, transaction: Result<(), Error>) {
        let value = self.value;
        let ended = || value.expect("a job that succeeded has a value");
        (self.done)(transaction.map(|()| ended()));
    }
}

/// Starts the thread. It ends when all senders are dropped and what they sent is done.
pub(super) fn start(
    file: File,
    connection: SqliteConnection,
    readers: Readers,
    jobs: mpsc::Receiver<Box<dyn Job>>,
) -> Result<(), Error> {
    let path = file.path();
    let writer = Writer {
        doubts: file.folder.doubts(),
        file,
        readers,
        connection: Ok(connection),
    };
    let thread = thread::Builder::new().name(format!("cast-{}", writer.file.purpose.name));
    let started = thread.spawn(move || writer.work(&jobs));
    started.map(drop).map_err(|error| {
        Error::Refused(format!(
            "no thread can be started to write {} ({error}): raise the limit of threads",
            path.display()
        ))
    })
}

/// Its fields are dropped in this order: connections first, and the lock of the folder with the last
/// handle to `file`.
struct Writer {
    /// Or why it is closed.
    connection: Result<SqliteConnection, Arc<str>>,
    readers: Readers,
    /// The doubts of the folder when the file was opened.
    doubts: u64,
    file: File,
}

impl Writer {
    fn work(mut self, jobs: &mpsc::Receiver<Box<dyn Job>>) {
        loop {
            let first = match &self.connection {
                Ok(_) => jobs
                    .recv()
                    .map_err(|_| mpsc::RecvTimeoutError::Disconnected),
                Err(_) => jobs.recv_timeout(REOPEN_EVERY),
            };
            let waiting = jobs.try_iter().take(MAX_JOBS - 1);
            let jobs: Vec<_> = match first {
                Ok(first) => std::iter::once(first).chain(waiting).collect(),
                Err(mpsc::RecvTimeoutError::Timeout) => Vec::new(),
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            };
            self.reopen_if_needed();
            if !jobs.is_empty() {
                self.transact(jobs);
            }
        }
    }

    /// Runs jobs in one transaction; where that fails, each in one of its own, so that no job makes
    /// another one fail.
    fn transact(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        let Ok(connection) = &mut self.connection else {
            return end_all(jobs, || Err(self.closed()));
        };
        match run_all(connection, &mut jobs) {
            Ok(failures) => {
                let explained = |error| self.file.explained(error);
                let failures = failures.into_iter().map(|failure| failure.map(explained));
                let failures = failures.collect();
                let committed = commit(connection);
                if let Err(Error::Commit(reason)) = &committed {
                    self.doubt(reason);
                }
                answer(jobs, failures, &committed);
            }
            Err(error) => {
                // Some errors have rolled the transaction back already.
                let _ = connection.batch_execute("ROLLBACK");
                if jobs.len() > 1 {
                    for job in jobs {
                        self.transact(vec![job]);
                    }
                    return;
                }
                if let Error::Statement(query) = &error
                    && error::is_of_the_disk(query)
                {
                    self.close(&query.to_string().into());
                }
                let error = self.file.explained(error);
                end_all(jobs, || Err(copied(&error)));
            }
        }
    }

    /// Notes that a commit has an unknown outcome: both files are opened again.
    fn doubt(&mut self, reason: &Arc<str>) {
        self.file.folder.doubt();
        self.close(reason);
    }

    fn close(&mut self, reason: &Arc<str>) {
        tracing::warn!(
            file = %self.file.path().display(),
            %reason,
            "the file is closed, and opened again before anything else is read or written"
        );
        self.readers.close(reason);
        // Dropped here, after the readers: the last connection to close moves the WAL into the file.
        self.connection = Err(Arc::clone(reason));
    }

    /// Opens the file again after an error, or after one of the other file.
    fn reopen_if_needed(&mut self) {
        let doubts = self.file.folder.doubts();
        if self.connection.is_ok() && self.doubts == doubts {
            return;
        }
        if self.connection.is_ok() {
            self.close(&"the other file was closed after an error".into());
        }
        match reopen(&self.file) {
            Ok(connection) => {
                tracing::info!(file = %self.file.path().display(), "the file is open again");
                self.connection = Ok(connection);
                self.doubts = doubts;
                self.readers.open();
            }
            Err(error) => self.connection = Err(error.to_string().into()),
        }
    }

    fn closed(&self) -> Error {
        let reason = self.connection.as_ref().err();
        Error::Closed {
            path: self.file.path(),
            reason: reason.map_or_else(|| "".into(), Arc::clone),
        }
    }
}

/// Opens a file whose last commit may be there or not, and makes sure that the disk has what is read
/// from it.
fn reopen(file: &File) -> Result<SqliteConnection, Error> {
    let there = File {
        must_exist: true,
        ..file.clone()
    };
    let mut connection = there.open_to_write()?;
    let busy: i32 =
        sql::<Integer>("PRAGMA wal_checkpoint(TRUNCATE)").get_result(&mut connection)?;
    if busy != 0 {
        return Err(Error::RolledBack(
            "another process reads the file, so that its WAL cannot be moved into it".into(),
        ));
    }
    Ok(connection)
}

/// Runs jobs in a new transaction, each in a savepoint. Returns the failures of those that were undone
/// for their own error; fails where the transaction did.
fn run_all(
    connection: &mut SqliteConnection,
    jobs: &mut [Box<dyn Job>],
) -> Result<Vec<Option<Error>>, Error> {
    connection.batch_execute("BEGIN IMMEDIATE")?;
    let mut failures = Vec::with_capacity(jobs.len());
    for job in jobs {
        connection.batch_execute("SAVEPOINT job")?;
        let ran = job.run(connection);
        let (undo, failure) = match ran {
            Ok(keep) => (!keep, None),
            Err(error) if error.is_of_the_job() => (true, Some(error)),
            Err(error) => return Err(error),
        };
        if undo {
            connection.batch_execute("ROLLBACK TO job")?;
        }
        connection.batch_execute("RELEASE job")?;
        failures.push(failure);
    }
    Ok(failures)
}

/// Commits. A full disk is found while the transaction is written into the WAL, before the frame that
/// ends it: it is not there then, and the next transaction writes over it.
fn commit(connection: &mut SqliteConnection) -> Result<(), Error> {
    let committed: QueryResult<()> = connection.batch_execute("COMMIT");
    committed.map_err(|error| {
        let reason: Arc<str> = error.to_string().into();
        if error::is_full(&error) && connection.batch_execute("ROLLBACK").is_ok() {
            Error::RolledBack(reason)
        } else {
            Error::Commit(reason)
        }
    })
}

fn end_all(jobs: Vec<Box<dyn Job>>, outcome: impl Fn() -> Result<(), Error>) {
    for job in jobs {
        job.end(outcome());
    }
}

fn answer(jobs: Vec<Box<dyn Job>>, failures: Vec<Option<Error>>, committed: &Result<(), Error>) {
    for (job, failure) in jobs.into_iter().zip(failures) {
        let outcome = match (failure, committed) {
            (Some(error), _) => Err(error),
            (None, Ok(())) => Ok(()),
            (None, Err(error)) => Err(copied(error)),
        };
        job.end(outcome);
    }
}

/// The error of a transaction, for one of its jobs.
fn copied(error: &Error) -> Error {
    match error {
        Error::Commit(reason) => Error::Commit(Arc::clone(reason)),
        Error::Damaged(sentence) => Error::Damaged(sentence.clone()),
        Error::Statement(QueryError::DatabaseError(kind, information)) => {
            let message = information.message().to_owned();
            Error::Statement(QueryError::DatabaseError(*kind, Box::new(message)))
        }
        other => Error::RolledBack(other.to_string().into()),
    }
}
