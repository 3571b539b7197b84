//! A server in this process whose clock stands still and whose randomness is constant: the same request
//! gets the same response.

use std::{net::SocketAddr, sync::Arc};

use cast_adapters::memory;
use cast_core::{
    Roles, Settings,
    domain::{Entropy, KeyRing},
};
use cast_server::app::{App, Running};
use cast_testkit::ManualClock;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    runtime::Runtime,
};

/// Larger than any input, however it is escaped.
const MAX_BODY_SIZE: usize = 64 * 1_024;

/// Posts a body to `/graphql`: the status and the response.
pub(crate) fn post(body: &[u8]) -> (u16, Value) {
    SERVER.with(|server| server.runtime.block_on(server.post(body)))
}

struct Server {
    runtime: Runtime,
    address: SocketAddr,
    connection: tokio::sync::Mutex<Option<BufReader<TcpStream>>>,
    _running: Running,
}

thread_local! {
    /// Never dropped: a runtime must not be dropped while its thread ends.
    static SERVER: &'static Server = Box::leak(Box::new(Server::start()));
}

/// Always the same bytes. The tag of a ticket is keyed, so no fuzzer guesses one.
struct FixedEntropy;

impl Entropy for FixedEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

impl Server {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .expect("a runtime starts");
        let ports = memory::ports_on(Arc::new(ManualClock::new()), Arc::new(FixedEntropy));
        let roles = Roles {
            consumers: 0,
            ..Roles::ALL
        };
        let keys = KeyRing::generate(&FixedEntropy);
        let mut app = App::new(ports, keys, Settings::default(), roles);
        app.http.max_body_size = MAX_BODY_SIZE;
        let Ok(running) = runtime.block_on(app.start("127.0.0.1:0")) else {
            panic!("a server in memory starts");
        };
        Self {
            address: running.address(),
            runtime,
            connection: tokio::sync::Mutex::new(None),
            _running: running,
        }
    }

    async fn post(&self, body: &[u8]) -> (u16, Value) {
        let mut connection = self.connection.lock().await;
        let stream = if let Some(stream) = connection.take() {
            stream
        } else {
            let stream = TcpStream::connect(self.address).await;
            BufReader::new(stream.expect("the server listens"))
        };
        let (stream, reply) = exchange(stream, body).await;
        *connection = stream;
        reply
    }
}

/// Sends a request; the reply, and the connection if the server keeps it open.
async fn exchange(
    mut stream: BufReader<TcpStream>,
    body: &[u8],
) -> (Option<BufReader<TcpStream>>, (u16, Value)) {
    let len = body.len();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: cast\r\ncontent-type: application/json\r\n\
         content-length: {len}\r\n\r\n"
    );
    let request = [head.as_bytes(), body].concat();
    stream.write_all(&request).await.expect("the server reads");
    let (mut status, mut len, mut stays_open) = (0, 0, true);
    loop {
        let mut line = String::new();
        stream
            .read_line(&mut line)
            .await
            .expect("the server answers");
        let line = line.trim_end().to_ascii_lowercase();
        assert!(
            status != 0 || !line.is_empty(),
            "the server closes without an answer"
        );
        if let Some(code) = line.strip_prefix("http/1.1 ") {
            status = code[..3].parse().expect("a status");
        } else if let Some(value) = line.strip_prefix("content-length: ") {
            len = value.parse().expect("a length");
        } else if line == "connection: close" {
            stays_open = false;
        } else if line.is_empty() {
            break;
        }
    }
    let mut reply = vec![0; len];
    stream.read_exact(&mut reply).await.expect("a whole body");
    let reply = serde_json::from_slice(&reply).unwrap_or(Value::Null);
    (stays_open.then_some(stream), (status, reply))
}

/// A response without what may differ between two identical requests: the engine finds errors in the order
/// of its hash tables, so they are sorted. Of a document that was not executed, they come without their
/// messages, which depend on the error found first.
pub(crate) fn comparable(mut reply: Value) -> Value {
    let was_executed = reply.get("data").is_some();
    if let Some(errors) = reply.get_mut("errors").and_then(Value::as_array_mut) {
        for error in errors.iter_mut() {
            let is_syntax = error["extensions"]["code"] == "GRAPHQL_PARSE_FAILED";
            if let (false, false, Some(error)) = (was_executed, is_syntax, error.as_object_mut()) {
                error.remove("message");
            }
        }
        errors.sort_by_key(Value::to_string);
    }
    reply
}
