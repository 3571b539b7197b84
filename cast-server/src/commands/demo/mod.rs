//! `demo`: walks through what the first CAST's script showed, and what is ours, against a server.
//!
//! | file | holds |
//! |---|---|
//! | `config` | the flags |
//! | `steps` | what is shown, in its order, and what the answers must be |
//! | `guide` | what is said of it: requests, answers, checks |
//! | `ballot` | a ballot that is sent until its fate is told |
//!
//! Like [`bench`](mod@crate::commands::bench) it knows a server by its URL and the GraphQL contract alone. Its
//! candidates have names that no other run has, so that it may be run beside voters; what others
//! take from a ticket meanwhile is allowed for.

mod ballot;
mod config;
mod guide;
mod steps;

use std::process::ExitCode;

use cast_core::ports::Entropy;
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
        Err(error) => return fail(&format!("starting a thread: {error}")),
    };
    let (clock, entropy) = wiring::system();
    let names = Names::random(&*entropy);
    let mut guide = Guide::new(config, &*clock, &*entropy);
    match runtime.block_on(steps::walk(&mut guide, &names)) {
        Ok(()) => print("Each step went as it must.\n"),
        Err(why) => fail(&guide.failure(&why)),
    }
}

/// Names that no other run has.
struct Names {
    suffix: String,
}

impl Names {
    fn random(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 8];
        entropy.fill(&mut bytes);
        let suffix = format!("{:016x}", u64::from_le_bytes(bytes));
        Self { suffix }
    }

    fn of(&self, who: &str) -> String {
        format!("{who}-{}", self.suffix)
    }
}
