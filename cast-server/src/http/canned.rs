//! Answers that a connection is given where there is no request to answer: written as they are, for
//! nobody has parsed anything yet.

/// Builds the answer `$status` with the error code `$code`.
macro_rules! answer {
    ($status:literal, $code:literal, $retryable:literal, $message:literal) => {
        concat!(
            "HTTP/1.1 ",
            $status,
            "\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n",
            "{\"errors\":[{\"message\":\"",
            $message,
            "\",\"extensions\":{\"code\":\"",
            $code,
            "\",\"retryable\":",
            $retryable,
            "}}]}"
        )
        .as_bytes()
    };
}

/// To a client that began a request and did not get on with it.
pub(super) const HEAD_TOO_SLOW: &[u8] = answer!(
    "408 Request Timeout",
    "UNAVAILABLE",
    "true",
    "The head of the request did not come in time"
);

/// To a client whose request line and headers do not end.
pub(super) const HEAD_TOO_LARGE: &[u8] = answer!(
    "431 Request Header Fields Too Large",
    "BAD_USER_INPUT",
    "false",
    "The head of the request is too large"
);

/// To a client that speaks HTTP/2 without having been asked to.
pub(super) const NO_HTTP_2: &[u8] = answer!(
    "505 HTTP Version Not Supported",
    "BAD_USER_INPUT",
    "false",
    "Only HTTP/1.1 is spoken here"
);

/// To a client for whom there is no place.
pub(super) const TOO_MANY_CONNECTIONS: &[u8] = answer!(
    "503 Service Unavailable",
    "OVERLOADED",
    "true",
    "Too many connections: try again"
);
