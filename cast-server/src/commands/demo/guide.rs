//! A walk through the steps: requests, responses, retries.

use std::{collections::BTreeSet, time::Duration};

use cast_core::domain::{BallotId, Clock, Entropy, Partition, Partitions};
use serde_json::Value;

use super::{config::DemoConfig, output};
use crate::client::{Cas, Connection, NoData, ask};

/// How soon something is tried again.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

pub(super) const CAS: &str = "query Ticket { cas { ticket validUntil remainingUsage } }";

/// Talks to a server, and prints what happens.
pub(super) struct Guide<'a> {
    pub(super) config: &'a DemoConfig,
    pub(super) clock: &'a dyn Clock,
    entropy: &'a dyn Entropy,
    connection: Connection<'a>,
    /// The end of names that no other run has.
    suffix: u64,
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
        let mut suffix = [0; 8];
        entropy.fill(&mut suffix);
        Self {
            config,
            clock,
            entropy,
            suffix: u64::from_le_bytes(suffix),
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
    pub(super) async fn ask(&mut self, query: &str, variables: &Value) -> Result<Value, NoData> {
        self.show_request(query, variables);
        let data = self.ask_quietly(query, variables).await;
        match &data {
            Ok(data) => output::show_response(data),
            Err(failure) => output::show_failure(&failure.to_string()),
        }
        data
    }

    /// Sends a request; returns the data of the response.
    pub(super) async fn ask_quietly(
        &mut self,
        query: &str,
        variables: &Value,
    ) -> Result<Value, NoData> {
        ask(&mut self.connection, query, variables).await
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
                Err(failure) if failure.is_transient() => none = failure.to_string(),
                Err(failure) => return Err(failure.into()),
            }
            self.pause(deadline, &none).await?;
        }
    }

    /// When nothing is tried again, by the monotonic clock.
    pub(super) fn deadline(&self) -> Duration {
        self.clock.monotonic() + self.config.timeout
    }

    /// Waits a moment before something is tried again, unless it is too late for that.
    pub(super) async fn pause(&self, deadline: Duration, still: &str) -> Result<(), String> {
        if self.clock.monotonic() >= deadline {
            let limit = self.config.timeout;
            return Err(format!("still, after {limit:?}: {still}"));
        }
        self.clock.sleep(PAUSE).await;
        Ok(())
    }

    /// A name that no other run has.
    pub(super) fn name(&self, name: &str) -> String {
        format!("{name}-{:016x}", self.suffix)
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
