//! What is particular to one kind of server.

use std::{path::Path, process::Command};

/// How careful a server is with what it is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// As fast to start as can be. Redis forgets everything when it is killed; `PostgreSQL` would
    /// lose data if the power failed, but not if it is killed; Kafka is slow under load.
    #[default]
    Quick,
    /// As one would run it: for tests of durability, and for measuring. Redis writes each change to
    /// its append-only file, `PostgreSQL` waits for the disk, Kafka's code is fully compiled.
    Durable,
}

/// [`Redis`](super::Redis), [`Postgres`](super::Postgres), [`Kafka`](super::Kafka) or
/// [`Prometheus`](super::Prometheus).
pub trait Server: Kind {}

impl<K: Kind> Server for K {}

/// The part of [`Server`] that stays inside. What may block says so.
pub trait Kind: Clone + Send + Sync + 'static {
    /// How people call it.
    const NAME: &'static str;
    /// The signal that ends it with nothing left behind.
    const STOP_SIGNAL: &'static str;

    /// Makes `data` and whatever else it starts from, in a folder without data. May block.
    fn prepare(&self, folder: &Path);
    /// What runs it in a prepared folder.
    fn command(&self, folder: &Path) -> Command;
    /// Whether the process `pid`, and no other, answers at the address. May block for a moment.
    fn is_ready(&self, folder: &Path, pid: u32) -> bool;
    /// Makes what is expected of an empty one, once it answers. May block.
    fn furnish(&self) {}
    /// Removes all that is in it. May block.
    fn empty(&self);
}

/// A kind of server that the tests of a process may share.
pub(super) trait Sharable: Kind {
    /// The variable that names one to share.
    const URL_VARIABLE: &'static str;

    /// One at a free address, or why this machine has none.
    fn place(mode: Mode) -> Result<Self, String>;
    /// The one that a URL names.
    fn named(url: &str) -> Self;
}
