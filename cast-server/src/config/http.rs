//! What connections and requests are bound to.

use std::time::Duration;

use clap::Args;

use super::values::{address, count, duration, size};
use crate::transport::HttpSettings;

/// What connections and requests are bound to.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "HTTP")]
pub struct Http {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8000", value_parser = address)]
    pub listen: String,

    /// How long a drain may take after SIGTERM or SIGINT
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub drain_timeout: Duration,

    /// How many connections there may be; one more is turned away
    #[arg(long, value_name = "COUNT", default_value = "4096", value_parser = count())]
    max_connections: usize,

    /// How long a connection may be silent between requests
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = duration)]
    idle_timeout: Duration,

    /// How long the head of a request may take to come. Longer where voters on slow networks connect
    /// without a proxy between
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    header_deadline: Duration,

    /// How long the body of a request may take to come; see above
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    body_deadline: Duration,

    /// How long the answer to a request may take; longer than a vote's own deadlines together
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = duration)]
    request_deadline: Duration,

    /// The most bytes of a request's head
    #[arg(long, value_name = "SIZE", default_value = "16KB", value_parser = size)]
    max_head_size: usize,

    /// The most bytes of a request's body
    #[arg(long, value_name = "SIZE", default_value = "16KB", value_parser = size)]
    max_body_size: usize,
}

impl Http {
    /// What connections and requests are bound to.
    pub const fn settings(&self) -> HttpSettings {
        HttpSettings {
            max_connections: self.max_connections,
            idle_timeout: self.idle_timeout,
            header_deadline: self.header_deadline,
            body_deadline: self.body_deadline,
            request_deadline: self.request_deadline,
            drain_timeout: self.drain_timeout,
            max_head_size: self.max_head_size,
            max_body_size: self.max_body_size,
        }
    }
}
