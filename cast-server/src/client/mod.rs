//! A client of a server, for what asks it from outside: [`bench`](mod@crate::commands::bench) and
//! [`demo`](crate::commands::demo).
//!
//! | file | holds |
//! |---|---|
//! | `mod` | a connection: HTTP/1.1, kept alive, one request at a time |
//! | `target` | where a server is |
//! | `answer` | what a GraphQL answer says |
//!
//! The connection is hyper's own, without a pool and its bookkeeping: the load generator mostly
//! shares a machine with what it measures, and one task with one connection needs no pool.

mod answer;
mod target;

use std::{io, time::Duration};

use bytes::Bytes;
use cast_core::{deadline::in_time, ports::Clock};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

pub(crate) use self::{
    answer::{Answer, AnswerError, Cas, NoData, data},
    target::Target,
};

/// The most bytes of an answer.
const MAX_ANSWER: usize = 1 << 20;

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The request never left.
    NotSent(String),
    /// The connection broke. The request may have been served.
    Broken(String),
    /// The answer did not come in time. The request may yet be served.
    TimedOut,
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotSent(why) => f.write_str(why),
            Self::Broken(why) => write!(f, "the connection broke: {why}"),
            Self::TimedOut => f.write_str("no answer in time"),
        }
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// A connection, made when it is needed, and again when it broke.
pub(crate) struct Connection<'a> {
    target: &'a Target,
    clock: &'a dyn Clock,
    timeout: Duration,
    open: Option<SendRequest<Full<Bytes>>>,
}

impl<'a> Connection<'a> {
    pub(crate) fn new(target: &'a Target, clock: &'a dyn Clock, timeout: Duration) -> Self {
        Self {
            target,
            clock,
            timeout,
            open: None,
        }
    }

    /// Connects, unless it is connected.
    pub(crate) async fn connect(&mut self) -> Result<(), Lost> {
        // `ready` notices that the server closed an idle connection, before anything is sent on it.
        if let Some(open) = &mut self.open
            && open.ready().await.is_err()
        {
            self.open = None;
        }
        if self.open.is_some() {
            return Ok(());
        }
        let opened = in_time(self.clock, self.timeout, open(self.target)).await;
        let what = |why: &dyn std::fmt::Display| Lost::NotSent(format!("connecting: {why}"));
        let open = opened.ok_or_else(|| what(&"no answer in time"))?;
        self.open = Some(open.map_err(|error| what(&error))?);
        Ok(())
    }

    /// Posts `body` to where GraphQL is.
    pub(crate) async fn post(&mut self, body: Bytes) -> Result<Reply, Lost> {
        self.connect().await?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(&*self.target.path)
            .header(header::HOST, &*self.target.authority)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .body(Full::new(body))
            .map_err(|error| Lost::NotSent(error.to_string()))?;
        let open = self.open.as_mut().expect("it is connected");
        let exchanged = in_time(self.clock, self.timeout, exchange(open, request)).await;
        let reply = exchanged.unwrap_or(Err(Lost::TimedOut));
        if reply.is_err() {
            // An answer that comes late must not be taken for that of the next request.
            self.open = None;
        }
        reply
    }
}

async fn open(target: &Target) -> io::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect((&*target.host, target.port)).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    // It ends when its sender is dropped; what went wrong, the sender is told.
    tokio::spawn(connection);
    Ok(sender)
}

async fn exchange(
    open: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Reply, Lost> {
    let response = open.try_send_request(request).await.map_err(|mut error| {
        let not_sent = error.take_message().is_some();
        let why = error.into_error().to_string();
        if not_sent {
            Lost::NotSent(why)
        } else {
            Lost::Broken(why)
        }
    })?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect();
    let body = body
        .await
        .map_err(|error| Lost::Broken(error.to_string()))?;
    Ok(Reply {
        status,
        body: body.to_bytes(),
    })
}
