//! A connection: HTTP/1.1, kept alive, one request at a time.
//!
//! It is hyper's own, without a pool and its bookkeeping: the load generator mostly shares a machine
//! with what it measures, and one task with one connection needs no pool.

use std::{io, time::Duration};

use bytes::Bytes;
use cast_core::{deadline::in_time, domain::Clock};
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::protocol::HttpUrl;

/// The most bytes of a response body.
const MAX_BODY: usize = 1 << 20;

/// Why there is no response.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    /// The request was not sent.
    #[error("{0}")]
    NotSent(String),
    /// The connection broke. The request may have been served.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The response did not come in time. The request may yet be served.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
}

/// A connection, made when it is needed, and again when it broke.
pub(crate) struct Connection<'a> {
    url: &'a HttpUrl,
    clock: &'a dyn Clock,
    timeout: Duration,
    open: Option<SendRequest<Full<Bytes>>>,
}

impl<'a> Connection<'a> {
    pub(crate) fn new(url: &'a HttpUrl, clock: &'a dyn Clock, timeout: Duration) -> Self {
        Self {
            url,
            clock,
            timeout,
            open: None,
        }
    }

    pub(crate) const fn url(&self) -> &'a HttpUrl {
        self.url
    }

    /// Connects, unless it is connected.
    pub(crate) async fn connect(&mut self) -> Result<(), RequestError> {
        // `ready` notices that the server closed an idle connection, before anything is sent on it.
        if let Some(open) = &mut self.open
            && open.ready().await.is_ok()
        {
            return Ok(());
        }
        let opened = in_time(self.clock, self.timeout, open(self.url)).await;
        let open = match opened {
            Some(Ok(open)) => open,
            Some(Err(error)) => {
                return Err(RequestError::NotSent(format!("cannot connect: {error}")));
            }
            None => {
                let why = format!("cannot connect within {:?}", self.timeout);
                return Err(RequestError::NotSent(why));
            }
        };
        self.open = Some(open);
        Ok(())
    }

    /// Sends a request to this server, and waits for the response. The URI of the request is its path.
    pub(crate) async fn send(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Bytes>, RequestError> {
        let not_sent = |error: &dyn std::error::Error| RequestError::NotSent(error.to_string());
        let host = HeaderValue::from_str(&self.url.authority).map_err(|error| not_sent(&error))?;
        request.headers_mut().insert(header::HOST, host);
        self.connect().await?;
        let open = self.open.as_mut().expect("it is connected");
        let exchanged = in_time(self.clock, self.timeout, exchange(open, request)).await;
        let response = exchanged.unwrap_or(Err(RequestError::TimedOut(self.timeout)));
        if response.is_err() {
            // A late response must not be taken for that of the next request.
            self.open = None;
        }
        response
    }
}

async fn open(url: &HttpUrl) -> io::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect((&*url.host, url.port)).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    // It ends when its sender is dropped; the sender gets its errors.
    tokio::spawn(connection);
    Ok(sender)
}

async fn exchange(
    open: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, RequestError> {
    let response = open.try_send_request(request).await.map_err(|mut error| {
        let not_sent = error.take_message().is_some();
        let why = error.into_error().to_string();
        if not_sent {
            RequestError::NotSent(why)
        } else {
            RequestError::Broken(why)
        }
    })?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await;
    let body = body.map_err(|error| RequestError::Broken(error.to_string()))?;
    Ok(Response::from_parts(head, body.to_bytes()))
}
