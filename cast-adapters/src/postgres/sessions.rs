//! The connection pool, and transactions that end even if their caller gives up.

use std::{sync::Arc, time::Duration};

use diesel::result::ConnectionError;
use diesel_async::{
    AnsiTransactionManager, AsyncPgConnection, TransactionManager as _,
    pooled_connection::{
        AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod,
        deadpool::{Object, Pool, PoolError},
    },
};
use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::time::timeout;

use super::{connect, error::Error, options::PostgresOptions, schema};

/// The isolation level is explicit, because the statements rely on it and a database may have another
/// default.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// A connection pool that runs work in tasks.
///
/// The caller awaits the task. If it gives up, the transaction still commits or rolls back as a whole,
/// and soon. A connection whose work failed is closed, and never used again.
#[derive(Clone)]
pub(super) struct Sessions {
    pool: Pool<AsyncPgConnection>,
    pub(super) options: Arc<PostgresOptions>,
}

/// How a transaction ends, and its result.
pub(super) enum End<T> {
    Commit(T),
    RollBack(T),
}

impl Sessions {
    /// Connections are opened when they are first needed.
    pub(super) fn new(options: PostgresOptions) -> Self {
        let options = Arc::new(options);
        let mut config = ManagerConfig::default();
        let shared = Arc::clone(&options);
        config.custom_setup = Box::new(move |_| {
            let options = Arc::clone(&shared);
            async move {
                let checked = async {
                    let mut connection = connect::connect(&options).await?;
                    schema::check(&mut connection).await?;
                    Ok::<_, Error>(connection)
                };
                checked.await.map_err(ConnectionError::from)
            }
            .boxed()
        });
        // A connection that the server has closed is detected without a query, and one that hangs by
        // the deadline.
        config.recycling_method = RecyclingMethod::Fast;
        let manager = AsyncDieselConnectionManager::new_with_config("", config);
        let pool = Pool::builder(manager)
            .max_size(options.pool_size.max(1))
            .build();
        Self {
            pool: pool.expect("a pool without timeouts of its own needs no runtime"),
            options,
        }
    }

    /// Runs one statement that only reads.
    pub(super) async fn read<T, W>(&self, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut AsyncPgConnection) -> BoxFuture<'c, Result<T, Error>>
            + Send
            + 'static,
    {
        let limit = self.options.transaction_timeout;
        self.run(move |connection| {
            async move {
                let read = timeout(limit, work(connection)).await;
                read.map_err(|_| Error::Deadline(limit))?
            }
            .boxed()
        })
        .await
    }

    /// Runs a transaction at READ COMMITTED, which must be ready to end within `limit`.
    pub(super) async fn transaction<T, W>(&self, limit: Duration, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut AsyncPgConnection) -> BoxFuture<'c, Result<End<T>, Error>>
            + Send
            + 'static,
    {
        self.run(move |connection| {
            async move {
                let ready = async {
                    AnsiTransactionManager::begin_transaction_sql(connection, BEGIN).await?;
                    work(connection).await
                };
                // Up to here nothing has happened: after a failure the connection is closed, which
                // rolls back.
                let end = timeout(limit, ready).await;
                match end.map_err(|_| Error::Deadline(limit))?? {
                    End::Commit(value) => {
                        let commit = AnsiTransactionManager::commit_transaction(connection);
                        let committed = timeout(limit, commit).await;
                        committed
                            .map_err(|_| Error::CommitDeadline(limit))?
                            .map_err(Error::Commit)?;
                        Ok(value)
                    }
                    End::RollBack(value) => {
                        let undo = AnsiTransactionManager::rollback_transaction(connection);
                        let undone = timeout(limit, undo).await;
                        undone.map_err(|_| Error::Deadline(limit))??;
                        Ok(value)
                    }
                }
            }
            .boxed()
        })
        .await
    }

    async fn run<T, W>(&self, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut AsyncPgConnection) -> BoxFuture<'c, Result<T, Error>>
            + Send
            + 'static,
    {
        // Nothing has happened before there is a connection, so a caller may give up here.
        let mut connection = self.connection().await?;
        let task = tokio::spawn(async move {
            let result = work(&mut connection).await;
            if result.is_err() {
                drop(Object::take(connection));
            }
            result
        });
        task.await
            .unwrap_or_else(|ended| Err(Error::of_task(ended)))
    }

    async fn connection(&self) -> Result<Object<AsyncPgConnection>, Error> {
        let limit = self.options.connect_timeout;
        match timeout(limit, self.pool.get()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(PoolError::Backend(error))) => Err(error.into()),
            // The pool has no timeouts or hooks of its own, and is never closed.
            Ok(Err(_)) | Err(_) => Err(Error::NoConnection(limit)),
        }
    }
}
