//! What happens to connections.

use http::StatusCode;

/// What happens to a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ConnectionEvent {
    /// It is served.
    Opened,
    /// It was opened, and is closed.
    Closed,
    /// It is rejected with a 503: as many are open as may be.
    Refused,
    /// It is closed with this status because it made no valid request.
    Rejected(StatusCode),
}
