//! Responses to connections that made no valid request.

use std::{
    error::Error as _,
    io::{self, Write as _},
    net::Shutdown,
};

use cast_core::domain::Entropy;
use http::StatusCode;
use serde_json::json;
use tokio::net::TcpStream;

use crate::protocol::{ErrorCode, RequestId, request_id};

/// Why a connection is closed without a request having been served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejection {
    /// A request was begun and not finished in time.
    HeadTimeout,
    /// The request line and headers have too many bytes, or are too many.
    HeadTooLarge,
    /// The client speaks HTTP/2 without having been asked to.
    Http2,
    /// It is not HTTP/1.1.
    Malformed,
    /// As many connections are open as may be.
    TooManyConnections,
}

impl Rejection {
    /// What the end of a connection means; `None` if the client closed it.
    pub(super) fn of_error(error: &hyper::Error) -> Option<Self> {
        let cause = error
            .source()
            .and_then(|cause| cause.downcast_ref::<io::Error>());
        if cause.is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut) {
            Some(Self::HeadTimeout)
        } else if error.is_parse_too_large() {
            Some(Self::HeadTooLarge)
        } else if error.is_parse_version_h2() {
            Some(Self::Http2)
        } else {
            error.is_parse().then_some(Self::Malformed)
        }
    }

    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::HeadTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Http2 => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::TooManyConnections => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    const fn code(self) -> ErrorCode {
        match self {
            Self::HeadTimeout => ErrorCode::Unavailable,
            Self::TooManyConnections => ErrorCode::Overloaded,
            Self::HeadTooLarge | Self::Http2 | Self::Malformed => ErrorCode::BadUserInput,
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::HeadTimeout => "The request line and headers did not arrive in time",
            Self::HeadTooLarge => "The request has too many headers, or too large ones",
            Self::Http2 => "The server speaks HTTP/1.1 only, not HTTP/2",
            Self::Malformed => {
                "The request is not valid HTTP/1.1: a line such as \"POST /graphql HTTP/1.1\" and headers \
                 were expected. TLS is not spoken on this port"
            }
            Self::TooManyConnections => "The server has too many open connections: try again later",
        }
    }

    /// Sends the response, under a request id of its own that the log has too, and closes the connection.
    ///
    /// It does not wait: the response fits the socket's buffer, or the client is not reading.
    pub(super) fn send(self, stream: TcpStream, entropy: &dyn Entropy) {
        let id = RequestId::fresh(entropy);
        let status = self.status();
        tracing::debug!(request_id = %id, status = status.as_u16(), "rejected a connection");
        // The plain socket: tokio's waits until its driver has seen that it can be written to.
        let Ok(mut stream) = stream.into_std() else {
            return;
        };
        let _ = stream.write(&self.response(&id));
        let _ = stream.shutdown(Shutdown::Write);
    }

    fn response(self, id: &RequestId) -> Vec<u8> {
        let status = self.status();
        let error = self.code().server_error(self.message());
        let body = json!({"errors": [error]}).to_string();
        let (len, header) = (body.len(), request_id::HEADER);
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json; charset=utf-8\r\n\
             cache-control: no-store\r\nconnection: close\r\n{header}: {id}\r\n\
             content-length: {len}\r\n\r\n{body}"
        )
        .into_bytes()
    }
}
