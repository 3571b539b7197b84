//! Connections that are slow, too many or broken off: each ends in time, and disturbs no other.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    hostile::AT_ONCE,
    support::{SOON, Server, app, one_vote, raw, timed},
};

/// A server with short deadlines: 200 ms for a head or a body, 500 ms for an idle connection.
async fn impatient() -> Server {
    let mut app = app();
    app.http.header_deadline = Duration::from_millis(200);
    app.http.body_deadline = Duration::from_millis(200);
    app.http.idle_timeout = Duration::from_millis(500);
    Server::of(app).await
}

#[tokio::test]
async fn a_request_that_is_begun_and_not_finished_times_out() {
    let server = impatient().await;
    for begun in [
        "G",
        "GET /livez HTTP/1.1",
        "GET /livez HTTP/1.1\r\nhost: x\r\n",
        "\r\n\r\n\r\n",
    ] {
        let mut stream = server.connect().await;
        let (answer, took) = timed(raw(&mut stream, begun.as_bytes())).await;
        assert!(took < AT_ONCE, "{took:?} for {begun:?}");
        if !begun.contains("\r\n\r\n") {
            assert!(answer.starts_with("HTTP/1.1 408 "), "{begun:?} {answer:?}");
        }
    }
    let mut stream = server.connect().await;
    let begun = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                 content-length: 30\r\n\r\n{\"query\"";
    let (answer, took) = timed(raw(&mut stream, begun.as_bytes())).await;
    assert!(
        answer.starts_with("HTTP/1.1 408 ") && took < AT_ONCE,
        "{took:?} {answer}"
    );
}

/// Whole requests of every form, whose answers are 200.
const WHOLE: [&str; 3] = [
    "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n",
    "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
     content-length: 24\r\n\r\n{\"query\":\"{__typename}\"}",
    "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
     transfer-encoding: chunked\r\n\r\n9\r\n{\"query\":\r\nf\r\n\"{__typename}\"}\r\n0\r\n\r\n",
];

#[tokio::test]
async fn what_is_no_request_behind_whole_ones_ends_the_connection_after_their_responses() {
    let server = impatient().await;
    let filler = "x-filler: 0123456789\r\n".repeat(1_000);
    let too_large = format!("GET /livez HTTP/1.1\r\n{filler}");
    let all = WHOLE.concat();
    for ahead in WHOLE.iter().copied().chain([&*all]) {
        for (behind, status) in [
            // In hyper's buffer with the request before, so under the idle deadline.
            ("GET /livez HTTP/1.1\r\nhos", 408),
            (&*too_large, 431),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
            ("NONSENSE\r\n\r\n", 400),
        ] {
            let mut stream = server.connect().await;
            let sent = [ahead, behind].concat();
            let (answer, took) = timed(raw(&mut stream, sent.as_bytes())).await;
            assert!(took < AT_ONCE, "{took:?} for {ahead:?}");
            let requests = ahead.matches("host: x").count();
            let ok = answer.matches("HTTP/1.1 200 ").count();
            assert_eq!(ok, requests, "{ahead:?} {answer}");
            let last = answer.rsplit("HTTP/1.1 200 ").next().unwrap_or_default();
            let is_rejected = last.contains(&format!("HTTP/1.1 {status} "));
            assert!(is_rejected, "{behind:?} {answer}");
        }
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_its_responses_is_closed() {
    let server = impatient().await;
    let mut stream = server.connect().await;
    let sending = async {
        let requests = "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100);
        while stream.write_all(requests.as_bytes()).await.is_ok() {}
    };
    cast_testkit::within(SOON, "the connection's end", sending).await;
    // Others are served meanwhile and afterwards.
    assert_eq!(server.client.get("/livez").await.status, 200);
}

#[tokio::test]
async fn whole_requests_may_be_far_apart() {
    let mut app = app();
    app.http.header_deadline = Duration::from_millis(100);
    app.http.idle_timeout = SOON;
    let server = Server::of(app).await;
    let mut stream = server.connect().await;
    for request in WHOLE {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK", "{request}");
        let mut rest = vec![0; 4_096];
        let _ = stream.read(&mut rest).await.unwrap();
        // Longer than the head deadline.
        cast_testkit::pause(Duration::from_millis(300)).await;
    }
}

#[tokio::test]
async fn what_is_no_request_is_rejected_with_a_reason_and_a_request_id() {
    let mut app = app();
    app.http.header_deadline = Duration::from_millis(200);
    let server = Server::of(app).await;
    let mut ids = std::collections::HashSet::new();
    let long_uri = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(70_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(200));
    for (sent, status, code) in [
        ("GET /livez HT", 408, "UNAVAILABLE"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "BAD_USER_INPUT"),
        ("NONSENSE\r\n\r\n", 400, "BAD_USER_INPUT"),
        ("GET / HTTP/9.9\r\n\r\n", 400, "BAD_USER_INPUT"),
        (&many, 431, "BAD_USER_INPUT"),
    ] {
        let mut stream = server.connect().await;
        let answer = raw(&mut stream, sent.as_bytes()).await;
        let is_status = answer.starts_with(&format!("HTTP/1.1 {status} "));
        assert!(is_status && answer.contains(code), "{sent:?} {answer}");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let id = head
            .lines()
            .find_map(|line| line.strip_prefix("x-request-id: "));
        assert!(ids.insert(id.expect("an id").to_owned()), "{answer}");
        let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(body["errors"][0]["extensions"]["code"], code);
    }
    // The connection may be reset while the rest is still being sent, and the answer with it.
    let mut stream = server.connect().await;
    let answer = raw(&mut stream, long_uri.as_bytes()).await;
    assert!(
        answer.is_empty() || answer.contains("x-request-id"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_head_that_arrives_byte_by_byte_times_out_too() {
    let server = impatient().await;
    let mut stream = server.connect().await;
    let dripping = async {
        stream.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
        let (mut read, mut write) = stream.split();
        let mut answer = Vec::new();
        let drip = async {
            while write.write_all(b"x: y\r\n").await.is_ok() {
                cast_testkit::pause(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            read = read.read_to_end(&mut answer) => drop(read),
            () = drip => {}
        }
    };
    let ((), took) = timed(cast_testkit::within(SOON, "its end", dripping)).await;
    assert!(took < AT_ONCE, "{took:?}");
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let server = impatient().await;
    let mut never = server.connect().await;
    let mut after_one = server.connect().await;
    let one = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
    let (never, after_one) =
        tokio::join!(timed(raw(&mut never, b"")), timed(raw(&mut after_one, one)));
    assert!(never.0.is_empty() && never.1 < AT_ONCE, "{never:?}");
    assert!(
        after_one.0.starts_with("HTTP/1.1 200 ") && after_one.1 < AT_ONCE,
        "{after_one:?}"
    );
}

#[tokio::test]
async fn endless_heads_http_2_and_tls_are_rejected() {
    let server = Server::start().await;
    let filler = "x-filler: 0123456789\r\n".repeat(1_000);
    let mut stream = server.connect().await;
    let answer = raw(
        &mut stream,
        format!("GET / HTTP/1.1\r\n{filler}").as_bytes(),
    )
    .await;
    assert!(
        answer.starts_with("HTTP/1.1 431 ") || answer.is_empty(),
        "{answer}"
    );
    let mut stream = server.connect().await;
    let answer = raw(&mut stream, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 505 "), "{answer}");
    let mut stream = server.connect().await;
    let answer = raw(
        &mut stream,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n\n\n",
    )
    .await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400 "),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_idle_and_half_sent_connections_disturb_no_other() {
    let mut app = app();
    app.http.header_deadline = Duration::from_secs(60);
    let server = Server::of(app).await;
    let mut held = Vec::new();
    for at in 0..400 {
        let mut stream = server.connect().await;
        if at % 2 == 0 {
            stream
                .write_all(b"POST /graphql HTTP/1.1\r\nhost:")
                .await
                .unwrap();
        }
        held.push(stream);
    }
    let ticket = server.client.ticket().await;
    // A vote that waited for the half-sent requests would wait for their deadline.
    let votes = async {
        for _ in 0..100 {
            let result = server.client.vote(one_vote(&ticket, "honest")).await;
            assert_eq!(result["success"], true);
        }
    };
    let voted = tokio::time::timeout(Duration::from_secs(20), votes).await;
    voted.expect("votes do not wait for the held connections");
    assert_eq!(server.client.tally("honest").await, 100);
    drop(held);
}

#[tokio::test]
async fn one_connection_too_many_gets_a_503_at_once_and_its_place_comes_back() {
    let mut app = app();
    app.http.max_connections = 3;
    let server = Server::of(app).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = server.connect().await;
        stream
            .write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        held.push(stream);
    }
    let mut stream = server.connect().await;
    let (answer, took) = timed(raw(&mut stream, b"")).await;
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.contains("OVERLOADED"),
        "{answer}"
    );
    assert!(answer.contains("\r\nx-request-id: "), "{answer}");
    assert!(took < AT_ONCE, "{took:?}");
    held.pop();
    cast_testkit::eventually(SOON, "the place", || async {
        let reply = server
            .client
            .http
            .get(format!("{}/livez", server.client.url))
            .send()
            .await;
        reply.is_ok_and(|reply| reply.status() == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn clients_that_hang_up_in_the_middle_leave_nothing_behind() {
    let mut app = app();
    app.http.max_connections = 8;
    let server = Server::of(app).await;
    let ticket = server.client.ticket().await;
    let body =
        json!({"query": crate::support::VOTE, "variables": one_vote(&ticket, "x")}).to_string();
    let request = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    for at in 0..200 {
        if let Ok(mut stream) = tokio::net::TcpStream::connect(server.running.address()).await {
            let cut = request.len() * (at % 20 + 1) / 20;
            let _ = stream.write_all(&request.as_bytes()[..cut]).await;
        }
    }
    cast_testkit::eventually(SOON, "a place", || async {
        let reply = server
            .client
            .http
            .get(format!("{}/livez", server.client.url))
            .send()
            .await;
        reply.is_ok_and(|reply| reply.status() == 200).then_some(())
    })
    .await;
}

/// The system has established the connection, whether or not the server has accepted it yet.
#[tokio::test]
async fn a_connection_that_was_not_accepted_when_the_drain_began_is_answered() {
    use std::io::{Read as _, Write as _};

    let server = Server::start().await;
    let address = server.running.address();
    // This is the only thread: it polls no socket again before the drain has begun.
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let request = format!("GET /livez HTTP/1.1\r\nhost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    server.running.drain().await;

    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    assert!(read.is_ok(), "{read:?}: the connection was reset unread");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer:?}");
    assert!(answer.contains("connection: close"), "{answer:?}");
}
