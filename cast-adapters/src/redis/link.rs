//! A few connections to the server, each of which takes any number of calls at a time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bb8_redis::{
    bb8::{ManageConnection, Pool, RunError},
    redis::{
        AsyncConnectionConfig, Client, Cmd, ConnectionInfo, IntoConnectionInfo, Pipeline,
        ProtocolVersion, PushInfo, PushKind, RedisError, RedisResult, ServerErrorKind, Value,
        aio::{MultiplexedConnection, SendError},
        io::tcp::TcpSettings,
    },
};
use tokio::sync::watch;

use super::{RedisOptions, error::Cause};

/// How many bytes of calls gather before a connection makes the next call wait: more than a large
/// flush.
const WRITE_BUFFER: usize = 256 * 1024;

/// The connections.
pub(super) struct Links {
    pool: Pool<Connector>,
    failures: Arc<Failures>,
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
}

struct Connector {
    client: Client,
    connect_timeout: Duration,
    response_timeout: Duration,
    failures: Arc<Failures>,
}

impl Links {
    /// Begins to connect, and does not wait for it.
    pub(super) fn open(options: &RedisOptions) -> Result<Self, Cause> {
        let failures = Arc::new(Failures::new(None));
        let connector = Connector {
            client: client(options).map_err(Cause::Address)?,
            connect_timeout: options.connect_timeout,
            response_timeout: options.response_timeout,
            failures: Arc::clone(&failures),
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
        Ok(Self {
            pool,
            failures,
            connections: options.connections,
            connect_timeout: options.connect_timeout,
        })
    }

    /// Sends one command.
    pub(super) async fn command(&self, command: &Cmd) -> Result<Value, Cause> {
        let mut link = self.link().await?;
        link.command(command).await.map_err(Cause::Command)
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
        }
    }
}

impl ManageConnection for Connector {
    type Connection = Link;
    type Error = RedisError;

    async fn connect(&self) -> Result<Link, RedisError> {
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
        match connecting.await {
            Ok(connection) => Ok(Link { connection, broken }),
            Err(error) => {
                self.failures.send_replace(Some(error.clone()));
                Err(error)
            }
        }
    }

    /// Not called: see `test_on_check_out`.
    async fn is_valid(&self, _: &mut Link) -> Result<(), RedisError> {
        Ok(())
    }

    fn has_broken(&self, link: &mut Link) -> bool {
        link.is_broken()
    }
}

fn client(options: &RedisOptions) -> RedisResult<Client> {
    let info = options.url.as_str().into_connection_info()?;
    // Only the third version of the protocol tells at once that a connection was closed.
    let settings = info.redis_settings().clone();
    let settings = settings.set_protocol(ProtocolVersion::RESP3);
    let info = info
        .set_redis_settings(settings)
        .set_tcp_settings(TcpSettings::default().set_nodelay(true));
    open_client(info, options)
}

#[cfg(not(feature = "redis-tls"))]
fn open_client(info: ConnectionInfo, _: &RedisOptions) -> RedisResult<Client> {
    Client::open(info)
}

#[cfg(feature = "redis-tls")]
fn open_client(info: ConnectionInfo, options: &RedisOptions) -> RedisResult<Client> {
    // Another crate of the process may have chosen one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match &options.root_certificates {
        None => Client::open(info),
        Some(roots) => Client::build_with_tls(
            info,
            bb8_redis::redis::TlsCertificates {
                client_tls: None,
                root_cert: Some(roots.clone()),
            },
        ),
    }
}
