//! A server in this process, one in a process of its own, and a client for both.

use std::{
    io,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use cast_adapters::{
    memory,
    system::{SystemClock, SystemEntropy},
};
use cast_core::{Ports, Roles, Settings, domain::KeyRing};
use cast_server::app::{App, Running};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
};

pub(crate) use crate::program::{Client, Process, Reply, SOON, VOTE, program, run};

/// An app in memory whose tickets outlast any test.
pub(crate) fn app() -> App {
    app_over(memory::ports())
}

pub(crate) fn app_over(ports: Ports) -> App {
    let mut settings = Settings::default();
    settings.tickets.period = Duration::from_secs(3_600);
    settings.tickets.ttl = Duration::from_secs(7_200);
    settings.tickets.uses = 1_000_000;
    let keys = KeyRing::generate(&*ports.entropy);
    App::new(ports, keys, settings, Roles::ALL)
}

/// A server in this process.
pub(crate) struct Server {
    pub(crate) running: Running,
    pub(crate) client: Client,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::of(app()).await
    }

    pub(crate) async fn of(app: App) -> Self {
        let running = app.start("127.0.0.1:0").await.expect("it starts");
        let client = Client::new(&format!("http://{}", running.address()));
        Self { running, client }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.running.address()).await.unwrap()
    }
}

impl Client {
    pub(crate) async fn post(&self, body: &Value) -> Reply {
        self.send(self.http.post(self.graphql_url()).json(body))
            .await
    }

    pub(crate) async fn cas(&self) -> Value {
        let data = self
            .data("{ cas { ticket validUntil remainingUsage } }", json!({}))
            .await;
        data["cas"].clone()
    }

    pub(crate) async fn ticket(&self) -> String {
        self.cas().await["ticket"].as_str().unwrap().to_owned()
    }

    /// Votes with these variables; the result.
    pub(crate) async fn vote(&self, variables: Value) -> Value {
        self.data(VOTE, variables).await["vote"].clone()
    }

    pub(crate) async fn tally(&self, username: &str) -> i64 {
        let query = "query($username: String!) { query(username: $username) }";
        let data = self.data(query, json!({"username": username})).await;
        data["query"].as_i64().unwrap()
    }
}

/// The variables of a ballot with one vote for one name.
pub(crate) fn one_vote(ticket: &str, username: &str) -> Value {
    json!({"ticket": ticket, "usernames": [username], "voteCount": [1]})
}

/// Writes `request` and reads until the server closes the connection.
pub(crate) async fn raw(stream: &mut TcpStream, request: &[u8]) -> String {
    // A server that has answered already may have closed.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    let _ = tokio::time::timeout(SOON, reading)
        .await
        .expect("the server closes");
    String::from_utf8_lossy(&answer).into_owned()
}

impl Process {
    /// Starts `serve` on a free port and waits for its line.
    pub(crate) async fn serve(args: &[&str]) -> Self {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0"];
        all.extend(args);
        Self::start(program(&all)).await
    }

    /// Starts it, and waits for its line; `None` if it ends without one.
    pub(crate) async fn try_start(command: Command) -> Option<Self> {
        let mut process = Self::launch(command);
        process.line = process.next_line().await?;
        Some(process)
    }
}

/// Runs `cast-server health`: its exit code, and what it prints to stdout and stderr.
pub(crate) async fn health(args: &[&str]) -> (Option<i32>, String, String) {
    let all: Vec<_> = ["health"].iter().chain(args).copied().collect();
    run(program(&all)).await
}

/// Runs a role, which must refuse to start; its error.
pub(crate) async fn refused(args: &[&str]) -> String {
    let (code, stdout, stderr) = run(program(args)).await;
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{args:?}: {stderr}");
    stderr
}

/// How long `work` took, beside what came of it.
pub(crate) async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    #[expect(clippy::disallowed_methods, reason = "a test measures real time")]
    let start = Instant::now();
    let done = work.await;
    (done, start.elapsed())
}

/// What this thread logs.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// From now on, until the guard is dropped.
    pub(crate) fn capture(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || log.clone());
        tracing::subscriber::set_default(subscriber.finish())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The ports of an app in memory, on the system's clock.
pub(crate) fn ports() -> Ports {
    memory::ports_on(Arc::new(SystemClock), Arc::new(SystemEntropy))
}
