//! What is said of a walk: requests, answers, checks.

use std::time::Duration;

use bytes::Bytes;
use cast_core::{
    domain::{BallotId, Partition, Partitions},
    ports::{Clock, Entropy},
};
use serde_json::{Value, json};

use super::config::DemoConfig;
use crate::{
    client::{Cas, Connection, Lost, NoData, Target, data},
    process::terminal::print,
};

/// How soon something is tried again.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

pub(super) const CAS: &str = "{ cas { ticket validUntil remainingUsage } }";

/// Why there is nothing to look at.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) why: String,
    /// Whether the same may be sent again. It is safe: nothing happened, or a ballot has its id.
    pub(super) may_pass: bool,
}

impl Trouble {
    pub(super) const fn for_good(why: String) -> Self {
        Self {
            why,
            may_pass: false,
        }
    }
}

impl From<Lost> for Trouble {
    fn from(lost: Lost) -> Self {
        Self {
            why: lost.to_string(),
            // Whoever cannot be reached at all is not there.
            may_pass: !matches!(lost, Lost::NotSent(_)),
        }
    }
}

impl From<NoData> for Trouble {
    fn from(why: NoData) -> Self {
        let (why, may_pass) = (why.to_string(), why.is_retryable());
        Self { why, may_pass }
    }
}

/// A moment after which nothing is tried again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Duration);

/// Talks to a server, and says what happens.
pub(super) struct Guide<'a> {
    pub(super) config: &'a DemoConfig,
    pub(super) clock: &'a dyn Clock,
    entropy: &'a dyn Entropy,
    connection: Connection<'a>,
    /// The step that is shown: its number, and what it is about.
    step: (usize, &'static str),
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
        }
    }

    pub(super) const fn target(&self) -> &Target {
        &self.config.url
    }

    /// Begins a step.
    pub(super) fn begin(&mut self, title: &'static str, why: &str) {
        self.step = (self.step.0 + 1, title);
        print(&format!("{}. {title}\n{}\n", self.step.0, indented(why)));
    }

    /// Where it failed, and why.
    pub(super) fn failure(&self, why: &str) -> String {
        let (number, title) = self.step;
        format!("step {number}, {title}: {why}")
    }

    /// Asks, and shows request and answer; the data of the answer.
    pub(super) async fn ask(&mut self, query: &str, variables: &Value) -> Result<Value, Trouble> {
        show_request(query, variables);
        let data = self.ask_quietly(query, variables).await;
        match &data {
            Ok(data) => show_answer(data),
            Err(trouble) => show_trouble(&trouble.why),
        }
        data
    }

    /// Asks; the data of the answer.
    pub(super) async fn ask_quietly(
        &mut self,
        query: &str,
        variables: &Value,
    ) -> Result<Value, Trouble> {
        let body = json!({"query": query, "variables": variables});
        let reply = self.connection.post(Bytes::from(body.to_string())).await?;
        Ok(data(reply.status, &reply.body)?)
    }

    /// The ticket that is good now: one with a use left, and another than `refused`. It is not shown.
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
                Err(trouble) if trouble.may_pass => none = trouble.why,
                Err(trouble) => return Err(trouble.why),
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
        let (home, now) = (Partition::new(0), self.clock.now());
        BallotId::mint(home, Partitions::ONE, now, self.entropy)
    }
}

/// The ticket in the data of an answer to [`CAS`].
pub(super) fn cas(data: &Value) -> Result<Cas, String> {
    serde_json::from_value(data["cas"].clone())
        .map_err(|_| format!("the answer holds no ticket: {data}"))
}

/// The step's answers are as they must be.
pub(super) fn end(what: &str) {
    print(&format!("{}\n\n", indented(&format!("ok: {what}"))));
}

/// Says what else happens.
pub(super) fn note(what: &str) {
    print(&format!("{}\n", indented(&format!("({what})"))));
}

/// What is sent.
pub(super) fn show_request(query: &str, variables: &Value) {
    let variables = match variables {
        Value::Null => String::new(),
        some => format!("     {some}\n"),
    };
    print(&format!("   > {query}\n{variables}"));
}

/// What there is no answer for.
fn show_trouble(why: &str) {
    print(&format!("   < {why}\n"));
}

/// What is answered.
pub(super) fn show_answer(data: &Value) {
    print(&format!("   < {data}\n"));
}

fn indented(text: &str) -> String {
    format!("   {}", text.replace('\n', "\n   "))
}
