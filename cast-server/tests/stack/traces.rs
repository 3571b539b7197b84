//! A caller's trace, from the door through the log to the fold, as a collector sees it.

use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, trace::v1::Span,
};
use prost::Message as _;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::{
    program::{Client, Reply, VOTE},
    stack::{Deployment, Stack, until},
    voters::ticket,
};

/// Takes in spans by OTLP, and keeps them.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

impl Collector {
    /// One that listens; where its spans are sent to.
    async fn start() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        let collector = Self::default();
        let shared = collector.clone();
        tokio::spawn(async move {
            while let Ok((link, _)) = listener.accept().await {
                tokio::spawn(shared.clone().serve(link));
            }
        });
        (collector, url)
    }

    /// Answers requests until the other end closes.
    async fn serve(self, link: TcpStream) {
        let mut link = BufReader::new(link);
        while let Some(body) = next_body(&mut link).await {
            let request = ExportTraceServiceRequest::decode(&*body).expect("OTLP");
            let scopes = request.resource_spans.into_iter();
            let scopes = scopes.flat_map(|resource| resource.scope_spans);
            self.0
                .lock()
                .unwrap()
                .extend(scopes.flat_map(|scope| scope.spans));
            let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
            if link.write_all(answer).await.is_err() {
                return;
            }
        }
    }

    /// The spans of this name so far.
    fn named(&self, name: &str) -> Vec<Span> {
        let spans = self.0.lock().unwrap();
        spans
            .iter()
            .filter(|span| span.name == name)
            .cloned()
            .collect()
    }

    /// Waits for a span of this name that `is_it`.
    async fn until(&self, name: &str, is_it: impl Fn(&Span) -> bool) -> Span {
        until(&format!("a span {name}"), async || {
            self.named(name).into_iter().find(&is_it)
        })
        .await
    }
}

/// The body of the next request; nothing if there is none.
async fn next_body(link: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut len = 0;
    loop {
        let mut line = String::new();
        if link.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim().to_ascii_lowercase();
        if let Some(told) = line.strip_prefix("content-length:") {
            len = told.trim().parse().expect("a length");
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; len];
    link.read_exact(&mut body).await.ok()?;
    Some(body)
}

/// A caller's context: a trace of this number, and whether it is sampled.
fn traceparent(trace: u128, sampled: bool) -> String {
    format!("00-{trace:032x}-00f067aa0ba902b7-{:02x}", u8::from(sampled))
}

/// Votes as part of a trace.
async fn vote(door: &Client, traceparent: &str) {
    let ticket = until("a ticket", async || ticket(door).await).await;
    let variables = json!({"ticket": ticket, "usernames": ["ada"], "voteCount": [1]});
    let body = json!({"query": VOTE, "variables": variables});
    let request = door.http.post(door.graphql_url()).json(&body);
    let reply: Reply = door.send(request.header("traceparent", traceparent)).await;
    assert_eq!(reply.body["data"]["vote"]["success"], true, "{reply:?}");
}

#[tokio::test]
async fn a_vote_is_found_in_its_callers_trace_up_to_the_fold() {
    let Some(mut stack) = Stack::start().await else {
        return;
    };
    let (collector, url) = Collector::start().await;
    stack.set("CAST_TRACES_URL", &url);
    stack.set("OTEL_BSP_SCHEDULE_DELAY", "100");
    let deployment = Deployment::start(&stack, 1).await;
    let door = &deployment.doors()[0];
    let traced = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128;
    vote(door, &traceparent(7, false)).await;
    vote(door, &traceparent(traced, true)).await;

    let id = traced.to_be_bytes();
    let ours = |span: &Span| span.trace_id == id;
    let request = collector.until("request", ours).await;
    assert_eq!(
        request.parent_span_id,
        0x00f0_67aa_0ba9_02b7_u64.to_be_bytes()
    );
    let vote = collector.until("vote", ours).await;
    assert_eq!(vote.parent_span_id, request.span_id);
    let publish = collector.until("publish", ours).await;
    assert_eq!(publish.parent_span_id, vote.span_id);
    // Another process, which knows of it from the record alone.
    let fold = collector.until("fold", ours).await;
    assert_eq!(fold.parent_span_id, vote.span_id);
    assert!(
        collector.named("vote").iter().all(ours),
        "the other was not sampled"
    );
    deployment.drain().await;
}

#[tokio::test]
async fn what_is_folded_at_once_is_linked_to_each_trace_and_not_to_more_than_a_few() {
    let Some(mut stack) = Stack::start().await else {
        return;
    };
    let (collector, url) = Collector::start().await;
    stack.set("CAST_TRACES_URL", &url);
    stack.set("OTEL_BSP_SCHEDULE_DELAY", "100");
    stack.set("CAST_TICKET_USES", "1000");
    let mut deployment = Deployment::start(&stack, 1).await;
    // While nobody folds, ballots gather.
    deployment.consumer.signal("TERM").await;
    let door = &deployment.doors()[0];
    for trace in 1..=120 {
        vote(door, &traceparent(trace, true)).await;
    }
    deployment.consumer = stack.run(crate::stack::Role::Consumer).await;
    let is_linked = |span: &Span| !span.links.is_empty();
    let fold = collector.until("fold", is_linked).await;
    let linked = fold.links.iter().map(|link| &link.trace_id);
    let mut traces: Vec<_> = linked.chain([&fold.trace_id]).collect();
    traces.sort();
    traces.dedup();
    assert_eq!(traces.len(), fold.links.len() + 1, "each is there once");
    assert!(traces.len() <= 32, "{}", traces.len());
    assert!(
        collector
            .named("fold")
            .iter()
            .all(|fold| fold.links.len() < 32)
    );
    deployment.drain().await;
}

#[tokio::test]
async fn a_collector_that_is_not_there_is_no_reason_to_refuse_a_vote() {
    let Some(mut stack) = Stack::start().await else {
        return;
    };
    stack.set("CAST_TRACES_URL", "http://127.0.0.1:1/v1/traces");
    stack.set("CAST_TRACES_RATIO", "1");
    let deployment = Deployment::start(&stack, 1).await;
    vote(&deployment.doors()[0], &traceparent(9, true)).await;
    deployment.drain().await;
}
