//! Hostile requests: each gets an error with the right status within a second, other clients are not
//! affected, and the process lives.

use std::{fmt::Write as _, time::Duration};

use serde_json::{Value, json};

use crate::support::{Reply, Server, raw, timed};

/// The most time that a hostile request may take, without optimisation and beside all other tests.
pub(crate) const AT_ONCE: Duration = Duration::from_secs(1);

/// Sends a document that must be refused, at once.
async fn is_refused(server: &Server, query: &str, code: &str) -> Reply {
    let shown: String = query.chars().take(80).collect();
    let (reply, took) = timed(server.client.ask(query, Value::Null)).await;
    assert_eq!(
        (reply.status, reply.code()),
        (200, code),
        "{shown} {:?}",
        reply.body
    );
    assert!(reply.body.get("data").is_none(), "{shown}");
    assert!(took < AT_ONCE, "{took:?} for {shown}");
    reply
}

/// The text so many times, each with a number in place of `#`.
fn numbered(count: usize, text: &str) -> String {
    (0..count)
        .map(|n| text.replace('#', &n.to_string()))
        .collect()
}

const INVALID: &str = "GRAPHQL_VALIDATION_FAILED";

#[tokio::test]
async fn brackets_without_end_do_not_reach_the_parser() {
    let server = Server::start().await;
    for (open, close) in [("[", "]"), ("{a:", "}"), ("[{a:", "}]")] {
        for count in [33, 1_000] {
            let query = format!(
                "{{ query(username: {}{}) }}",
                open.repeat(count),
                close.repeat(count)
            );
            is_refused(&server, &query, INVALID).await;
        }
        let query = format!("{{ query(username: {}", open.repeat(900));
        is_refused(&server, &query, INVALID).await;
    }
    is_refused(&server, &"{a".repeat(1_000), INVALID).await;
    is_refused(
        &server,
        &format!("query($a: {}Int", "[".repeat(3_000)),
        INVALID,
    )
    .await;
    is_refused(
        &server,
        &format!("{{ a(b: \"\"\" x\" {}", "[".repeat(3_500)),
        INVALID,
    )
    .await;
    is_refused(
        &server,
        &format!("{{ a(b: \"\n{}", "[".repeat(3_500)),
        INVALID,
    )
    .await;
    is_refused(
        &server,
        &format!("# \"\r{{ a(b: {}", "[".repeat(3_500)),
        INVALID,
    )
    .await;
    // Just below the limit it is the parser's turn.
    let deep = format!(
        "{{ query(username: {}{}) }}",
        "[".repeat(30),
        "]".repeat(30)
    );
    is_refused(&server, &deep, INVALID).await;
    is_refused(
        &server,
        &format!("{{ query(username: {}", "[".repeat(30)),
        "GRAPHQL_PARSE_FAILED",
    )
    .await;
    assert_eq!(server.client.tally("a").await, 0);
}

#[tokio::test]
async fn fragments_that_multiply_are_weighed_before_they_are_followed() {
    let server = Server::start().await;
    let chain = |(top, on, end): (&str, &str, &str), length: usize, width: usize| {
        let mut query = String::from(top);
        for at in 0..length {
            let spreads = format!("...f{} ", at + 1).repeat(width);
            let _ = write!(query, " fragment f{at} on {on} {{ {spreads} }}");
        }
        let _ = write!(query, " fragment f{length} on {on} {{ {end} }}");
        assert!(query.len() <= 4_096, "{}", query.len());
        query
    };
    let at_the_root = ("{ ...f0 }", "Query", "cas { ticket }");
    let beneath_it = ("{ cas { ...f0 } }", "TicketInfo", "ticket");
    // A dozen and a half fragments of two spreads: less than a kilobyte. Eight of many: no deeper than
    // the limit for fields.
    for (length, width) in [(18, 2), (24, 2), (8, 60), (4, 110), (3, 180)] {
        for place in [at_the_root, beneath_it] {
            is_refused(&server, &chain(place, length, width), INVALID).await;
        }
    }
    // Fragments that contain themselves, used or not.
    for query in [
        "{ ...a } fragment a on Query { ...a }",
        "{ ...a } fragment a on Query { ...b ...b } fragment b on Query { ...a ...a }",
        "{ cas { ticket } } fragment a on Query { ...b } fragment b on Query { ...a }",
    ] {
        is_refused(&server, query, INVALID).await;
    }
    // Fields in a list in a list, by introspection.
    let lists = "fields{type{".repeat(6);
    let query = format!("{{__schema{{types{{{lists}name{}}}}}}}", "}}".repeat(6));
    is_refused(&server, &query, INVALID).await;
    let names = numbered(300, "a#:name ");
    let query = format!("{{__schema{{types{{fields{{type{{fields{{{names}}}}}}}}}}}}}");
    is_refused(&server, &query, INVALID).await;
}

#[tokio::test]
async fn what_may_be_asked_at_most_is_answered_soon() {
    let server = Server::start().await;
    let ticket = server.client.ticket().await;
    for at in 0..7 {
        let names: Vec<_> = (0..16).map(|n| format!("n{}", at * 16 + n)).collect();
        let counts = vec![1; names.len()];
        let vote = json!({"ticket": ticket, "usernames": names, "voteCount": counts});
        server.client.vote(vote).await;
    }
    let fields = numbered(22, "v#:votes ");
    let places = numbered(18, "l#:leaderboard(first:100){...t} ");
    let query = format!("{{ {places} }} fragment t on Tally {{ {fields} }}");
    let (reply, took) = timed(server.client.ask(&query, Value::Null)).await;
    assert!(
        reply.body.get("errors").is_none(),
        "{:?}",
        reply.body["errors"]
    );
    // Forty times slower than with optimisation.
    assert!(took < AT_ONCE * 5, "{took:?}");
}

#[tokio::test]
async fn a_request_votes_once_in_whatever_form_the_second_vote_comes() {
    let server = Server::start().await;
    let ticket = server.client.ticket().await;
    let vote = format!(
        "vote(usernames: [\"stuffed\"], voteCount: [1], ticket: \"{ticket}\") {{ success }}"
    );
    let fragment = format!("fragment f on Mutation {{ {vote} }}");
    for query in [
        format!("mutation {{ {vote} {vote} }}"),
        format!("mutation {{ a: {vote} b: {vote} }}"),
        format!("mutation {{ {vote} ...f }} {fragment}"),
        format!("mutation {{ ...f ...f }} {fragment}"),
        format!("mutation {{ ... {{ {vote} }} ... on Mutation {{ {vote} }} }}"),
        format!("mutation {{ {vote} ... @skip(if: true) {{ {vote} }} }}"),
        format!("mutation {{ ...g }} fragment g on Mutation {{ ...f ...f }} {fragment}"),
    ] {
        let reply = is_refused(&server, &query, INVALID).await;
        assert!(
            reply.body["errors"][0]["message"]
                .as_str()
                .unwrap()
                .contains("one `vote`")
        );
    }
    assert_eq!(server.client.tally("stuffed").await, 0);
    let query = format!("mutation {{ ...f }} {fragment}");
    assert_eq!(
        server.client.data(&query, Value::Null).await["vote"]["success"],
        true
    );
}

#[tokio::test]
async fn floods_of_fields_aliases_directives_and_operations_are_bounded() {
    let server = Server::start().await;
    let twenty = numbered(20, "a#: __typename ");
    assert!(
        server
            .client
            .data(&format!("{{ {twenty} }}"), Value::Null)
            .await
            .is_object()
    );
    is_refused(&server, &format!("{{ {twenty} b: __typename }}"), INVALID).await;
    is_refused(
        &server,
        &format!("{{ {twenty} ...f }} fragment f on Query {{ cas {{ ticket }} }}"),
        INVALID,
    )
    .await;
    for query in [
        format!("{{ cas {{ ticket {} }} }}", "@a".repeat(1_000)),
        format!("query {} {{ cas {{ ticket }} }}", "@a".repeat(1_000)),
        format!(
            "query($a: Int {}) {{ cas {{ ticket }} }}",
            "@skip(if:true)".repeat(200)
        ),
        format!("{{ cas {{ {} }} }}", "a @b ".repeat(600)),
        format!("{{ cas {{ {} }} }}", "nonsense ".repeat(400)),
        numbered(250, "query A# {a} "),
    ] {
        is_refused(&server, &query, INVALID).await;
    }
    let long = format!("{{ cas {{ ticket }} }} # {}", "x".repeat(4_096));
    is_refused(&server, &long, INVALID).await;
    let batch = Value::Array(vec![json!({"query": "{ cas { ticket } }"}); 100]);
    assert_eq!(server.client.post(&batch).await.status, 400);
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_announced_or_not() {
    let server = Server::start().await;
    let url = server.client.graphql_url();
    for len in [16 * 1_024 + 1, 200 * 1_024] {
        let request = server
            .client
            .http
            .post(&url)
            .header("content-type", "application/json");
        let (reply, took) = timed(server.client.send(request.body("x".repeat(len)))).await;
        assert_eq!(
            (reply.status, reply.code()),
            (413, "BAD_USER_INPUT"),
            "{len}"
        );
        assert!(took < AT_ONCE);
    }
    // Announced, and not sent.
    let mut stream = server.connect().await;
    let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 999999999\r\n\r\n";
    let (answer, took) = timed(raw(&mut stream, head.as_bytes())).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(took < AT_ONCE, "{took:?}");
    // In chunks, without an announcement.
    let mut stream = server.connect().await;
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    let request = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n{}0\r\n\r\n",
        chunk.repeat(3)
    );
    let answer = raw(&mut stream, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}
