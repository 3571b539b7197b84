//! Answers that a connection is given where there is no request to answer: nobody has made sense of
//! one yet.

use cast_core::ports::Entropy;

use crate::protocol::{ErrorCode, RequestId, request_id};

/// An answer to nobody's request.
#[derive(Debug)]
pub(crate) struct Canned {
    status: &'static str,
    code: ErrorCode,
    message: &'static str,
}

/// To a client that began a request and did not get on with it.
pub(crate) const HEAD_TOO_SLOW: Canned = Canned {
    status: "408 Request Timeout",
    code: ErrorCode::Unavailable,
    message: "The head of the request did not come in time",
};

/// To a client whose request line and headers do not end.
pub(crate) const HEAD_TOO_LARGE: Canned = Canned {
    status: "431 Request Header Fields Too Large",
    code: ErrorCode::BadUserInput,
    message: "The head of the request is too large",
};

/// To a client that speaks HTTP/2 without having been asked to.
pub(crate) const NO_HTTP_2: Canned = Canned {
    status: "505 HTTP Version Not Supported",
    code: ErrorCode::BadUserInput,
    message: "Only HTTP/1.1 is spoken here",
};

/// To a client for whom there is no place.
pub(crate) const TOO_MANY_CONNECTIONS: Canned = Canned {
    status: "503 Service Unavailable",
    code: ErrorCode::Overloaded,
    message: "Too many connections: try again",
};

const BAD_REQUEST: Canned = Canned {
    status: "400 Bad Request",
    code: ErrorCode::BadUserInput,
    message: "This is no HTTP request",
};

const URI_TOO_LONG: Canned = Canned {
    status: "414 URI Too Long",
    code: ErrorCode::BadUserInput,
    message: "The request's URI is too long",
};

/// To a client whose request the HTTP server answered so, for it could make no sense of it.
pub(crate) fn no_request(answer: &[u8]) -> &'static Canned {
    match answer.get(b"HTTP/1.1 ".len()..b"HTTP/1.1 400".len()) {
        Some(b"414") => &URI_TOO_LONG,
        Some(b"431") => &HEAD_TOO_LARGE,
        _ => &BAD_REQUEST,
    }
}

impl Canned {
    /// The number of its status.
    pub(crate) fn status_code(&self) -> u16 {
        let number = self.status.split(' ').next();
        number
            .and_then(|number| number.parse().ok())
            .expect("a status begins with its number")
    }

    /// The whole answer, under an id of its own, which the log has too.
    pub(crate) fn write(&self, entropy: &dyn Entropy) -> Vec<u8> {
        let (id, status) = (RequestId::fresh(entropy), self.status);
        tracing::debug!(request_id = %id, status, "answered what was no request");
        let body = serde_json::json!({"errors": [self.code.server_error(self.message)]});
        let (body, name) = (body.to_string(), request_id::HEADER);
        let len = body.len();
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json; charset=utf-8\r\n\
             cache-control: no-store\r\nconnection: close\r\n{name}: {id}\r\n\
             content-length: {len}\r\n\r\n{body}"
        )
        .into_bytes()
    }
}
