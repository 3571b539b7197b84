//! Closed-loop load over plain HTTP/1.1: each connection sends the next request when it has its
//! answer. Written out by hand, so that the client costs as little as it can beside the server.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::Instant,
};

/// What a run of load saw.
pub(crate) struct Measured {
    pub(crate) answers: usize,
    /// Answers that did not contain what they should.
    pub(crate) wrong: usize,
    pub(crate) elapsed: Duration,
    /// Sorted, in microseconds.
    latencies_us: Vec<u32>,
}

impl Measured {
    pub(crate) fn per_second(&self) -> f64 {
        self.answers as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that `share` of the answers stayed below, in milliseconds.
    pub(crate) fn percentile_ms(&self, share: f64) -> f64 {
        let at = (self.latencies_us.len() as f64 * share) as usize;
        self.latencies_us
            .get(at)
            .map_or(f64::NAN, |us| f64::from(*us) / 1_000.0)
    }
}

/// Drives `address` with `connections` connections for `duration`; the bodies are sent in turn, and
/// a right answer contains `expected`.
pub(crate) async fn drive(
    address: &str,
    bodies: &[String],
    connections: usize,
    duration: Duration,
    expected: &'static str,
) -> Measured {
    let started = Instant::now();
    let mut running = JoinSet::new();
    for first in 0..connections {
        let requests: Vec<_> = (0..bodies.len())
            .map(|n| request(&bodies[(first + n) % bodies.len()]))
            .collect();
        let address = address.to_owned();
        running.spawn(async move {
            let stream = TcpStream::connect(address)
                .await
                .expect("the server listens");
            stream.set_nodelay(true).expect("a socket option");
            one_connection(stream, &requests, started + duration, expected).await
        });
    }
    let (mut wrong, mut latencies_us) = (0, Vec::new());
    while let Some(result) = running.join_next().await {
        let (its_wrong, its_latencies) = result.expect("a connection's task");
        wrong += its_wrong;
        latencies_us.extend(its_latencies);
    }
    let elapsed = started.elapsed();
    latencies_us.sort_unstable();
    Measured {
        answers: latencies_us.len(),
        wrong,
        elapsed,
        latencies_us,
    }
}

async fn one_connection(
    mut stream: TcpStream,
    requests: &[String],
    end: Instant,
    expected: &str,
) -> (usize, Vec<u32>) {
    let (mut wrong, mut latencies_us, mut buffer) = (0, Vec::new(), Vec::new());
    for request in requests.iter().cycle() {
        let sent = Instant::now();
        if sent >= end {
            break;
        }
        stream
            .write_all(request.as_bytes())
            .await
            .expect("the server reads");
        buffer.clear();
        let (from, to) = read_answer(&mut stream, &mut buffer).await;
        latencies_us.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
        let body = &buffer[from..to];
        if !body
            .windows(expected.len())
            .any(|window| window == expected.as_bytes())
        {
            wrong += 1;
            if wrong == 1 {
                let body = String::from_utf8_lossy(body);
                println!("unexpected answer: {body}");
            }
        }
    }
    (wrong, latencies_us)
}

/// Reads one answer into `buffer`; returns where its body begins and ends.
async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> (usize, usize) {
    loop {
        if let Some((from, to)) = body_range(buffer)
            && buffer.len() >= to
        {
            return (from, to);
        }
        let read = stream.read_buf(buffer).await.expect("the server answers");
        assert!(
            read > 0,
            "the server closed the connection after {buffer:?}"
        );
    }
}

/// Where the body is, once the head is complete.
fn body_range(buffer: &[u8]) -> Option<(usize, usize)> {
    let head_end = buffer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&buffer[..head_end]).expect("a head is text");
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    let from = head_end + 4;
    Some((from, from + length.expect("answers come with their length")))
}

fn request(body: &str) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}
