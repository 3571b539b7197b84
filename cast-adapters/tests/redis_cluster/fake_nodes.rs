//! Fake nodes, for answers that a real node does not give on demand.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use cast_adapters::redis::{Redis, RedisOptions, RedisTickets};
use cast_core::ports::{PortErrorKind, TicketSource, VoteCounter as _};
use cast_testkit::fixtures::Fixtures;

use crate::{cluster::kind, redis::PATIENCE};

/// A node that gives the same answer to every call.
struct Node {
    listener: TcpListener,
    port: u16,
}

impl Node {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it listens").port();
        Self { listener, port }
    }

    /// Begins to answer, and counts the calls. The answer to `CLUSTER SLOTS` is that the first of `nodes`
    /// has all slots; the answer to a call is `line`, or a closed connection if that is `None`.
    fn answer(self, nodes: &[u16], line: Option<String>) -> Arc<AtomicUsize> {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let places = nodes.iter().fold(String::new(), |places, port| {
            places + "*3\r\n$0\r\n\r\n:" + &port.to_string() + "\r\n$2\r\nid\r\n"
        });
        let count = nodes.len() + 2;
        let slots = format!("*1\r\n*{count}\r\n:0\r\n:16383\r\n{places}");
        std::thread::spawn(move || {
            for link in self.listener.incoming().map_while(Result::ok) {
                let (calls, slots, line) = (Arc::clone(&counted), slots.clone(), line.clone());
                std::thread::spawn(move || serve(&link, &slots, line.as_deref(), &calls));
            }
        });
        calls
    }
}

fn serve(link: &TcpStream, slots: &str, answer: Option<&str>, calls: &AtomicUsize) {
    let mut answers = link;
    for word in BufReader::new(link).lines().map_while(Result::ok) {
        let answer = match word.as_str() {
            "HELLO" => "%1\r\n$5\r\nproto\r\n:3\r\n",
            "CLIENT" => "+OK\r\n",
            "CLUSTER" => slots,
            "EVALSHA" => {
                calls.fetch_add(1, Ordering::Relaxed);
                let Some(answer) = answer else { return };
                answer
            }
            // A count of no votes.
            "EVAL" => "*1\r\n:-1\r\n",
            _ => continue,
        };
        if answers.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn tickets_at(port: u16) -> RedisTickets {
    redis_at(port).tickets()
}

fn redis_at(port: u16) -> Redis {
    let redis = Redis::open(RedisOptions {
        connect_timeout: PATIENCE,
        response_timeout: PATIENCE,
        ..RedisOptions::at(format!("redis://127.0.0.1:{port}"))
    });
    redis.expect("the options make sense")
}

fn count(calls: &AtomicUsize) -> usize {
    calls.load(Ordering::Relaxed)
}

/// Two nodes that each redirect to the other one.
#[tokio::test]
async fn redirections_in_a_circle_end() {
    let [one, other] = [Node::new(), Node::new()];
    let (first, second) = (one.port, other.port);
    let ones = one.answer(&[first, second], Some(format!("-MOVED 1 :{second}\r\n")));
    let others = other.answer(&[first, second], Some(format!("-MOVED 1 :{first}\r\n")));
    let shown = tickets_at(first).current().await;
    assert_eq!(kind(shown), PortErrorKind::Unavailable);
    let calls = count(&ones) + count(&others);
    assert!((2..10).contains(&calls), "{calls}");
}

/// The node may have carried out the call before it closed the connection.
#[tokio::test]
async fn a_call_without_an_answer_is_sent_to_no_other_node() {
    let [one, other] = [Node::new(), Node::new()];
    let nodes = [one.port, other.port];
    let ones = one.answer(&nodes, None);
    let others = other.answer(&nodes, Some("_\r\n".into()));
    let tickets = tickets_at(nodes[0]);
    assert_eq!(kind(tickets.current().await), PortErrorKind::OutcomeUnknown);
    assert_eq!((count(&ones), count(&others)), (1, 0));
}

/// As behind a proxy that passes each call on to another server.
#[tokio::test]
async fn a_script_that_is_not_there_after_it_was_sent_is_sent_with_each_call() {
    let node = Node::new();
    let port = node.port;
    let calls = node.answer(&[port], Some("-NOSCRIPT No matching script.\r\n".into()));
    let (counter, fixtures) = (redis_at(port).counter(), Fixtures::new());
    let names = (0..20).map(|name| fixtures.candidate(&name.to_string()));
    let candidates: Vec<_> = names.collect();
    let read = counter.read(&candidates).await.expect("read");
    assert_eq!(read.len(), 20);
    assert_eq!(count(&calls), 20 + 19, "by its SHA-1");
}

/// A node that is cut off from the cluster may have been replaced, and not know it.
#[tokio::test]
async fn another_node_is_asked_for_the_successor_of_one_that_can_do_nothing() {
    for why in [
        "CLUSTERDOWN The cluster is down",
        "LOADING Redis is loading",
    ] {
        let [one, other, new] = [Node::new(), Node::new(), Node::new()];
        let (nodes, third) = ([one.port, other.port], new.port);
        let ones = one.answer(&nodes, Some(format!("-{why}\r\n")));
        let others = other.answer(&nodes, Some(format!("-MOVED 1 :{third}\r\n")));
        let news = new.answer(&[third, nodes[1]], Some("_\r\n".into()));
        let shown = tickets_at(nodes[0]).current().await;
        assert_eq!(shown.expect("the successor answers"), None, "{why}");
        let calls = [&ones, &others, &news].map(|calls| count(calls));
        assert_eq!(calls, [1, 1, 1], "{why}");
    }
}
