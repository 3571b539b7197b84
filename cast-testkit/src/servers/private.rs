//! A server of one's own, and one to share.

use std::{
    fmt,
    ops::Deref,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::sync::OnceCell;

use super::{
    blocking::blocking,
    instance::Instance,
    kind::{Mode, Server, Sharable},
    missing::no_server,
    places::random_name,
    process,
};
use crate::eventually;

/// How long a server may take until it answers, also on a machine that compiles beside it.
const START_DEADLINE: Duration = Duration::from_secs(90);

/// How many addresses are tried before a server that ends at once is given up.
const ATTEMPTS: usize = 4;

/// A server that is the test's alone, and gone when this is dropped (which waits for it).
///
/// It keeps its address for life: a client of it can be left to find its way back.
#[derive(Debug)]
pub struct Private<S: Server> {
    server: S,
    instance: Instance,
}

impl<S: Server> Private<S> {
    /// Starts one at a place that `place` finds; `None` if that finds no server on this machine.
    pub(super) async fn start(place: impl Fn() -> Result<S, String>) -> Option<Self> {
        let mut said = String::new();
        for _ in 0..ATTEMPTS {
            let server = place().map_err(|why| no_server(S::NAME, &why)).ok()?;
            let instance = Instance::new(S::NAME, S::STOP_SIGNAL);
            let mut started = Self { server, instance };
            match started.launch_prepared().await {
                Ok(()) => return Some(started),
                // Most likely another process took its port.
                Err(log) => said = log,
            }
        }
        panic!("{} does not start:\n{said}", S::NAME);
    }

    /// Kills it and all its children (SIGKILL): nothing is flushed, no client is notified. Nothing
    /// happens if it does not run.
    pub async fn kill(&mut self) {
        self.instance.kill().await;
    }

    /// Stops it and all its children (SIGSTOP): connections stay open, the system even accepts new
    /// ones, and get no answer.
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub async fn freeze(&mut self) {
        process::freeze(self.running()).await;
    }

    /// Lets a frozen server go on, and waits until it answers.
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub async fn thaw(&mut self) {
        process::thaw(self.running());
        let answered = self.answers().await;
        answered.unwrap_or_else(|log| panic!("{} ended as it was thawed:\n{log}", S::NAME));
    }

    /// Kills it if it runs, and starts it again with what it kept: its [`Mode`] decides what.
    pub async fn restart(&mut self) {
        self.kill().await;
        let started = self.launch().await;
        started.unwrap_or_else(|log| panic!("{} does not start again:\n{log}", S::NAME));
    }

    /// Kills it if it runs, and starts it again without any data, as on a new disk.
    pub async fn restart_empty(&mut self) {
        self.kill().await;
        // Removed only at the end: a killed server's data may say what the guard must remove besides.
        let (data, old) = (
            self.folder().join("data"),
            self.folder().join(random_name()),
        );
        std::fs::rename(data, old).expect("the folder is ours");
        let started = self.launch_prepared().await;
        started.unwrap_or_else(|log| panic!("{} does not start again:\n{log}", S::NAME));
    }

    /// Removes all that is in it, while it runs.
    pub async fn empty(&mut self) {
        self.with_server(|server, _| server.empty()).await;
    }

    /// Its process id; `None` after a [`kill`](Self::kill), or if it ended by itself.
    pub fn pid(&mut self) -> Option<u32> {
        self.instance.pid()
    }

    /// Where its data, its settings and its log are.
    pub fn folder(&self) -> &Path {
        self.instance.folder()
    }

    /// What it said so far.
    pub fn log(&self) -> String {
        Log(self.instance.log_path()).to_string()
    }

    fn running(&mut self) -> u32 {
        let pid = self.pid();
        pid.unwrap_or_else(|| panic!("{} does not run:\n{}", S::NAME, self.log()))
    }

    /// Launches it in a folder without data. The error is what it said before it ended.
    async fn launch_prepared(&mut self) -> Result<(), String> {
        self.with_server(S::prepare).await;
        self.launch().await?;
        self.with_server(|server, _| server.furnish()).await;
        Ok(())
    }

    async fn launch(&mut self) -> Result<(), String> {
        let command = self.server.command(self.folder());
        self.instance.launch(command);
        self.answers().await
    }

    /// Waits until it answers, or ended; the error is what it said.
    async fn answers(&mut self) -> Result<(), String> {
        let log = Log(self.instance.log_path());
        let Self { server, instance } = self;
        let answered = eventually(START_DEADLINE, &log, || {
            let pid = instance.pid();
            let (server, folder) = (server.clone(), instance.folder().to_owned());
            async move {
                let Some(pid) = pid else {
                    return Some(false);
                };
                let ready = blocking(move || server.is_ready(&folder, pid)).await;
                ready.then_some(true)
            }
        });
        if answered.await {
            Ok(())
        } else {
            Err(log.to_string())
        }
    }

    async fn with_server(&self, act: impl FnOnce(&S, &Path) + Send + 'static) {
        let (server, folder) = (self.server.clone(), self.folder().to_owned());
        blocking(move || act(&server, &folder)).await;
    }
}

impl<S: Server> Deref for Private<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.server
    }
}

/// What a server said, read when it is shown: for instance, when its start was waited for in vain.
struct Log(PathBuf);

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&std::fs::read_to_string(&self.0).unwrap_or_default())
    }
}

/// A server for all tests of a process.
#[derive(Debug)]
pub(super) enum Shared<S: Sharable> {
    /// By a variable; it was there before, and stays.
    Named(S),
    /// Never dropped, for it is kept in a static; its guard ends it with the process.
    Ours(Private<S>),
}

impl<S: Sharable> Shared<S> {
    /// The shared server that is kept in `cell`, which is started by the first who asks.
    pub(super) async fn get(cell: &'static OnceCell<Option<Self>>) -> Option<&'static S> {
        let shared = cell.get_or_init(async || {
            if let Ok(url) = std::env::var(S::URL_VARIABLE) {
                return Some(Self::Named(S::named(&url)));
            }
            // Asked here, and not by `start`, for each test that is skipped to say so.
            S::place(Mode::Quick).ok()?;
            Private::start(|| S::place(Mode::Quick))
                .await
                .map(Self::Ours)
        });
        match shared.await {
            Some(Self::Named(server)) => Some(server),
            Some(Self::Ours(private)) => Some(private),
            None => {
                let why = S::place(Mode::Quick).err();
                no_server(
                    S::NAME,
                    &why.unwrap_or_else(|| "it came too late".to_owned()),
                );
                None
            }
        }
    }
}
