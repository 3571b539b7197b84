//! `health`: asks a process for its health, for images that hold no other program to ask with.

use std::{io::Write as _, process::ExitCode};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tokio::runtime;

use crate::{client::Connection, config::HealthConfig, process::terminal::print, wiring};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Asks, and prints the answer: with success only if the process is healthy.
pub(super) fn run(config: &HealthConfig) -> ExitCode {
    match ask(config) {
        Ok((true, text)) => print(&text),
        Ok((false, text)) => fail(&text),
        Err(error) => fail(&format!("{error}\n")),
    }
}

fn fail(text: &str) -> ExitCode {
    // Where even that cannot be written, the exit code says it.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
    ExitCode::FAILURE
}

/// Whether the answer is a success, and its text.
fn ask(config: &HealthConfig) -> Result<(bool, String), Error> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (clock, _) = wiring::system();
    let url = config
        .url()
        .ok_or("no process listens at what is no address: say --url")?;
    let request = Request::get(url.path_or("/")).body(Full::<Bytes>::default())?;
    let mut connection = Connection::new(&url, &*clock, config.timeout);
    let response = runtime.block_on(connection.send(request))?;
    let text = String::from_utf8_lossy(response.body()).into_owned();
    Ok((response.status().is_success(), text))
}
