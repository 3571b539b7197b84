//! HTTP: connections, paths, and the GraphQL endpoint.
//!
//! | file | does |
//! |---|---|
//! | `acceptor` | takes connections in, up to a cap |
//! | `connection`, `head` | a deadline on all that a client may keep us waiting for |
//! | `canned` | answers to connections that never made a request |
//! | `routes` | which path leads where; a request id on every answer |
//! | `health` | `/livez`, `/readyz`, `/healthz` |
//! | `graphql` | GraphQL over HTTP |
//!
//! Only HTTP/1.1 is spoken: whatever terminates TLS in front of CAST speaks HTTP/2 to the world.

mod acceptor;
mod canned;
mod connection;
mod deadline;
mod graphql;
mod head;
mod health;
mod request_id;
mod routes;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use async_graphql::Executor;
use cast_core::{
    Cast, Check,
    ports::{Clock, Entropy},
};
use poem::Server;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::graphql::EndpointSettings;
pub(crate) use self::request_id::RequestId;
use self::{acceptor::CappedAcceptor, graphql::GraphqlEndpoint, routes::Routes};
use crate::graphql::engine::Engine;

/// What connections are bound to.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// How many connections there may be; one more is turned away with a 503.
    pub max_connections: usize,
    /// How long a connection may be silent between requests.
    pub idle_timeout: Duration,
    /// How long a request's head may take from its first byte to its last.
    pub header_deadline: Duration,
    /// How long a request's body may take.
    pub body_deadline: Duration,
    /// How long the answer to a request may take.
    pub request_deadline: Duration,
    /// The most bytes of a request's head.
    pub max_head_size: usize,
    /// The most bytes of a request's body.
    pub max_body_size: usize,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            max_connections: 4_096,
            idle_timeout: Duration::from_secs(60),
            header_deadline: Duration::from_secs(5),
            body_deadline: Duration::from_secs(5),
            request_deadline: Duration::from_secs(15),
            max_head_size: 16 * 1_024,
            max_body_size: 16 * 1_024,
        }
    }
}

impl HttpSettings {
    fn endpoint(&self) -> EndpointSettings {
        EndpointSettings {
            body_deadline: self.body_deadline,
            request_deadline: self.request_deadline,
            max_body_size: self.max_body_size,
        }
    }
}

/// Starts to serve an engine on a bound listener.
///
/// With no `cast`, the server is ready as long as it lives.
pub fn serve<E: Executor>(
    listener: TcpListener,
    engine: Engine<E>,
    cast: Option<Cast>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    settings: &HttpSettings,
) -> io::Result<HttpServer> {
    let acceptor = CappedAcceptor::new(listener, Arc::clone(&clock), settings)?;
    let address = acceptor.address();
    let routes = Routes {
        graphql: GraphqlEndpoint::new(engine, Arc::clone(&clock), settings.endpoint()),
        cast,
        clock,
        entropy,
    };
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let task = tokio::spawn(async move {
        // No deadline here: whoever drains has one for the whole of it.
        Server::new_with_acceptor(acceptor)
            .run_with_graceful_shutdown(routes, stopped, None)
            .await
    });
    Ok(HttpServer {
        address,
        task,
        stop: stop.drop_guard(),
    })
}

/// A server that takes requests. Dropping it stops it.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    task: JoinHandle<io::Result<()>>,
    stop: DropGuard,
}

impl HttpServer {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it ends, which it does not by itself.
    pub async fn failed(&mut self) {
        let _ = (&mut self.task).await;
    }

    /// Takes no connection any more, and waits until every request that had begun is answered.
    pub async fn drain(self) {
        drop(self.stop);
        // One that has failed was waited for already, and must not be again.
        if !self.task.is_finished() {
            let _ = self.task.await;
        }
    }
}

/// What is missing, in a few lines; `None` when the process can do its job.
pub(crate) fn missing(checks: &[Check]) -> Option<String> {
    let is_missing = checks
        .iter()
        .any(|check| check.needed && check.result.is_err());
    is_missing.then(|| health::describe(checks, false))
}
