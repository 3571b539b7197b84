//! What the rest of the server provides.

use std::{io, net::SocketAddr};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use hyper::body::Incoming;

use crate::protocol::ConnectionEvent;

/// The body of a response.
pub(crate) type Body = BoxBody<Bytes, io::Error>;

/// Serves requests.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Answers a request of the client at `remote`, whatever happens: it must not panic.
    fn handle(
        &self,
        request: Request<Incoming>,
        remote: SocketAddr,
    ) -> impl Future<Output = Response<Body>> + Send;
}

/// Learns what happens to connections.
pub(crate) type ConnectionEvents = Box<dyn Fn(ConnectionEvent) + Send + Sync>;
