//! `health`: asks a process how it is, for whoever has no other program to ask with: an image that
//! holds this one alone.

use std::{io::Write as _, process::ExitCode};

use bytes::Bytes;
use cast_core::deadline::in_time;
use http::{Request, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, runtime};

use crate::{
    config::{HealthConfig, HttpUrl},
    process::terminal::print,
    wiring,
};

/// The most bytes of an answer: some lines.
const MAX_ANSWER: usize = 16 * 1_024;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Asks, and says what the answer is: with success only if the process says that all is well.
pub(super) fn run(config: &HealthConfig) -> ExitCode {
    match asked(config) {
        Ok((true, text)) => print(&text),
        Ok((false, text)) => fail(&text),
        Err(error) => fail(&format!("{error}\n")),
    }
}

fn fail(text: &str) -> ExitCode {
    // Where even that cannot be said, the exit code says it.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
    ExitCode::FAILURE
}

fn asked(config: &HealthConfig) -> Result<(bool, String), Error> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (clock, _) = wiring::system();
    let url = config
        .url()
        .ok_or("no process listens at what is no address: say --url")?;
    runtime.block_on(async {
        let answer = in_time(&*clock, config.timeout, ask(&url)).await;
        answer.ok_or_else(|| format!("no answer within {:?}", config.timeout))?
    })
}

/// Whether the answer is good, and what it says.
async fn ask(url: &HttpUrl) -> Result<(bool, String), Error> {
    let stream = TcpStream::connect((&*url.host, url.port)).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends when its sender is dropped; what went wrong, the sender is told.
    tokio::spawn(connection);
    let request = Request::get(&*url.path)
        .header(header::HOST, &*url.authority)
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let is_good = response.status().is_success();
    let body = Limited::new(response.into_body(), MAX_ANSWER);
    let body = body.collect().await?.to_bytes();
    Ok((is_good, String::from_utf8_lossy(&body).into_owned()))
}
