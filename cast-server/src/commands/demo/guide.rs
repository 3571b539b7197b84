//! A walk through the steps: requests, responses, retries.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use cast_core::domain::{BallotId, Clock, Entropy, Partition, Partitions};
use serde_json::{Value, json};

use super::{config::DemoConfig, output};
use crate::client::{Cas, Connection, NoData, RequestError, data, post};

/// How soon something is tried again.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

pub(super) const CAS: &str = "query Ticket { cas { ticket validUntil remainingUsage } }";

/// Why a request has no data.
#[derive(Debug)]
pub(super) struct RequestFailure {
    pub(super) why: String,
    /// Whether the request may be repeated. That is safe: nothing happened, or a ballot has its id.
    pub(super) is_transient: bool,
}

impl RequestFailure {
    pub(super) const fn permanent(why: String) -> Self {
        Self {
            why,
            is_transient: false,
        }
    }
}

impl From<RequestError> for RequestFailure {
    fn from(error: RequestError) -> Self {
        Self {
            why: error.to_string(),
            // Without a connection, there is no server.
            is_transient: !matches!(error, RequestError::NotSent(_)),
        }
    }
}

impl From<NoData> for RequestFailure {
    fn from(why: NoData) -> Self {
        let (why, is_transient) = (why.to_string(), why.is_retryable());
        Self { why, is_transient }
    }
}

/// A moment after which nothing is tried again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Duration);

/// Talks to a server, and prints what happens.
pub(super) struct Guide<'a> {
    pub(super) config: &'a DemoConfig,
    pub(super) clock: &'a dyn Clock,
    entropy: &'a dyn Entropy,
    connection: Connection<'a>,
    /// The step that is shown: its number, and what it is about.
    step: (usize, &'static str),
    /// Documents that were printed.
    printed: BTreeSet<String>,
}

impl<'a> Guide<'a> {
    pub(super) fn new(
        config: &'a DemoConfig,
        clock: &'a dyn Clock,
        entropy: &'a dyn Entropy,
    ) -> Self {
        Self {
            config,
            clock,
            entropy,
            connection: Connection::new(&config.url, clock, config.timeout),
            step: (0, "before the first step"),
            printed: BTreeSet::new(),
        }
    }

    /// Begins a step.
    pub(super) fn begin(&mut self, title: &'static str, why: &str) {
        self.step = (self.step.0 + 1, title);
        output::begin(self.step.0, title, why);
    }

    /// Where it failed, and why.
    pub(super) fn failure(&self, why: &str) -> String {
        let (number, title) = self.step;
        format!("step {number}, {title}: {why}")
    }

    /// Prints a request: the document only the first time.
    pub(super) fn show_request(&mut self, query: &str, variables: &Value) {
        let is_new = self.printed.insert(query.to_owned());
        output::show_request(query, variables, is_new);
    }

    /// Sends a request, and prints it and the response; returns the data of the response.
    pub(super) async fn ask(
        &mut self,
        query: &str,
        variables: &Value,
    ) -> Result<Value, RequestFailure> {
        self.show_request(query, variables);
        let data = self.ask_quietly(query, variables).await;
        match &data {
            Ok(data) => output::show_response(data),
            Err(failure) => output::show_failure(&failure.why),
        }
        data
    }

    /// Sends a request; returns the data of the response.
    pub(super) async fn ask_quietly(
        &mut self,
        query: &str,
        variables: &Value,
    ) -> Result<Value, RequestFailure> {
        let body = json!({"query": query, "variables": variables});
        let body = Bytes::from(body.to_string());
        let response = post(&mut self.connection, body).await?;
        Ok(data(response.status(), response.body())?)
    }

    /// The ticket that is good now: one with a use left, and another than `refused`. It is not printed.
    pub(super) async fn ticket(&mut self, refused: Option<&str>) -> Result<Cas, String> {
        let deadline = self.deadline();
        let mut none = String::from("no ticket with a use left");
        loop {
            match self.ask_quietly(CAS, &Value::Null).await {
                Ok(data) => {
                    let cas = cas(&data)?;
                    let is_another = refused.is_none_or(|refused| refused != cas.ticket);
                    if is_another && cas.remaining_usage > 0 {
                        return Ok(cas);
                    }
                }
                Err(failure) if failure.is_transient => none = failure.why,
                Err(failure) => return Err(failure.why),
            }
            self.pause(deadline, &none).await?;
        }
    }

    pub(super) fn deadline(&self) -> Deadline {
        Deadline(self.clock.monotonic() + self.config.timeout)
    }

    /// Waits a moment before something is tried again, unless it is too late for that.
    pub(super) async fn pause(&self, deadline: Deadline, still: &str) -> Result<(), String> {
        if self.clock.monotonic() >= deadline.0 {
            let limit = self.config.timeout;
            return Err(format!("still, after {limit:?}: {still}"));
        }
        self.clock.sleep(PAUSE).await;
        Ok(())
    }

    /// An id that no other ballot has.
    pub(super) fn mint(&self) -> BallotId {
        let (partition, now) = (Partition::new(0), self.clock.now());
        BallotId::mint(partition, Partitions::ONE, now, self.entropy)
    }
}

/// The ticket in the data of an answer to [`CAS`].
pub(super) fn cas(data: &Value) -> Result<Cas, String> {
    serde_json::from_value(data["cas"].clone())
        .map_err(|_| format!("the answer holds no ticket: {data}"))
}
