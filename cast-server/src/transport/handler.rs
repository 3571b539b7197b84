//! What the rest of the server provides.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::{Body, Incoming};

/// Serves requests.
pub(crate) trait Handler: Send + Sync + 'static {
    /// The body of a response.
    type Body: Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + Unpin + 'static;

    /// Answers a request of the client at `remote`, whatever happens: it must not panic.
    fn handle(
        &self,
        request: Request<Incoming>,
        remote: SocketAddr,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// Learns what happens to connections.
pub(crate) trait ConnectionEvents: Send + Sync + 'static {
    /// A connection is served.
    fn opened(&self);
    /// A connection that was opened is closed.
    fn closed(&self);
    /// A connection is rejected with a 503: as many are open as may be.
    fn refused(&self);
    /// A connection is closed with this status because it made no valid request.
    fn rejected(&self, status: StatusCode);
}
