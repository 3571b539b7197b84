//! A file with one thread that writes it and a few connections that read it.
//!
//! Architecture invariant: nothing here blocks a thread of the runtime. The writer has a thread of its
//! own, and a read is a blocking task.
//!
//! Architecture invariant: a job is answered only after the COMMIT of its transaction.

use std::sync::{Arc, mpsc};

use diesel::SqliteConnection;
use tokio::sync::{Semaphore, oneshot};

use super::{
    error::Error,
    file::File,
    readers::Readers,
    writer::{self, End, Job},
};

/// Jobs that wait for the writer at most; further callers wait to hand in theirs.
const MAX_WAITING: usize = 1_024;

/// A file of the folder. A clone shares it; it is closed when the last clone is dropped and the
/// writer has done the jobs that it was given.
#[derive(Clone)]
pub(super) struct Database {
    file: File,
    readers: Readers,
    /// `None` if the file is only read.
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    places: Arc<Semaphore>,
}

impl Database {
    /// Opens the file, calls `begin` in a transaction, and starts the thread that writes the file. It
    /// blocks.
    pub(super) fn open<T>(
        file: File,
        begin: impl FnOnce(&mut SqliteConnection) -> Result<T, Error>,
    ) -> Result<(Self, T), Error> {
        let mut connection = file.open_to_write()?;
        let begun = connection.immediate_transaction(begin);
        let begun = begun.map_err(|error| file.explained_at_start(error))?;
        let readers = Readers::new(file.clone());
        let (jobs, waiting) = mpsc::channel();
        writer::start(file.clone(), connection, readers.clone(), waiting)?;
        let database = Self {
            file,
            readers,
            jobs: Some(jobs),
            places: Arc::new(Semaphore::new(MAX_WAITING)),
        };
        Ok((database, begun))
    }

    /// Opens the file to read it, beside a process that may be writing it, and calls `begin` in a
    /// transaction. It blocks.
    pub(super) fn inspect<T>(
        file: File,
        begin: impl FnOnce(&mut SqliteConnection) -> Result<T, Error>,
    ) -> Result<(Self, T), Error> {
        let readers = Readers::new(file.clone());
        let begun = readers.read_now(begin)?;
        let database = Self {
            file,
            readers,
            jobs: None,
            places: Arc::new(Semaphore::new(MAX_WAITING)),
        };
        Ok((database, begun))
    }

    #[cfg(test)]
    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// Runs `job` in the writer's next transaction, and returns when that has ended. If the future is
    /// dropped, the job is run all the same, or not at all.
    ///
    /// The job is run again, in a transaction by itself, where another job made its transaction fail.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        job: impl FnMut(&mut SqliteConnection) -> Result<End<T>, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.write_then(job, |_| {}).await
    }

    /// As [`write`](Self::write); `after` is called in the writer's thread as soon as the outcome is
    /// known, even if no caller waits for it.
    pub(super) async fn write_then<T: Send + 'static>(
        &self,
        job: impl FnMut(&mut SqliteConnection) -> Result<End<T>, Error> + Send + 'static,
        after: impl FnOnce(&Result<T, Error>) + Send + 'static,
    ) -> Result<T, Error> {
        let ended = || Error::Ended(self.file.path());
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|_| ended())?;
        let (answer, answered) = oneshot::channel();
        let job = writer::job(job, move |outcome| {
            after(&outcome);
            drop(place);
            // A caller that gave up needs no answer.
            let _ = answer.send(outcome);
        });
        let jobs = self.jobs.as_ref().ok_or_else(|| {
            let path = self.file.path();
            Error::Refused(format!("{} was opened to be read alone", path.display()))
        })?;
        jobs.send(job).map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }

    /// Runs `job` beside the writer, in a transaction that sees one snapshot.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut SqliteConnection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.readers.read(job).await
    }

    /// Makes the disk have all that was committed before. Returns whether it does: not, while others use
    /// the file for longer than a moment.
    pub(super) async fn sync(&self) -> Result<bool, Error> {
        let file = self.file.clone();
        let syncing = tokio::task::spawn_blocking(move || {
            let synced = file.sync();
            synced.map_err(|error| file.explained(error))
        });
        let ended = |_| Error::Ended(self.file.path());
        syncing.await.map_err(ended)?
    }

    /// Runs `job` as [`read`](Self::read) does, in this thread. It blocks.
    pub(super) fn read_now<T>(
        &self,
        job: impl FnOnce(&mut SqliteConnection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.readers.read_now(job)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use diesel::{
        Connection as _, QueryResult, RunQueryDsl as _, connection::SimpleConnection as _,
        dsl::sql, sql_types::Integer,
    };
    use diesel_migrations::EmbeddedMigrations;
    use tempfile::TempDir;

    use super::*;
    use crate::sqlite::{file::Purpose, folder::Folder};

    static PURPOSE: Purpose = Purpose {
        name: "test.db",
        application_id: 0x7465_7374,
        synchronous: "FULL",
        page_bytes: 4_096,
        checkpoint_pages: 1_000,
        cache_kib: 1_024,
        migrations: EmbeddedMigrations::new(&[]),
    };

    fn file(folder: &TempDir) -> File {
        File {
            folder: Arc::new(Folder::new(folder.path().into(), None, None).0),
            purpose: &PURPOSE,
            must_exist: false,
        }
    }

    fn open(folder: &TempDir) -> Database {
        let opened = Database::open(file(folder), |_| Ok(()));
        opened.expect("the file is opened").0
    }

    async fn with_table(folder: &TempDir) -> Database {
        let database = open(folder);
        let made = database.write(|connection| {
            connection.batch_execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY)")?;
            Ok(End::Keep(()))
        });
        made.await.expect("a table is made");
        database
    }

    fn insert(
        number: i32,
    ) -> impl FnMut(&mut SqliteConnection) -> Result<End<()>, Error> + Send + 'static {
        move |connection| {
            connection.batch_execute(&format!("INSERT INTO numbers VALUES ({number})"))?;
            Ok(End::Keep(()))
        }
    }

    fn sum(connection: &mut SqliteConnection) -> QueryResult<i32> {
        sql::<Integer>("SELECT coalesce(sum(number), 0) FROM numbers").get_result(connection)
    }

    #[tokio::test]
    async fn what_is_written_is_read_and_is_there_again() {
        let folder = TempDir::new().expect("a folder");
        let database = with_table(&folder).await;
        database.write(insert(7)).await.expect("written");
        assert_eq!(database.read(|c| Ok(sum(c)?)).await.expect("read"), 7);
        drop(database);
        let again = open(&folder);
        assert_eq!(again.read(|c| Ok(sum(c)?)).await.expect("read"), 7);
    }

    #[tokio::test]
    async fn no_job_makes_another_fail_of_the_same_transaction() {
        let folder = TempDir::new().expect("a folder");
        let database = with_table(&folder).await;
        let ended = Arc::new(AtomicUsize::new(0));
        let (open_gate, gate) = mpsc::channel::<()>();
        let first = database.write(move |_| {
            // The next jobs wait meanwhile. It may be run twice, if they are in its transaction.
            let _ = gate.recv();
            Ok(End::Keep(()))
        });
        let counted = |number| {
            let ended = Arc::clone(&ended);
            let mut insert = insert(number);
            database.write_then(
                move |connection: &mut SqliteConnection| insert(connection),
                move |_| {
                    ended.fetch_add(1, Ordering::Relaxed);
                },
            )
        };
        let undone = database.write(|connection| {
            connection.batch_execute("INSERT INTO numbers VALUES (1000)")?;
            Ok(End::Undo(sum(connection)?))
        });
        let refused = database.write(|connection| -> Result<End<()>, Error> {
            connection.batch_execute("INSERT INTO numbers VALUES (2000)")?;
            Err(Error::Unholdable("too large".into()))
        });
        // Its second number is there already: the whole transaction fails with it.
        let failing = database.write(|connection| {
            connection.batch_execute("INSERT INTO numbers VALUES (4000), (4)")?;
            Ok(End::Keep(()))
        });
        let opening = async move { open_gate.send(()) };
        let (first, four, five, undone, refused, failing, opened) = tokio::join!(
            first,
            counted(4),
            counted(5),
            undone,
            refused,
            failing,
            opening
        );
        first.and(four).and(five).expect("written");
        opened.expect("the gate is there");
        assert_eq!(undone.expect("undone"), 1_009);
        assert!(matches!(refused, Err(Error::Unholdable(_))), "{refused:?}");
        assert!(matches!(failing, Err(Error::Statement(_))), "{failing:?}");
        assert_eq!(database.read(|c| Ok(sum(c)?)).await.expect("read"), 9);
        assert_eq!(ended.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn after_a_doubt_the_file_is_opened_again_and_goes_on() {
        let folder = TempDir::new().expect("a folder");
        let database = with_table(&folder).await;
        database.write(insert(1)).await.expect("written");
        database.file().folder.doubt();
        // A table of a connection is gone with it.
        let is_new = database.write(|connection| {
            connection.batch_execute("CREATE TEMPORARY TABLE once (number)")?;
            Ok(End::Keep(()))
        });
        is_new.await.expect("written");
        database.write(insert(2)).await.expect("written");
        assert_eq!(database.read(|c| Ok(sum(c)?)).await.expect("read"), 3);
    }

    #[tokio::test]
    async fn a_job_is_done_although_its_caller_is_gone() {
        let folder = TempDir::new().expect("a folder");
        let database = with_table(&folder).await;
        let mut writing = Box::pin(database.write(insert(3)));
        assert!(futures_now(writing.as_mut()).is_none());
        drop(writing);
        database.write(insert(4)).await.expect("written");
        assert_eq!(database.read(|c| Ok(sum(c)?)).await.expect("read"), 7);
    }

    /// Polls once.
    fn futures_now<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match future.poll(&mut context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }

    #[test]
    fn another_program_s_file_and_one_that_is_no_database_are_refused() {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("test.db");
        let mut other = SqliteConnection::establish(path.to_str().expect("UTF-8")).expect("a file");
        other
            .batch_execute("PRAGMA application_id = 1; CREATE TABLE other (a)")
            .expect("a table");
        drop(other);
        let refused = Database::open(file(&folder), |_| Ok(()))
            .err()
            .expect("refused");
        assert!(
            refused.to_string().contains("of another program"),
            "{refused}"
        );
        std::fs::write(&path, [7_u8; 8_192]).expect("written");
        let refused = Database::open(file(&folder), |_| Ok(()))
            .err()
            .expect("refused");
        assert!(refused.to_string().contains("is damaged"), "{refused}");
    }
}
