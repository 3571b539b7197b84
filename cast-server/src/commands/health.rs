//! `health`: the health check of an image that holds no other program to make it with.

use std::process::ExitCode;

use bytes::Bytes;
use cast_core::deadline::in_time;
use http::{Request, Response};
use http_body_util::Full;
use tokio::runtime;

use crate::{
    client::{Connection, RequestError},
    config::HealthConfig,
    process::terminal::{fail, print},
    protocol::HttpUrl,
    wiring,
};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Asks the process, and prints its answer: with success only if its status is one.
pub(super) fn run(config: &HealthConfig) -> ExitCode {
    let url = match config.url() {
        Ok(url) => url,
        Err(why) => return fail(&format!("--listen: {why}")),
    };
    let (place, path) = (&url.authority, url.path_or(config.default_path()));
    match ask(config, &url, path) {
        Ok(response) => {
            let text = String::from_utf8_lossy(response.body());
            if response.status().is_success() {
                print(&text)
            } else {
                fail(&format!("http://{place}{path}: {}", text.trim_end()))
            }
        }
        Err(error) => fail(&format!("http://{place}{path}: {error}")),
    }
}

fn ask(config: &HealthConfig, url: &HttpUrl, path: &str) -> Result<Response<Bytes>, Error> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (clock, _) = wiring::system();
    let request = Request::get(path).body(Full::<Bytes>::default())?;
    let timeout = config.timeout;
    let mut connection = Connection::new(url, &*clock, timeout);
    // The connection allows its time-out twice: to connect, and for the exchange.
    let response = runtime.block_on(in_time(&*clock, timeout, connection.send(request)));
    Ok(response.unwrap_or(Err(RequestError::TimedOut(timeout)))?)
}
