//! What the tests of the program share: the program in a process of its own, and a client of it.

mod client;
pub(crate) mod process;

use std::time::Duration;

pub(crate) use self::{
    client::{Client, Reply, VOTE},
    process::{Process, program, run, run_within},
};

/// Longer than anything here takes on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(20);
