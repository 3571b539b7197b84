//! A client of any server: bytes there and back.

use std::{process::Command, time::Duration};

use cast_testkit::servers::{Private, Server};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What comes at all comes by then.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
/// Long enough for an answer to come that should not.
pub(crate) const A_WHILE: Duration = Duration::from_millis(200);

/// A connection.
pub(crate) struct Client(TcpStream);

impl Client {
    /// One to the server that a URL names.
    pub(crate) async fn to(url: &str) -> Self {
        let address = url
            .split(['/', '@'])
            .find(|part| part.contains("127.0.0.1"));
        let link = TcpStream::connect(address.expect("servers listen on the loopback")).await;
        Self(link.expect("it listens"))
    }

    /// Sends some bytes.
    pub(crate) async fn ask(&mut self, question: &[u8]) {
        self.0.write_all(question).await.expect("the link is open");
    }

    /// Asks Kafka for its brokers.
    pub(crate) async fn ask_kafka(&mut self) {
        // 14 bytes: metadata, version 1, question 1, no client's name, no topics.
        self.ask(b"\0\0\0\x0e\0\x03\0\x01\0\0\0\x01\xff\xff\0\0\0\0")
            .await;
    }

    /// What comes next, nothing if the link is closed, and `None` if nothing happens for so long.
    pub(crate) async fn answer_within(&mut self, deadline: Duration) -> Option<Vec<u8>> {
        let mut answer = vec![0; 4096];
        let read = tokio::time::timeout(deadline, self.0.read(&mut answer))
            .await
            .ok()?;
        answer.truncate(read.unwrap_or(0));
        Some(answer)
    }
}

/// Kills a server, and looks whether it is dead.
pub(crate) async fn is_killed<S: Server>(server: &mut Private<S>) {
    let pid = server.pid().expect("it runs");
    assert!(is_alive(pid));
    server.kill().await;
    assert_eq!(server.pid(), None);
    assert!(!is_alive(pid));
}

/// Whether there is a process of that number.
pub(crate) fn is_alive(pid: u32) -> bool {
    let kill = Command::new("sh")
        .args(["-c", &format!("kill -0 {pid}")])
        .output();
    kill.expect("every system has a shell").status.success()
}
