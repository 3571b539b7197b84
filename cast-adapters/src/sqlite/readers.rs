//! Connections that read a file beside its writer.

use std::sync::Arc;

use diesel::{SqliteConnection, connection::SimpleConnection as _};
use parking_lot::{Condvar, Mutex};
use tokio::sync::Semaphore;

use super::{error::Error, file::File};

/// Reads that run at the same time.
const MAX_READERS: usize = 4;

/// A few connections, opened when they are first needed.
#[derive(Clone)]
pub(super) struct Readers {
    // Closed before the lock of the folder is released, with the last handle to `file`.
    pool: Arc<Pool>,
    places: Arc<Semaphore>,
    file: File,
}

#[derive(Default)]
struct Pool {
    connections: Mutex<Connections>,
    returned: Condvar,
}

#[derive(Default)]
struct Connections {
    idle: Vec<SqliteConnection>,
    lent: usize,
    /// Why nothing can be read until the file is opened again.
    closed: Option<Arc<str>>,
}

impl Readers {
    pub(super) fn new(file: File) -> Self {
        Self {
            file,
            places: Arc::new(Semaphore::new(MAX_READERS)),
            pool: Arc::default(),
        }
    }

    /// Runs `job` in a blocking task, in a transaction that sees one snapshot.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut SqliteConnection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|_| Error::Ended(self.file.path()))?;
        let readers = self.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let read = readers.read_now(job);
            drop(place);
            read
        });
        reading.await.map_err(|task| match task.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Error::Ended(self.file.path()),
        })?
    }

    /// Runs `job` at once, as [`read`](Self::read) does. It blocks.
    pub(super) fn read_now<T>(
        &self,
        job: impl FnOnce(&mut SqliteConnection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut loan = Loan::take(&self.pool, &self.file)?;
        let mut connection = match loan.connection.take() {
            Some(connection) => connection,
            None => self.file.open_to_read()?,
        };
        let read = snapshot(&mut connection, job).map_err(|error| self.file.explained(error));
        // One whose transaction cannot be ended is closed.
        if connection.batch_execute("ROLLBACK").is_ok() {
            loan.connection = Some(connection);
        }
        read
    }

    /// Closes all connections, after the reads that run: nothing is read until [`open`](Self::open). It
    /// blocks.
    pub(super) fn close(&self, reason: &Arc<str>) {
        let mut connections = self.pool.connections.lock();
        connections.closed = Some(Arc::clone(reason));
        self.pool
            .returned
            .wait_while(&mut connections, |connections| connections.lent > 0);
        connections.idle.clear();
    }

    /// Allows reads again.
    pub(super) fn open(&self) {
        self.pool.connections.lock().closed = None;
    }
}

fn snapshot<T>(
    connection: &mut SqliteConnection,
    job: impl FnOnce(&mut SqliteConnection) -> Result<T, Error>,
) -> Result<T, Error> {
    connection.batch_execute("BEGIN")?;
    job(connection)
}

/// A connection out of the pool, or the right to open one. It is returned also where the job panics.
struct Loan<'p> {
    pool: &'p Pool,
    connection: Option<SqliteConnection>,
}

impl<'p> Loan<'p> {
    fn take(pool: &'p Pool, file: &File) -> Result<Self, Error> {
        let mut connections = pool.connections.lock();
        if let Some(reason) = &connections.closed {
            return Err(Error::Closed {
                path: file.path(),
                reason: Arc::clone(reason),
            });
        }
        connections.lent += 1;
        Ok(Self {
            pool,
            connection: connections.idle.pop(),
        })
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let connection = self.connection.take();
        let mut connections = self.pool.connections.lock();
        connections.idle.extend(connection);
        connections.lent -= 1;
        self.pool.returned.notify_all();
    }
}
