//! One server and a few connections to it. Any number of commands share each connection.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use bb8_redis::{
    bb8::{ManageConnection, Pool, RunError},
    redis::{
        AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, Pipeline, PushInfo, PushKind,
        RedisError, RedisResult, ServerErrorKind, Value,
        aio::{MultiplexedConnection, SendError},
        cmd,
    },
};
use tokio::sync::watch;

use super::{error::Cause, options::RedisOptions};

/// How many bytes of commands a connection buffers before the next command waits: more than a large
/// flush.
const WRITE_BUFFER: usize = 256 * 1024;

/// Receives what each new connection is answered to `CLUSTER SLOTS`, and from which address; an error
/// refuses the connection.
pub(super) type SlotsListener =
    Arc<dyn Fn(RedisResult<Value>, &ConnectionAddr) -> RedisResult<()> + Send + Sync>;

/// One server. It is connected to when a command first needs it.
pub(super) struct Node {
    pub(super) address: ConnectionAddr,
    connector: Connector,
    pool: OnceLock<Pool<Connector>>,
}

/// One connection. Clones share it.
#[derive(Clone)]
pub(super) struct Connection {
    multiplexed: MultiplexedConnection,
    /// Set as soon as the connection is known to be of no further use.
    broken: Arc<AtomicBool>,
    /// That of its node.
    unreachable: Arc<AtomicBool>,
}

#[derive(Clone)]
struct Connector {
    client: Client,
    options: Arc<RedisOptions>,
    on_slots: SlotsListener,
    /// Set when the node does not answer, until a connection succeeds again.
    unreachable: Arc<AtomicBool>,
    connect_error: watch::Sender<Option<RedisError>>,
}

impl Node {
    pub(super) fn new(
        address: ConnectionAddr,
        client: Client,
        options: Arc<RedisOptions>,
        on_slots: SlotsListener,
    ) -> Self {
        let connector = Connector {
            client,
            options,
            on_slots,
            unreachable: Arc::default(),
            connect_error: watch::Sender::new(None),
        };
        Self {
            address,
            connector,
            pool: OnceLock::new(),
        }
    }

    /// Whether the last attempt to use the node got no answer.
    pub(super) fn is_unreachable(&self) -> bool {
        self.connector.unreachable.load(Ordering::Relaxed)
    }

    pub(super) fn is_connected(&self) -> bool {
        self.pool.get().is_some()
    }

    /// Begins to connect, and does not wait for it.
    pub(super) fn connect(&self) {
        self.pool();
    }

    fn pool(&self) -> &Pool<Connector> {
        let options = &self.connector.options;
        self.pool.get_or_init(|| {
            Pool::builder()
                .max_size(options.connections)
                .min_idle(options.connections)
                .connection_timeout(options.connect_timeout)
                .idle_timeout(None)
                .build_unchecked(self.connector.clone())
        })
    }

    /// A connection that is not known to be broken.
    ///
    /// It is borrowed from the pool only to be cloned: callers share it, so none waits for the answers
    /// of another.
    pub(super) async fn connection(&self) -> Result<Connection, Cause> {
        let timed_out = Cause::ConnectTimeout(self.connector.options.connect_timeout);
        let mut errors = self.connector.connect_error.subscribe();
        tokio::select! {
            biased;
            got = self.pool().get() => match got {
                Ok(pooled) => Ok(pooled.clone()),
                Err(RunError::User(error)) => Err(Cause::Connect(error)),
                Err(RunError::TimedOut) => {
                    self.connector.unreachable.store(true, Ordering::Relaxed);
                    Err(timed_out)
                }
            },
            // The pool would try again until the time is up. The caller gets the error at once.
            Ok(()) = errors.changed() => {
                let error = errors.borrow().clone();
                Err(error.map_or(timed_out, Cause::Connect))
            }
        }
    }

    pub(super) async fn ping(&self) -> Result<(), Cause> {
        let mut pipeline = Pipeline::new();
        pipeline.cmd("PING");
        let mut connection = self.connection().await?;
        let answers = connection.pipeline(pipeline).await;
        let answers: RedisResult<Vec<Value>> = answers.and_then(|all| all.into_iter().collect());
        answers.map(drop).map_err(Cause::Command)
    }
}

impl Connection {
    /// Sends commands in one round trip; each has its own answer or error.
    pub(super) async fn pipeline(
        &mut self,
        mut pipeline: Pipeline,
    ) -> RedisResult<Vec<RedisResult<Value>>> {
        let answers: RedisResult<Vec<RedisResult<Value>>> = pipeline
            .ignore_errors()
            .query_async(&mut self.multiplexed)
            .await;
        let is_broken = match &answers {
            Ok(answers) => answers.iter().any(|one| one.as_ref().is_err_and(breaks)),
            Err(error) => breaks(error),
        };
        if is_broken {
            self.broken.store(true, Ordering::Relaxed);
            self.unreachable.store(true, Ordering::Relaxed);
        }
        answers
    }
}

/// Whether the connection is of no use after this error. A server that does not answer in time may be
/// gone without a trace, and one that became a replica keeps its connections although its name now
/// means another server.
fn breaks(error: &RedisError) -> bool {
    error.is_timeout()
        || error.is_unrecoverable_error()
        || error.kind() == ServerErrorKind::ReadOnly.into()
}

impl ManageConnection for Connector {
    type Connection = Connection;
    type Error = RedisError;

    async fn connect(&self) -> Result<Connection, RedisError> {
        let connected = self.open().await;
        let is_unreachable = connected.is_err();
        self.unreachable.store(is_unreachable, Ordering::Relaxed);
        if let Err(error) = &connected {
            self.connect_error.send_replace(Some(error.clone()));
        }
        connected
    }

    /// Without a PING: a connection reports by itself when it closes (RESP3).
    async fn is_valid(&self, connection: &mut Connection) -> Result<(), RedisError> {
        if self.has_broken(connection) {
            return Err((ErrorKind::Io, "the connection is broken").into());
        }
        Ok(())
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        connection.broken.load(Ordering::Relaxed)
    }
}

impl Connector {
    async fn open(&self) -> RedisResult<Connection> {
        let broken = Arc::new(AtomicBool::new(false));
        let closed = Arc::clone(&broken);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.options.connect_timeout))
            .set_response_timeout(Some(self.options.response_timeout))
            .set_write_backpressure_boundary(WRITE_BUFFER)
            .set_push_sender(move |push: PushInfo| {
                if push.kind == PushKind::Disconnection {
                    closed.store(true, Ordering::Relaxed);
                }
                Ok::<(), SendError>(())
            });
        let connecting = self
            .client
            .get_multiplexed_async_connection_with_config(&config);
        let mut connection = connecting.await?;
        let mut slots = cmd("CLUSTER");
        let slots = slots.arg("SLOTS").query_async(&mut connection).await;
        (self.on_slots)(slots, self.client.get_connection_info().addr())?;
        Ok(Connection {
            multiplexed: connection,
            broken,
            unreachable: Arc::clone(&self.unreachable),
        })
    }
}
