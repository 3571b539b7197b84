//! Nodes that are made up, for answers that a real one does not give on demand.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use cast_adapters::redis::{Redis, RedisOptions, RedisTickets};
use cast_core::ports::{PortErrorKind, TicketSource};

use crate::{cluster::kind, redis::PATIENCE};

/// A node that says the same to every call.
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

    /// Begins to answer, and counts the calls: to `CLUSTER SLOTS` that of these nodes the first has all
    /// slots, to a call with that line, or, without one, by hanging up.
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
            _ => continue,
        };
        if answers.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn tickets_at(port: u16) -> RedisTickets {
    let redis = Redis::open(RedisOptions {
        connect_timeout: PATIENCE,
        response_timeout: PATIENCE,
        ..RedisOptions::at(format!("redis://127.0.0.1:{port}"))
    });
    redis.expect("the options make sense").tickets()
}

fn count(calls: &AtomicUsize) -> usize {
    calls.load(Ordering::Relaxed)
}

/// Two nodes that each take the other for the owner would have a call for ever.
#[tokio::test]
async fn who_is_sent_around_in_circles_gives_up() {
    let [one, other] = [Node::new(), Node::new()];
    let (first, second) = (one.port, other.port);
    let ones = one.answer(&[first, second], Some(format!("-MOVED 1 :{second}\r\n")));
    let others = other.answer(&[first, second], Some(format!("-MOVED 1 :{first}\r\n")));
    let shown = tickets_at(first).current().await;
    assert_eq!(kind(shown), PortErrorKind::Unavailable);
    let calls = count(&ones) + count(&others);
    assert!((2..10).contains(&calls), "{calls}");
}

/// What a node did that hung up, nobody knows. Another one would do it again.
#[tokio::test]
async fn a_call_without_an_answer_is_sent_to_nobody_else() {
    let [one, other] = [Node::new(), Node::new()];
    let nodes = [one.port, other.port];
    let ones = one.answer(&nodes, None);
    let others = other.answer(&nodes, Some("_\r\n".into()));
    let tickets = tickets_at(nodes[0]);
    assert_eq!(kind(tickets.current().await), PortErrorKind::OutcomeUnknown);
    assert_eq!((count(&ones), count(&others)), (1, 0));
}

/// A node that is cut off from the others may have been replaced, and not know it.
#[tokio::test]
async fn a_node_that_can_do_nothing_is_not_the_last_word() {
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
        assert_eq!(shown.expect("there is another"), None, "{why}");
        let calls = [&ones, &others, &news].map(|calls| count(calls));
        assert_eq!(calls, [1, 1, 1], "{why}");
    }
}
