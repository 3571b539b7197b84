//! Each metric: its name, its labels, and what it means. docs/METRICS.md explains them.
//!
//! Architecture invariant: every label has a bounded set of values that this program knows, or that
//! the log's number of partitions bounds. No name of a candidate or a voter, no ticket, no path and no
//! id that a client chose is ever one.

/// One metric.
#[derive(Debug)]
pub(in crate::telemetry) struct Metric {
    pub(in crate::telemetry) name: &'static str,
    pub(in crate::telemetry) kind: Kind,
    /// The names of its labels, in the order in which values are given.
    pub(in crate::telemetry) labels: &'static [&'static str],
    pub(in crate::telemetry) help: &'static str,
}

/// What its values are.
#[derive(Debug)]
pub(in crate::telemetry) enum Kind {
    /// Only grows, while the process lives.
    Counter,
    /// As of now.
    Gauge,
    /// Counted by these upper bounds.
    Histogram(&'static [f64]),
}

/// From the duration of a call in memory to more than any deadline.
const SECONDS: &[f64] = &[
    0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    10.0, 30.0,
];

/// Doubling, and beyond the default size of a flush.
const BALLOTS: &[f64] = &[
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0, 4_096.0,
];

macro_rules! metrics {
    ($($id:ident = $name:literal, $kind:expr, [$($label:literal),*], $help:literal;)*) => {
        $(pub(in crate::telemetry) const $id: Metric = Metric {
            name: $name,
            kind: $kind,
            labels: &[$($label),*],
            help: $help,
        };)*

        /// All of them.
        pub(in crate::telemetry) const ALL: &[&Metric] = &[$(&$id),*];
    };
}

metrics! {
    VOTES = "cast_votes_total", Kind::Counter, ["code"],
        "Ballots that voters sent, by outcome.";
    GRAPHQL_ERRORS = "cast_graphql_errors_total", Kind::Counter, ["code"],
        "Errors in the answers to GraphQL operations that were executed, by their code.";
    FLUSH_BALLOTS = "cast_flush_ballots", Kind::Histogram(BALLOTS), [],
        "Ballots that one flush published.";
    INTAKE_WAITING = "cast_intake_waiting_ballots", Kind::Gauge, [],
        "Ballots that wait for a flush.";
    INTAKE_CAPACITY = "cast_intake_capacity_ballots", Kind::Gauge, [],
        "The most ballots that may wait; one more gets OVERLOADED.";
    PORT_CALLS = "cast_port_calls_total", Kind::Counter, ["port", "operation", "outcome"],
        "Calls of a port, by outcome.";
    PORT_CALL_SECONDS = "cast_port_call_seconds", Kind::Histogram(SECONDS),
        ["port", "operation", "outcome"],
        "Duration of the calls of a port.";
    FOLD_STEPS = "cast_fold_steps_total", Kind::Counter, ["result"],
        "Transactions of the fold: folded, or fenced because another consumer was faster.";
    FOLD_BALLOTS = "cast_fold_ballots_total", Kind::Counter, ["result"],
        "Ballots that were folded: counted, or repeated because they were counted before.";
    REJECTED = "cast_rejected_total", Kind::Counter, ["what"],
        "Logged votes that could not be counted: whole records, or single ballots.";
    LOG_END = "cast_log_end_offset", Kind::Gauge, ["partition"],
        "End offset of a partition of the log.";
    LOG_LAG = "cast_log_lag_records", Kind::Gauge, ["partition"],
        "Consumer lag: records between the committed offset and the end of the log.";
    STORE_PROGRESS = "cast_store_progress_offset", Kind::Gauge, ["partition"],
        "Progress of the store: the first offset of a partition that it has not applied.";
    STORE_AGE = "cast_store_age_seconds", Kind::Gauge, ["partition"],
        "Age of the oldest record in the log that the store has not applied.";
    STORE_READ = "cast_store_read_timestamp_seconds", Kind::Gauge, [],
        "When the progress of log and store was last read, in Unix time.";
    TICKET_CURRENT = "cast_ticket_current", Kind::Gauge, [],
        "Whether there was a current ticket at the last poll: 1 or 0.";
    TICKET_USES_LEFT = "cast_ticket_uses_left", Kind::Gauge, [],
        "Uses left of the current ticket at the last poll.";
    HTTP_REQUESTS = "cast_http_requests_total", Kind::Counter, ["route", "status"],
        "Requests that were answered, by route and class of status.";
    HTTP_REQUEST_SECONDS = "cast_http_request_seconds", Kind::Histogram(SECONDS), ["route"],
        "Duration of requests, from their head to the answer's.";
    HTTP_CONNECTIONS = "cast_http_connections", Kind::Gauge, [],
        "Open connections.";
    HTTP_CONNECTIONS_TAKEN = "cast_http_connections_total", Kind::Counter, ["result"],
        "Connections that clients opened: accepted, or refused because there were too many.";
    STARTED = "cast_start_timestamp_seconds", Kind::Gauge, [],
        "When the process started, in Unix time.";
    BUILD_INFO = "cast_build_info", Kind::Gauge, ["version"],
        "Always 1; the label is the version of the program.";
}
