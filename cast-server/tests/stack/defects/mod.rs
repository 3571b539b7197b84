//! What the first CAST got wrong: each of its sixteen defects is a test on a whole deployment.

mod ballots;
mod outages;
mod tickets;

use std::time::Duration;

use rdkafka::{
    ClientConfig,
    producer::{FutureProducer, FutureRecord},
};
use serde_json::{Value, json};

use crate::{
    check::Stored,
    program::{Client, Reply, VOTE},
    stack::{Deployment, Stack, until},
};

/// Tickets that outlast the test, with so many uses.
fn lasting(stack: &mut Stack, uses: u32) {
    stack.set("CAST_TICKET_PERIOD", "1h");
    stack.set("CAST_TICKET_TTL", "2h");
    stack.set("CAST_TICKET_USES", &uses.to_string());
}

/// A deployment whose tickets outlast the test; `None` where servers are missing.
async fn with_lasting_tickets(uses: u32, apis: usize) -> Option<(Stack, Deployment)> {
    let mut stack = Stack::start().await?;
    lasting(&mut stack, uses);
    let deployment = Deployment::start(&stack, apis).await;
    Some((stack, deployment))
}

async fn cas(api: &Client) -> (String, u64) {
    let data = api.data("{ cas { ticket remainingUsage } }", Value::Null);
    let cas = data.await["cas"].clone();
    let ticket = cas["ticket"].as_str().unwrap().to_owned();
    (ticket, cas["remainingUsage"].as_u64().unwrap())
}

/// Votes with the current ticket for these; `lasting`, or it may end between the two requests.
async fn vote(api: &Client, selections: &[(&str, i64)]) -> Value {
    let (ticket, _) = cas(api).await;
    vote_with(api, &ticket, selections).await
}

async fn vote_with(api: &Client, ticket: &str, selections: &[(&str, i64)]) -> Value {
    let (names, counts): (Vec<_>, Vec<_>) = selections.iter().copied().unzip();
    let reply = sent(api, ticket, json!(names), json!(counts)).await;
    assert!(reply.body["errors"].is_null(), "{reply:?}");
    reply.body["data"]["vote"].clone()
}

async fn sent(api: &Client, ticket: &str, names: Value, counts: Value) -> Reply {
    let vote = json!({
        "ticket": ticket, "usernames": names, "voteCount": counts, "voterUsername": "voter",
    });
    api.ask(VOTE, vote).await
}

/// Waits until the store has so many votes of a candidate.
async fn until_stored(stack: &Stack, name: &str, votes: u64) {
    let what = format!("{votes} votes of {name} in the store");
    until(&what, async || {
        let stored = Stored::read(stack).await.votes.get(name).copied();
        (stored == Some(votes)).then_some(())
    })
    .await;
}

pub(crate) async fn publish_junk(stack: &Stack, partition: i32) {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", stack.kafka.brokers())
        .create()
        .unwrap();
    let mut settings = stack.settings.iter();
    let (_, url) = settings.find(|(name, _)| name == "CAST_BUS_URL").unwrap();
    let topic = url.rsplit('/').next().unwrap();
    let record: FutureRecord<'_, (), _> =
        FutureRecord::to(topic).payload("junk").partition(partition);
    producer
        .send(record, Duration::from_secs(10))
        .await
        .unwrap();
}
