//! A caller's trace, from the api through the log to the fold, as a collector sees it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::any_value::Value,
    trace::v1::{Span, status::StatusCode},
};
use prost::Message as _;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::{
    program::{Client, Process, Reply, VOTE, program},
    stack::{Deployment, Own, Role, Stack, drain, until, until_logged},
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
        if let Some(length) = line.strip_prefix("content-length:") {
            len = length.trim().parse().expect("a length");
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

/// Votes, with these headers `traceparent`.
async fn vote_with(api: &Client, headers: &[&[u8]]) {
    let ticket = until("a ticket", async || ticket(api).await).await;
    let variables = json!({"ticket": ticket, "usernames": ["ada"], "voteCount": [1]});
    let body = json!({"query": VOTE, "variables": variables});
    let mut request = api.http.post(api.graphql_url()).json(&body);
    for header in headers {
        request = request.header("traceparent", *header);
    }
    let reply: Reply = api.send(request).await;
    assert_eq!(reply.body["data"]["vote"]["success"], true, "{reply:?}");
}

/// Votes as part of a trace.
async fn vote(api: &Client, trace: u128, sampled: bool) {
    vote_with(api, &[traceparent(trace, sampled).as_bytes()]).await;
}

/// An attribute of a span.
fn attribute<'a>(span: &'a Span, key: &str) -> Option<&'a Value> {
    let attribute = span.attributes.iter().find(|it| it.key == key)?;
    attribute.value.as_ref()?.value.as_ref()
}

/// An attribute that is a number.
fn number(span: &Span, key: &str) -> Option<i64> {
    match attribute(span, key)? {
        Value::IntValue(number) => Some(*number),
        _ => None,
    }
}

/// An attribute that is text.
fn text<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    match attribute(span, key)? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

fn has_failed(span: &Span) -> bool {
    let status = span.status.as_ref();
    status.is_some_and(|status| status.code() == StatusCode::Error)
}

/// `serve`, which sends traces to this URL; and further arguments.
async fn serve(url: &str, more: &[(&str, &str)]) -> Process {
    let mut command = program(&["serve", "--listen", "127.0.0.1:0", "--traces-url", url]);
    command.env("CAST_TICKET_USES", "10000");
    // A ticket outlasts the moment between asking for it and voting.
    command.env("CAST_TICKET_TTL", "60s");
    command.env("OTEL_BSP_SCHEDULE_DELAY", "100");
    command.envs(more.iter().copied());
    Process::start(command).await
}

/// A deployment whose processes send traces to this collector.
async fn traced_stack(own: Own) -> Option<(Stack, Collector)> {
    let mut stack = Stack::start_on(own).await?;
    let (collector, url) = Collector::start().await;
    stack.set("CAST_TRACES_URL", &url);
    stack.set("CAST_TICKET_TTL", "60s");
    stack.set("OTEL_BSP_SCHEDULE_DELAY", "100");
    Some((stack, collector))
}

#[tokio::test]
async fn a_vote_is_found_in_its_callers_trace_up_to_the_fold() {
    let Some((stack, collector)) = traced_stack(Own::default()).await else {
        return;
    };
    let deployment = Deployment::start(&stack, 1).await;
    let api = &deployment.clients()[0];
    let traced = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128;
    vote_with(api, &[]).await;
    vote(api, 7, false).await;
    vote(api, traced, true).await;

    let ours = |span: &Span| span.trace_id == traced.to_be_bytes();
    let request = collector.until("request", ours).await;
    let caller = 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes();
    assert_eq!(request.parent_span_id, caller);
    assert_eq!(number(&request, "http.response.status_code"), Some(200));
    let vote = collector.until("vote", ours).await;
    assert_eq!(vote.parent_span_id, request.span_id);
    let publish = collector.until("publish", ours).await;
    assert_eq!(publish.parent_span_id, vote.span_id);
    // Another process, which knows of it from the record alone.
    let fold = collector.until("fold", ours).await;
    assert_eq!(fold.parent_span_id, vote.span_id);
    // Those before it may be folded with it.
    assert!(number(&fold, "ballots").is_some_and(|ballots| (1..=3).contains(&ballots)));
    assert!(number(&fold, "next") > number(&fold, "start"));
    assert!(number(&fold, "partition").is_some());
    assert_eq!(text(&vote, "code"), Some("accepted"));
    assert!(text(&request, "request_id").is_some());
    for call in [&publish, &fold] {
        assert_eq!(text(call, "result"), Some("ok"));
    }
    for span in [&request, &vote, &publish, &fold] {
        assert!(!has_failed(span), "{span:?}");
    }
    // They go one after the other: what came before would be there.
    for name in ["request", "vote", "publish", "fold"] {
        assert!(
            collector.named(name).iter().all(ours),
            "only these were asked for"
        );
    }
    deployment.drain().await;
}

#[tokio::test]
async fn a_log_that_does_not_answer_is_seen_in_the_trace() {
    let own = Own {
        kafka: true,
        ..Own::default()
    };
    let Some((mut stack, collector)) = traced_stack(own).await else {
        return;
    };
    let deployment = Deployment::start(&stack, 1).await;
    let api = &deployment.clients()[0];
    vote(api, 7, false).await;

    stack.kafka.own().freeze().await;
    let ticket = until("a ticket", async || ticket(api).await).await;
    let variables = json!({"ticket": ticket, "usernames": ["ada"], "voteCount": [1]});
    let body = json!({"query": VOTE, "variables": variables});
    let request = api.http.post(api.graphql_url()).json(&body);
    let traced = request.header("traceparent", traceparent(9, true));
    let reply = api.send(traced).await;
    assert_eq!(
        reply.body["errors"][0]["extensions"]["code"], "OUTCOME_UNKNOWN",
        "{reply:?}"
    );
    let any = |_: &Span| true;
    let publish = collector.until("publish", any).await;
    let result = text(&publish, "result");
    assert!(
        matches!(result, Some("dropped" | "outcome_unknown")),
        "{publish:?}"
    );
    let vote = collector.until("vote", any).await;
    assert_eq!(text(&vote, "code"), Some("outcome_unknown"));
    assert!(has_failed(&publish) && has_failed(&vote));

    // Nor does a voter wait for ever.
    let impatient = api.http.post(api.graphql_url()).json(&body);
    let impatient = impatient.timeout(Duration::from_millis(50));
    let hung_up = impatient
        .header("traceparent", traceparent(10, true))
        .send();
    hung_up.await.expect_err("no answer comes so soon");
    let unanswered = |span: &Span| text(span, "code") == Some("unanswered");
    let vote = collector.until("vote", unanswered).await;
    assert!(has_failed(&vote));
    stack.kafka.own().thaw().await;
    deployment.drain().await;
}

#[tokio::test]
async fn what_is_folded_at_once_is_linked_to_each_trace_and_not_to_more_than_a_few() {
    const VOTES: u32 = 120;
    let Some((mut stack, collector)) = traced_stack(Own::default()).await else {
        return;
    };
    stack.set("CAST_TICKET_USES", "1000");
    let deployment = Deployment::start(&stack, 1).await;
    let (api, consumer) = (deployment.clients().remove(0), deployment.consumer);
    // While no consumer runs, ballots gather.
    drain(consumer).await;
    for trace in 1..=VOTES {
        vote(&api, u128::from(trace), true).await;
    }
    let consumer = stack.run(Role::Consumer).await;
    let folds = until("all are folded", async || {
        let folds = collector.named("fold");
        let ballots = folds.iter().filter_map(|fold| number(fold, "ballots"));
        (ballots.sum::<i64>() == i64::from(VOTES)).then_some(folds)
    })
    .await;
    for fold in &folds {
        let linked = fold.links.iter().map(|link| &link.trace_id);
        let mut traces: Vec<_> = linked.chain([&fold.trace_id]).collect();
        traces.sort();
        traces.dedup();
        let ballots = usize::try_from(number(fold, "ballots").unwrap()).unwrap();
        assert_eq!(traces.len(), ballots.min(32), "each once, but no more");
    }
    assert!(folds.iter().any(|fold| !fold.links.is_empty()));
    let Deployment {
        generator, apis, ..
    } = deployment;
    for process in apis.into_iter().chain([generator, consumer]) {
        drain(process).await;
    }
}

#[tokio::test]
async fn no_header_is_a_reason_to_refuse_a_vote_and_only_a_good_one_makes_a_trace() {
    let (collector, url) = Collector::start().await;
    let process = serve(&url, &[]).await;
    let api = process.client();
    let good = traceparent(9, true);
    let long = "0".repeat(4_000);
    let zeros = traceparent(0, true);
    for hostile in [
        &[&b""[..]][..],
        &[b"00"],
        &[b"nonsense"],
        &[b"\xFF\xFE\x80"],
        &[long.as_bytes()],
        &[zeros.as_bytes()],
        &[format!("{good}-more").as_bytes()],
        &[good.replace("00f067aa", "00F067AA").as_bytes()],
        &[good.replacen("00-", "ff-", 1).as_bytes()],
        &[good.as_bytes(), good.as_bytes()],
    ] {
        vote_with(&api, hostile).await;
    }
    vote(&api, 9, true).await;
    let ours = |span: &Span| span.trace_id == 9_u128.to_be_bytes();
    collector.until("fold", ours).await;
    drain(process).await;
    // The end of a process has sent them all.
    for name in ["request", "vote", "publish", "fold"] {
        assert_eq!(collector.named(name).len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_share_of_what_is_untraced_is_traced_from_its_request_on() {
    let (collector, url) = Collector::start().await;
    let process = serve(&url, &[("CAST_TRACES_RATIO", "1")]).await;
    let api = process.client();
    assert_eq!(api.get("/livez").await.status, 200);
    vote_with(&api, &[]).await;
    vote(&api, 9, false).await;
    let vote = collector.until("vote", |_| true).await;
    let same = |span: &Span| span.trace_id == vote.trace_id;
    collector.until("fold", same).await;
    let request = collector.until("request", same).await;
    assert_eq!(request.parent_span_id, [0_u8; 0], "it is the first");
    drain(process).await;
    assert_eq!(collector.named("vote").len(), 1, "its caller said no");
    for request in collector.named("request") {
        assert_eq!(text(&request, "http.route"), Some("/graphql"));
    }
}

#[tokio::test]
async fn a_collector_that_is_not_there_does_no_harm_and_is_logged_once() {
    let url = format!("http://{}/v1/traces", cast_testkit::servers::free_address());
    let process = serve(&url, &[("OTEL_BSP_MAX_QUEUE_SIZE", "8")]).await;
    let api = process.client();
    for trace in 1..=50 {
        vote(&api, trace, true).await;
    }
    until_logged(&process, "the collector does not accept traces").await;
    for trace in 1..=50 {
        vote(&api, trace, true).await;
    }
    process.signal("TERM").await;
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let warnings = ended.stderr.matches("the collector does not accept traces");
    assert_eq!(warnings.count(), 1);
}

#[tokio::test]
async fn a_collector_that_never_answers_holds_up_neither_votes_nor_the_drain() {
    // Nothing accepts: the system takes connections in, and what is sent on them.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    let more = [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "8"),
        ("CAST_DRAIN_TIMEOUT", "1s"),
    ];
    let process = serve(&url, &more).await;
    let api = process.client();
    for trace in 1..=100 {
        vote(&api, trace, true).await;
    }
    process.signal("TERM").await;
    let ended = process.ended().await;
    // It was drained, in time, and did not wait for the collector's answer.
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for said in ["drained", "the last traces were not sent"] {
        assert!(ended.stderr.contains(said), "{said:?}: {}", ended.stderr);
    }
}
