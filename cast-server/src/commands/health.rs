//! `health`: the health check of an image that holds no other program to make it with.

use std::process::ExitCode;

use bytes::Bytes;
use cast_core::deadline::in_time;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, runtime};

use crate::{
    config::HealthConfig,
    process::terminal::{fail, print},
    protocol::HttpUrl,
    wiring,
};

/// The most bytes of an answer: some lines.
const MAX_ANSWER: usize = 16 * 1_024;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Asks the process, and prints its answer: with success only if it is ready.
pub(super) fn run(config: &HealthConfig) -> ExitCode {
    let url = match config.url() {
        Ok(url) => url,
        Err(why) => return fail(&format!("--listen: {why}")),
    };
    match answer(config, &url) {
        Ok((status, text)) if status.is_success() => print(&text),
        Ok((_, text)) => fail(&format!("{url}: {text}")),
        Err(error) => fail(&format!("{url}: {error}")),
    }
}

fn answer(config: &HealthConfig, url: &HttpUrl) -> Result<(StatusCode, String), Error> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (clock, _) = wiring::system();
    runtime.block_on(async {
        let answer = in_time(&*clock, config.timeout, ask(url)).await;
        answer.ok_or_else(|| format!("no answer within {:?} (--timeout)", config.timeout))?
    })
}

async fn ask(url: &HttpUrl) -> Result<(StatusCode, String), Error> {
    let stream = TcpStream::connect((&*url.host, url.port)).await;
    let stream = stream.map_err(|error| format!("no process listens there: {error}"))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends when its sender is dropped; its errors reach the sender too.
    tokio::spawn(connection);
    let request = Request::get(&*url.path)
        .header(header::HOST, &*url.authority)
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_ANSWER);
    let body = body.collect().await?.to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}
