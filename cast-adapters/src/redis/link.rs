//! A few connections to a server, each of which takes any number of calls at a time.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bb8_redis::{
    bb8::{ManageConnection, Pool, RunError},
    redis::{
        AsyncConnectionConfig, Client, Cmd, Pipeline, PushInfo, PushKind, RedisError, RedisResult,
        ServerErrorKind, Value,
        aio::{MultiplexedConnection, SendError},
        cmd,
    },
};
use tokio::sync::watch;

use super::{RedisOptions, error::Cause, nodes::Nodes};

/// How many bytes of calls gather before a connection makes the next call wait: more than a large
/// flush.
const WRITE_BUFFER: usize = 256 * 1024;

/// The connections.
pub(super) struct Links {
    pool: Pool<Connector>,
    failures: Arc<Failures>,
    lost: Arc<AtomicBool>,
    /// How many broken connections a call may meet before it finds one that is not, or none.
    connections: u32,
    connect_timeout: Duration,
}

/// Why the last attempt to connect failed.
type Failures = watch::Sender<Option<RedisError>>;

/// One connection. Clones share it.
#[derive(Clone)]
pub(super) struct Link {
    connection: MultiplexedConnection,
    /// Set as soon as it is known that the connection is of no use any more.
    broken: Arc<AtomicBool>,
    /// Set when the server gave no answer, until it is connected to again.
    lost: Arc<AtomicBool>,
}

struct Connector {
    client: Client,
    connect_timeout: Duration,
    response_timeout: Duration,
    failures: Arc<Failures>,
    lost: Arc<AtomicBool>,
    nodes: Weak<Nodes>,
}

impl Links {
    /// Begins to connect, and does not wait for it. What the server says of others is told to
    /// `nodes`.
    pub(super) fn open(client: &Client, options: &RedisOptions, nodes: Weak<Nodes>) -> Self {
        let failures = Arc::new(Failures::new(None));
        let lost = Arc::new(AtomicBool::new(false));
        let connector = Connector {
            client: client.clone(),
            connect_timeout: options.connect_timeout,
            response_timeout: options.response_timeout,
            failures: Arc::clone(&failures),
            lost: Arc::clone(&lost),
            nodes,
        };
        let pool = Pool::builder()
            .max_size(options.connections)
            .min_idle(options.connections)
            .connection_timeout(options.connect_timeout)
            // A connection tells by itself when it is closed, so there is nothing to ask it, and
            // it is of use however long it has idled.
            .test_on_check_out(false)
            .idle_timeout(None)
            .build_unchecked(connector);
        Self {
            pool,
            failures,
            lost,
            connections: options.connections,
            connect_timeout: options.connect_timeout,
        }
    }

    /// Whether the last that was heard of the server is that it did not answer.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// A connection that is not known to be broken.
    ///
    /// It is borrowed from the pool only to be cloned: callers share it, so that none waits for
    /// another one's answer.
    pub(super) async fn link(&self) -> Result<Link, Cause> {
        for _ in 0..=self.connections {
            let mut failures = self.failures.subscribe();
            let got = tokio::select! {
                biased;
                got = self.pool.get() => got,
                // The pool would go on trying until the time is up; the caller is told at once.
                Ok(()) = failures.changed() => {
                    let why = failures.borrow().clone();
                    return Err(why.map_or(Cause::ConnectTimeout(self.connect_timeout), Cause::Connect));
                }
            };
            match got {
                // Going back into the pool, a broken one is thrown away and replaced.
                Ok(pooled) if pooled.is_broken() => drop(pooled),
                Ok(pooled) => return Ok(pooled.clone()),
                Err(RunError::User(error)) => return Err(Cause::Connect(error)),
                Err(RunError::TimedOut) => break,
            }
        }
        self.lost.store(true, Ordering::Relaxed);
        Err(Cause::ConnectTimeout(self.connect_timeout))
    }
}

impl Link {
    pub(super) async fn command(&mut self, command: &Cmd) -> RedisResult<Value> {
        let answer = command.query_async(&mut self.connection).await;
        self.note(answer.as_ref().err());
        answer
    }

    /// Sends commands in one round trip; an answer or an error for each.
    pub(super) async fn pipeline(
        &mut self,
        pipeline: &mut Pipeline,
    ) -> RedisResult<Vec<RedisResult<Value>>> {
        let answers: RedisResult<Vec<RedisResult<Value>>> = pipeline
            .ignore_errors()
            .query_async(&mut self.connection)
            .await;
        match &answers {
            Ok(answers) => answers
                .iter()
                .for_each(|answer| self.note(answer.as_ref().err())),
            Err(error) => self.note(Some(error)),
        }
        answers
    }

    fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Looks at an error for what it says about the connection.
    fn note(&self, error: Option<&RedisError>) {
        let broken = error.is_some_and(|error| {
            // Who gives no answer in time may be a server that is gone without a word; and one that
            // became a replica keeps its connections, while the name now means another server.
            error.is_timeout()
                || error.is_unrecoverable_error()
                || error.kind() == ServerErrorKind::ReadOnly.into()
        });
        if broken {
            self.broken.store(true, Ordering::Relaxed);
            self.lost.store(true, Ordering::Relaxed);
        }
    }
}

impl ManageConnection for Connector {
    type Connection = Link;
    type Error = RedisError;

    async fn connect(&self) -> Result<Link, RedisError> {
        let connected = self.connect_and_learn().await;
        self.lost.store(connected.is_err(), Ordering::Relaxed);
        if let Err(error) = &connected {
            self.failures.send_replace(Some(error.clone()));
        }
        connected
    }

    /// Not called: see `test_on_check_out`.
    async fn is_valid(&self, _: &mut Link) -> Result<(), RedisError> {
        Ok(())
    }

    fn has_broken(&self, link: &mut Link) -> bool {
        link.is_broken()
    }
}

impl Connector {
    async fn connect_and_learn(&self) -> RedisResult<Link> {
        let broken = Arc::new(AtomicBool::new(false));
        let closed = Arc::clone(&broken);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(Some(self.response_timeout))
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
        if let Some(nodes) = self.nodes.upgrade() {
            let said = cmd("CLUSTER")
                .arg("SLOTS")
                .query_async(&mut connection)
                .await;
            nodes.told(said, self.client.get_connection_info().addr())?;
        }
        Ok(Link {
            connection,
            broken,
            lost: Arc::clone(&self.lost),
        })
    }
}
