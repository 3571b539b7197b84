//! What connections and requests are limited to.

use std::time::Duration;

use clap::Args;

use super::values::{address, count, duration, size};

/// What connections and requests are limited to. The size of a request's head is a constant: its
/// 16 KiB are as much as common proxies pass on, and no client of the API sends a tenth of it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "HTTP")]
pub struct HttpConfig {
    /// The address to listen at; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8000", value_parser = address)]
    pub listen: String,

    /// How long a graceful shutdown may take after SIGTERM or SIGINT
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub drain_timeout: Duration,

    /// The most connections at a time; one more gets a 503
    #[arg(long, value_name = "COUNT", default_value = "4096", value_parser = count())]
    pub max_connections: usize,

    /// How long a connection may stay open without a request. Longer than the idle time-out of a
    /// load balancer in front, or requests that it sends meanwhile fail
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = duration)]
    pub idle_timeout: Duration,

    /// How long the head of a request may take to arrive. Longer where voters on slow networks
    /// connect without a proxy in front
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    pub header_deadline: Duration,

    /// How long the body of a request may take to arrive, likewise
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    pub body_deadline: Duration,

    /// How long the answer to a request may take; longer than a vote's own deadlines together
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = duration)]
    pub request_deadline: Duration,

    /// The most bytes of a request's body
    #[arg(long, value_name = "SIZE", default_value = "16KiB", value_parser = size)]
    pub max_body_size: usize,
}
