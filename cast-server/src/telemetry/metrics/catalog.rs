//! Each metric: its name, its labels, and what it means. docs/METRICS.md is the same for people.
//!
//! Architecture invariant: every label has a bounded set of values that this program knows, or that
//! the log's number of partitions bounds. No name of a candidate or a voter, no ticket, no path and no
//! id that a client chose is ever one.

/// One metric.
#[derive(Debug)]
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The names of its labels, in the order in which values are given.
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
}

/// What its values are.
#[derive(Debug)]
pub(super) enum Kind {
    /// Only grows, while the process lives.
    Counter,
    /// As of now.
    Gauge,
    /// Counted by these upper bounds.
    Histogram(&'static [f64]),
}

/// From what memory takes to what no deadline allows.
const SECONDS: &[f64] = &[
    0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    10.0, 30.0,
];

/// Doubling, and beyond what one flush takes unless it is told otherwise.
const BALLOTS: &[f64] = &[
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0, 4_096.0,
];

macro_rules! metrics {
    ($($id:ident = $name:literal, $kind:expr, [$($label:literal),*], $help:literal;)*) => {
        $(pub(super) const $id: Metric = Metric {
            name: $name,
            kind: $kind,
            labels: &[$($label),*],
            help: $help,
        };)*

        /// All of them.
        pub(super) const ALL: &[&Metric] = &[$(&$id),*];
    };
}

metrics! {
    VOTES = "cast_votes_total", Kind::Counter, ["code"],
        "Ballots that voters sent, by what they were told.";
    GRAPHQL_ERRORS = "cast_graphql_errors_total", Kind::Counter, ["code"],
        "Errors in the answers to GraphQL operations that were executed, by their code.";
    FLUSH_BALLOTS = "cast_flush_ballots", Kind::Histogram(BALLOTS), [],
        "Ballots that one flush published.";
    INTAKE_WAITING = "cast_intake_waiting_ballots", Kind::Gauge, [],
        "Ballots that wait for a flush.";
    INTAKE_CAPACITY = "cast_intake_capacity_ballots", Kind::Gauge, [],
        "How many ballots may wait; one more is told that the server is overloaded.";
    PORT_CALLS = "cast_port_calls_total", Kind::Counter, ["port", "operation", "outcome"],
        "Calls of a port that ended, by how.";
    PORT_CALL_SECONDS = "cast_port_call_seconds", Kind::Histogram(SECONDS),
        ["port", "operation", "outcome"],
        "How long calls of a port took.";
    FOLD_STEPS = "cast_fold_steps_total", Kind::Counter, ["result"],
        "Steps that the store was given: folded, or fenced because another had been faster.";
    FOLD_BALLOTS = "cast_fold_ballots_total", Kind::Counter, ["result"],
        "Ballots that were folded: counted, or repeated and counted before.";
    REJECTED = "cast_rejected_total", Kind::Counter, ["what"],
        "What the log holds and could not be counted: whole records, or single ballots.";
    LOG_END = "cast_log_end_offset", Kind::Gauge, ["partition"],
        "Where a partition of the log ends.";
    LOG_LAG = "cast_log_lag_records", Kind::Gauge, ["partition"],
        "Offsets between what the consumers noted in the log as done, and the log's end.";
    STORE_PROGRESS = "cast_store_progress_offset", Kind::Gauge, ["partition"],
        "The position of the store: the first record of a partition that it has not applied.";
    STORE_AGE = "cast_store_age_seconds", Kind::Gauge, ["partition"],
        "How long the oldest record that the store has not applied has been seen in the log.";
    STORE_READ = "cast_store_read_timestamp_seconds", Kind::Gauge, [],
        "When log and store last told how far they are, in Unix time.";
    TICKET_CURRENT = "cast_ticket_current", Kind::Gauge, [],
        "Whether a ticket was good when it was last asked for: 1, or 0 if none was known.";
    TICKET_USES_LEFT = "cast_ticket_uses_left", Kind::Gauge, [],
        "How many more ballots the current ticket bought when it was last asked for.";
    HTTP_REQUESTS = "cast_http_requests_total", Kind::Counter, ["route", "status"],
        "Requests that were answered, by path and class of status.";
    HTTP_REQUEST_SECONDS = "cast_http_request_seconds", Kind::Histogram(SECONDS), ["route"],
        "How long requests took, from their head to the answer's.";
    HTTP_CONNECTIONS = "cast_http_connections", Kind::Gauge, [],
        "Connections that are open.";
    HTTP_CONNECTIONS_TAKEN = "cast_http_connections_total", Kind::Counter, ["result"],
        "Connections that clients opened: accepted, or turned away because there were too many.";
    STARTED = "cast_start_timestamp_seconds", Kind::Gauge, [],
        "When the process started, in Unix time.";
    BUILD_INFO = "cast_build_info", Kind::Gauge, ["version"],
        "Always 1; says which version runs.";
}
