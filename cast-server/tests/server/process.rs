//! The real program: its one line, its drain, its exit codes.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cast_core::{
    Ports,
    domain::{LogBatch, Offset, Partition},
    ports::{EventBus, ForwardingEventBus, GroupName, PortError, ResumeFrom, Subscription},
};
use cast_server::app::{self, Failure};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Process, SOON, app_over, one_vote, ports, program, run, timed};

#[tokio::test]
async fn it_prints_one_line_once_it_is_ready() {
    let tickets = ["--ticket-period", "1h", "--ticket-ttl", "2h"];
    let mut process = Process::serve(&tickets).await;
    assert!(
        process.line.starts_with("listening on http://127.0.0.1:"),
        "{}",
        process.line
    );
    assert!(!process.url().ends_with(":0"));
    let client = process.client();
    let ticket = client.ticket().await;
    assert_eq!(client.vote(one_vote(&ticket, "a")).await["success"], true);
    assert_eq!(client.get("/healthz").await.status, 200);
    process.signal("TERM").await;
    assert_eq!(process.stdout.next_line().await.unwrap(), None, "one line");
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[tokio::test]
async fn a_port_that_is_taken_is_a_failure_that_names_it() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, stdout, stderr) = run(program(&["serve", "--listen", &address])).await;
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    let is_named = stderr.contains(&address) && stderr.contains("--listen");
    assert!(
        stderr.contains("error: another process") && is_named,
        "{stderr}"
    );
}

#[tokio::test]
async fn a_drain_answers_what_was_begun_and_ends_with_0() {
    let process = Process::serve(&[]).await;
    let client = process.client();
    let ticket = client.ticket().await;
    // Requests of which the server has all but the last byte: they are under way.
    let body = format!(
        "{{\"query\":\"mutation {{ vote(usernames: [\\\"drained\\\"], voteCount: [1], \
         ticket: \\\"{ticket}\\\") {{ success message }} }}\"}}"
    );
    let request = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let (start, last) = request.as_bytes().split_at(request.len() - 1);
    let mut streams = Vec::new();
    let address = process.url().replace("http://", "");
    for _ in 0..8 {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(start).await.unwrap();
        streams.push(stream);
    }
    // Idle connections do not delay the shutdown.
    let _idle = TcpStream::connect(&address).await.unwrap();
    client.tally("drained").await;
    process.signal("TERM").await;
    cast_testkit::eventually(SOON, "the end of listening", || async {
        TcpStream::connect(&address).await.is_err().then_some(())
    })
    .await;
    for stream in &mut streams {
        stream.write_all(last).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        let is_answered =
            answer.contains("Votes recorded successfully") || answer.contains("Ticket expired");
        assert!(is_answered, "{answer}");
    }
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answers_does_not_hold_a_drain_up() {
    let drain_timeout = Duration::from_secs(8);
    let process = Process::serve(&["--drain-timeout", "8s", "--idle-timeout", "1m"]).await;
    let address = process.url().replace("http://", "");
    // Large answers, until the server reads no more because it cannot send them.
    let query = "{\"query\":\"{__schema{types{name description fields{name description}}}}\"}";
    let request = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{query}",
        query.len()
    );
    let many = request.repeat(64);
    let mut rest = many.as_bytes();
    let mut deaf = TcpStream::connect(&address).await.unwrap();
    let blocked = Duration::from_secs(1);
    while let Ok(sent) = tokio::time::timeout(blocked, deaf.write(rest)).await {
        rest = &rest[sent.unwrap()..];
        if rest.is_empty() {
            rest = many.as_bytes();
        }
    }
    // An honest one, all but its last byte.
    let (start, last) = request.as_bytes().split_at(request.len() - 1);
    let mut honest = TcpStream::connect(&address).await.unwrap();
    honest.write_all(start).await.unwrap();
    process.client().tally("a").await;
    process.signal("TERM").await;
    let answered = async {
        cast_testkit::eventually(SOON, "the end of listening", || async {
            TcpStream::connect(&address).await.is_err().then_some(())
        })
        .await;
        honest.write_all(last).await.unwrap();
        let mut answer = String::new();
        honest.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let (answer, (ended, took)) = tokio::join!(answered, timed(process.ended()));
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("VoteResult"), "{answer}");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(took < drain_timeout * 3 / 4, "{took:?}");
    drop(deaf);
}

#[tokio::test]
async fn votes_under_way_at_sigterm_are_all_answered() {
    let process = Process::serve(&[
        "--ticket-uses",
        "1000000",
        "--ticket-period",
        "1h",
        "--ticket-ttl",
        "2h",
    ])
    .await;
    let client = process.client();
    let ticket = client.ticket().await;
    let voters: Vec<_> = (0..32)
        .map(|_| {
            let (client, ticket) = (client.clone(), ticket.clone());
            tokio::spawn(async move {
                // Until the server does not take a connection any more; an answer that was begun is
                // finished.
                let mut accepted = 0;
                let body = serde_json::json!({
                    "query": crate::support::VOTE, "variables": one_vote(&ticket, "x"),
                });
                while let Ok(response) = client
                    .http
                    .post(client.graphql_url())
                    .json(&body)
                    .send()
                    .await
                {
                    let answer: Value = response.json().await.expect("a whole answer");
                    assert_eq!(answer["data"]["vote"]["success"], true, "{answer}");
                    accepted += 1;
                }
                accepted
            })
        })
        .collect();
    cast_testkit::eventually(SOON, "some votes", || async {
        (client.tally("x").await > 50).then_some(())
    })
    .await;
    process.signal("TERM").await;
    let mut accepted = 0;
    for voter in voters {
        accepted += voter.await.expect("no answer was cut off");
    }
    assert!(accepted > 50);
    assert_eq!(process.ended().await.code, Some(0));
}

#[tokio::test]
async fn a_request_on_an_idle_connection_during_a_drain_is_answered_with_connection_close() {
    // A twentieth of it is how long a silent connection is kept.
    let process = Process::serve(&["--drain-timeout", "1m"]).await;
    let address = process.url().replace("http://", "");
    let request = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut first = [0; 15];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    // The rest of it is not read before the next answer.
    process.signal("TERM").await;
    cast_testkit::eventually(SOON, "the end of listening", || async {
        TcpStream::connect(&address).await.is_err().then_some(())
    })
    .await;
    let answers = crate::support::raw(&mut stream, request).await;
    let (_, second) = answers.split_once("HTTP/1.1 ").expect("a second answer");
    assert!(second.starts_with("200 OK"), "{answers}");
    assert!(second.contains("connection: close"), "{answers}");
    // And it is closed: the shutdown does not wait for its client.
    let (ended, took) = timed(process.ended()).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(took < SOON / 2, "{took:?}");
}

#[tokio::test]
async fn a_drain_that_takes_too_long_ends_with_1() {
    let process = Process::serve(&["--drain-timeout", "100ms"]).await;
    let address = process.url().replace("http://", "");
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.write_all(b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n").await.unwrap();
    // Answered behind it, so the server has the half request by now.
    process.client().tally("a").await;
    process.signal("INT").await;
    let (ended, took) = timed(process.ended()).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert!(ended.stderr.contains("100ms"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_second_signal_ends_a_drain_at_once() {
    let process = Process::serve(&[
        "--drain-timeout",
        "1m",
        "--body-deadline",
        "1m",
        "--request-deadline",
        "1m",
    ])
    .await;
    let address = process.url().replace("http://", "");
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.write_all(b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n").await.unwrap();
    process.client().tally("a").await;
    process.signal("TERM").await;
    cast_testkit::eventually(SOON, "the drain", || async {
        TcpStream::connect(&address).await.is_err().then_some(())
    })
    .await;
    process.signal("TERM").await;
    let (ended, took) = timed(process.ended()).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

/// A log whose reader dies.
struct DeadlyBus(Arc<dyn EventBus>);

struct Deadly;

#[async_trait]
impl ForwardingEventBus for DeadlyBus {
    fn inner(&self) -> &dyn EventBus {
        &*self.0
    }

    async fn subscribe(
        &self,
        _: &GroupName,
        _: usize,
        _: Arc<dyn ResumeFrom>,
    ) -> Result<Box<dyn Subscription>, PortError> {
        Ok(Box::new(Deadly))
    }
}

#[async_trait]
impl Subscription for Deadly {
    async fn next(&mut self) -> Result<LogBatch, PortError> {
        panic!("a test lets this task die");
    }

    async fn seek(&mut self, _: Partition, _: Offset) -> Result<(), PortError> {
        Ok(())
    }

    async fn commit(&mut self, _: Partition, _: Offset) -> Result<(), PortError> {
        Ok(())
    }

    async fn close(self: Box<Self>) -> Result<(), PortError> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_dies_ends_the_process_as_a_failure() {
    let ports = ports();
    let bus = Arc::new(DeadlyBus(Arc::clone(&ports.bus)));
    let app = app_over(Ports { bus, ..ports });
    let served = app::serve(app, "127.0.0.1:0", SOON, |_| {});
    let ended = tokio::time::timeout(SOON, served).await.expect("it ends");
    let error = ended.expect_err("it died");
    assert!(matches!(error, Failure::Died(_)), "{error}");
    assert_eq!(error.to_string(), "the task consumer died");
}
