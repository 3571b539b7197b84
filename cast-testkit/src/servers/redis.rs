//! Redis.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    Mode, Private,
    blocking::{ask, blocking, run},
    kind::{Kind, Sharable},
    places::{free_address, program},
};

/// How long a node of a cluster is silent until the others give it up: short, for a test waits for
/// it, but not so short that a busy machine looks like a dead one.
const NODE_TIMEOUT_MS: u32 = 2_000;

/// A Redis that can be reached.
#[derive(Clone, Debug)]
pub struct Redis {
    url: String,
    /// Unknown, and not needed, of one that a variable names.
    own: Option<Own>,
}

#[derive(Clone, Debug)]
struct Own {
    program: PathBuf,
    address: SocketAddr,
    mode: Mode,
    /// The port at which the nodes of its cluster talk to it, if it is to be in one.
    bus_port: Option<u16>,
}

impl Redis {
    /// Starts one for this test alone; `None` if this machine has none.
    pub async fn start() -> Option<Private<Self>> {
        Self::start_as(Mode::Quick).await
    }

    /// Starts one for this test alone, as careful as that; `None` if this machine has none.
    pub async fn start_as(mode: Mode) -> Option<Private<Self>> {
        Private::start(|| Self::place(mode)).await
    }

    /// One at a free address that is to be a node of a cluster, or why this machine has none.
    pub(super) fn place_node() -> Result<Self, String> {
        let mut node = Self::place(Mode::Quick)?;
        if let Some(own) = &mut node.own {
            own.bus_port = Some(free_address().port());
        }
        Ok(node)
    }

    /// Where it listens, and the port at which other nodes talk to it.
    pub(super) fn node_address(&self) -> (SocketAddr, u16) {
        let own = self.own();
        (own.address, own.bus_port.expect("a node of a cluster"))
    }

    /// `redis://127.0.0.1:PORT/0`, or what `CAST_TEST_REDIS_URL` says.
    ///
    /// Keys begin with a [`random_name`](super::random_name): others use this database, too.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What `redis-cli` says to a command, as in `redis.cli(["DEL", &key])`.
    ///
    /// # Panics
    ///
    /// When Redis does not answer, or refuses the command.
    pub async fn cli<A: Into<String>>(&self, command: impl IntoIterator<Item = A>) -> String {
        let command = self.cli_command(command);
        blocking(move || run(command)).await
    }

    fn cli_command<A: Into<String>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new("redis-cli");
        // -e: an error reply is an exit code, too.
        command.args(["-e", "-u", &self.url]);
        command.args(arguments.into_iter().map(Into::into));
        command
    }

    fn own(&self) -> &Own {
        self.own.as_ref().expect("only servers of our own are run")
    }
}

impl Sharable for Redis {
    const URL_VARIABLE: &'static str = "CAST_TEST_REDIS_URL";

    fn place(mode: Mode) -> Result<Self, String> {
        let program = program("redis-server").ok_or("redis-server is not on the PATH")?;
        let address = free_address();
        Ok(Self {
            url: format!("redis://{address}/0"),
            own: Some(Own {
                program,
                address,
                mode,
                bus_port: None,
            }),
        })
    }

    fn named(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            own: None,
        }
    }
}

impl Kind for Redis {
    const NAME: &'static str = "Redis";
    /// What is in memory is thrown away, so there is nothing to clean up.
    const STOP_SIGNAL: &'static str = "KILL";

    fn prepare(&self, folder: &Path) {
        fs::create_dir(folder.join("data")).expect("the folder is ours");
    }

    fn command(&self, folder: &Path) -> Command {
        let Own {
            program,
            address,
            mode,
            bus_port,
        } = self.own();
        let mut command = Command::new(program);
        command.args(["--bind", &address.ip().to_string()]);
        command.args(["--port", &address.port().to_string()]);
        command.arg("--dir").arg(folder.join("data"));
        // Snapshots would keep what the append-only file is there, or not there, to keep.
        command.args(["--save", ""]);
        match mode {
            Mode::Quick => command.args(["--appendonly", "no"]),
            Mode::Durable => command.args(["--appendonly", "yes", "--appendfsync", "always"]),
        };
        if let Some(bus_port) = bus_port {
            command.args(["--cluster-enabled", "yes"]);
            command.args(["--cluster-port", &bus_port.to_string()]);
            command.args(["--cluster-node-timeout", &NODE_TIMEOUT_MS.to_string()]);
            // A node that has all of its own slots serves them, whatever the state of the others.
            command.args(["--cluster-require-full-coverage", "no"]);
        }
        command
    }

    fn is_ready(&self, _folder: &Path, pid: u32) -> bool {
        // One that still reads its data from disk tells of itself, and answers nothing else.
        let answer = ask(&self.own().address, "INFO server\r\nPING\r\nQUIT\r\n");
        answer.is_ok_and(|answer| {
            answer.contains(&format!("\nprocess_id:{pid}\r\n")) && answer.contains("+PONG\r\n")
        })
    }

    fn empty(&self) {
        run(self.cli_command(["FLUSHALL", "SYNC"]));
    }
}
