//! What the server's configuration sets for HTTP.

use std::time::Duration;

/// The limits of connections and requests.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// How many connections may be open; one more is rejected with a 503.
    pub max_connections: usize,
    /// How long a connection may be silent between requests, and how long a client may take to read a
    /// response.
    pub idle_timeout: Duration,
    /// How long a request's head may take from its first byte to its last.
    pub header_deadline: Duration,
    /// How long a request's body may take.
    pub body_deadline: Duration,
    /// How long executing a request may take.
    pub request_deadline: Duration,
    /// How long a drain may take; a quarter of it is left to clients that neither send nor read.
    pub drain_timeout: Duration,
    /// The most bytes of a request's body.
    pub max_body_size: usize,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            max_connections: 4_096,
            idle_timeout: Duration::from_secs(60),
            header_deadline: Duration::from_secs(1),
            body_deadline: Duration::from_secs(1),
            request_deadline: Duration::from_secs(15),
            drain_timeout: Duration::from_secs(10),
            max_body_size: 16 * 1_024,
        }
    }
}
