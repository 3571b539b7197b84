//! `demo`: walks through tickets and votes against a server, and checks each answer.
//!
//! | file | holds |
//! |---|---|
//! | `config` | the flags |
//! | `steps` | what is shown, in its order, and what the answers must be |
//! | `guide` | requests, responses, retries |
//! | `ballot` | a ballot that is sent until its outcome is known |
//! | `output` | what is printed |
//!
//! Like [`bench`](mod@crate::commands::bench) it knows a server by its URL and the GraphQL contract alone. Its
//! candidates have names that no other run has, so that it may be run beside voters; what others
//! take from a ticket meanwhile is allowed for.

mod ballot;
mod config;
mod guide;
mod output;
mod steps;

use std::process::ExitCode;

use tokio::runtime;

pub use self::config::DemoConfig;
use self::guide::Guide;
use crate::{
    process::terminal::{fail, print},
    wiring,
};

/// Walks through it, up to the first step that does not go as it must.
pub fn run(config: &DemoConfig) -> ExitCode {
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start a thread: {error}")),
    };
    let (clock, entropy) = wiring::system();
    let mut guide = Guide::new(config, &*clock, &*entropy);
    match runtime.block_on(steps::walk(&mut guide)) {
        Ok(()) => print("Each step went as it must.\n"),
        Err(why) => fail(&guide.failure(&why)),
    }
}
