//! A server in this process, one in a process of its own, and a client for both.

use std::{
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use cast_adapters::{
    memory,
    system::{SystemClock, SystemEntropy},
};
use cast_core::{Ports, Roles, Settings, domain::KeyRing};
use cast_server::{
    graphql::DocumentLimits,
    http::HttpSettings,
    roles::app::{App, Running},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStdout, Command},
};

/// Longer than anything here takes on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// An app in memory whose tickets outlast any test.
pub(crate) fn app() -> App {
    app_over(memory::ports())
}

pub(crate) fn app_over(ports: Ports) -> App {
    let mut settings = Settings::default();
    settings.tickets.period = Duration::from_secs(3_600);
    settings.tickets.ttl = Duration::from_secs(7_200);
    settings.tickets.uses = 1_000_000;
    App {
        ports,
        keys: KeyRing::generate(&SystemEntropy),
        settings,
        roles: Roles::ALL,
        http: HttpSettings::default(),
        documents: DocumentLimits::default(),
    }
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

/// Speaks GraphQL over HTTP.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
}

/// An HTTP answer with JSON in it.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn code(&self) -> &str {
        self.body["errors"][0]["extensions"]["code"]
            .as_str()
            .unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) const VOTE: &str = "mutation Vote($usernames: [String!]!, $voteCount: [Int!]!, \
    $ticket: String!, $voterUsername: String, $ballotId: ID) { vote(usernames: $usernames, \
    voteCount: $voteCount, ticket: $ticket, voterUsername: $voterUsername, ballotId: $ballotId) \
    { success message usernames votes ballotId code retryable stale } }";

impl Client {
    pub(crate) fn new(url: &str) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(SOON)
            .build()
            .unwrap();
        let url = url.to_owned();
        Self { url, http }
    }

    pub(crate) fn graphql_url(&self) -> String {
        format!("{}/graphql", self.url)
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("a body");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Reply {
            status,
            headers,
            body,
        }
    }

    pub(crate) async fn post(&self, body: &Value) -> Reply {
        self.send(self.http.post(self.graphql_url()).json(body))
            .await
    }

    pub(crate) async fn ask(&self, query: &str, variables: Value) -> Reply {
        self.post(&json!({"query": query, "variables": variables}))
            .await
    }

    /// The data of an answer without errors.
    pub(crate) async fn data(&self, query: &str, variables: Value) -> Value {
        let reply = self.ask(query, variables).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(reply.body.get("errors").is_none(), "{reply:?}");
        reply.body["data"].clone()
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

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(self.http.get(format!("{}{path}", self.url)))
            .await
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

/// The real program.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) stdout: Lines<BufReader<ChildStdout>>,
    /// The first line that it printed.
    pub(crate) line: String,
}

/// How it ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stderr: String,
}

/// The program, in an empty folder and without variables of ours.
pub(crate) fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cast-server"));
    command
        .args(args)
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .kill_on_drop(true);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CAST_")) {
        command.env_remove(name);
    }
    command
}

impl Process {
    /// Starts `serve` on a free port and waits for its line.
    pub(crate) async fn serve(args: &[&str]) -> Self {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0"];
        all.extend(args);
        Self::start(program(&all)).await
    }

    pub(crate) async fn start(command: Command) -> Self {
        Self::try_start(command).await.expect("a line")
    }

    /// None if it ended before it said where it listens.
    pub(crate) async fn try_start(mut command: Command) -> Option<Self> {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(SOON, stdout.next_line())
            .await
            .expect("a line in time");
        Some(Self {
            child,
            stdout,
            line: line.unwrap()?,
        })
    }

    pub(crate) fn url(&self) -> String {
        let url = self
            .line
            .strip_prefix("listening on ")
            .expect("its first words");
        url.split(' ').next().unwrap().to_owned()
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url())
    }

    pub(crate) async fn signal(&self, signal: &str) {
        self::signal(&self.child, signal).await;
    }

    pub(crate) async fn ended(self) -> Ended {
        ended(self.child).await
    }
}

/// The real program, which has nothing to print yet.
pub(crate) struct Silent(Child);

impl Silent {
    pub(crate) fn start(mut command: Command) -> Self {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().expect("the program starts"))
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) async fn told_to_stop(self) -> Ended {
        signal(&self.0, "TERM").await;
        ended(self.0).await
    }
}

async fn signal(child: &Child, signal: &str) {
    let pid = child.id().expect("it runs").to_string();
    let sent = Command::new("kill").args(["-s", signal, &pid]).status();
    assert!(sent.await.unwrap().success());
}

async fn ended(child: Child) -> Ended {
    let ended = tokio::time::timeout(SOON, child.wait_with_output());
    let output = ended.await.expect("it ends").unwrap();
    Ended {
        code: output.status.code(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs the program to its end.
pub(crate) async fn run(mut command: Command) -> (Option<i32>, String, String) {
    let output = tokio::time::timeout(SOON, command.output())
        .await
        .expect("it ends")
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// How long `work` took, beside what came of it.
pub(crate) async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    #[expect(clippy::disallowed_methods, reason = "a test measures real time")]
    let start = Instant::now();
    let done = work.await;
    (done, start.elapsed())
}

/// The ports of an app in memory, on the system's clock.
pub(crate) fn ports() -> Ports {
    memory::ports_on(Arc::new(SystemClock), Arc::new(SystemEntropy))
}
