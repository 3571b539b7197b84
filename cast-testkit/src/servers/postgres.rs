//! `PostgreSQL`.

use std::{
    fs,
    net::SocketAddr,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    Mode, Private,
    blocking::run,
    kind::{Kind, Sharable},
    places::{free_address, program},
    url::with_path,
};

/// The database that [`Postgres::url`] names.
const DATABASE: &str = "cast";

/// A `PostgreSQL` that can be reached.
#[derive(Clone, Debug)]
pub struct Postgres {
    url: String,
    /// The folder of its programs; empty if they are wherever the `PATH` says.
    programs: PathBuf,
    /// Unknown, and not needed, of one that a variable names.
    own: Option<Own>,
}

#[derive(Clone, Debug)]
struct Own {
    user: Option<User>,
    address: SocketAddr,
    mode: Mode,
}

/// Whom `PostgreSQL` runs as where the test runs as root, which it refuses to.
#[derive(Clone, Copy, Debug)]
struct User {
    id: u32,
    group: u32,
}

impl Postgres {
    /// Starts one for this test alone; `None` if this machine has none.
    pub async fn start() -> Option<Private<Self>> {
        Self::start_as(Mode::Quick).await
    }

    /// Starts one for this test alone, as careful as that; `None` if this machine has none.
    pub async fn start_as(mode: Mode) -> Option<Private<Self>> {
        Private::start(|| Self::place(mode)).await
    }

    /// `postgres://cast@127.0.0.1:PORT/cast`, or what `CAST_TEST_POSTGRES_URL` says. The user may
    /// do everything.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `psql`, to run one statement.
    pub(super) fn psql_command(&self, url: &str, statement: &str) -> Command {
        let mut psql = self.program("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
        psql.args(["-d", url, "-c", statement]);
        psql
    }

    /// One of `PostgreSQL`'s client programs.
    pub(super) fn program(&self, name: &str) -> Command {
        Command::new(self.programs.join(name))
    }

    /// A program that works on the data in a folder, as a user that may.
    fn server_command(&self, name: &str, folder: &Path) -> Command {
        let mut command = self.program(name);
        command
            .arg("-D")
            .arg(folder.join("data"))
            .current_dir(folder);
        if let Some(User { id, group }) = self.own().user {
            command.uid(id).gid(group);
        }
        command
    }

    fn own(&self) -> &Own {
        self.own.as_ref().expect("only servers of our own are run")
    }
}

impl Sharable for Postgres {
    const URL_VARIABLE: &'static str = "CAST_TEST_POSTGRES_URL";

    fn place(mode: Mode) -> Result<Self, String> {
        let programs = programs_with("initdb").ok_or("initdb is not there")?;
        let root = rustix::process::geteuid().is_root();
        let user = if root { Some(postgres_user()?) } else { None };
        let address = free_address();
        Ok(Self {
            url: format!("postgres://cast@{address}/{DATABASE}"),
            programs,
            own: Some(Own {
                user,
                address,
                mode,
            }),
        })
    }

    fn named(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            programs: programs_with("psql").unwrap_or_default(),
            own: None,
        }
    }
}

impl Kind for Postgres {
    const NAME: &'static str = "PostgreSQL";
    /// An immediate shutdown. One that is killed leaves shared memory behind.
    const STOP_SIGNAL: &'static str = "QUIT";

    fn prepare(&self, folder: &Path) {
        let own = self.own();
        if let Some(User { id, group }) = own.user {
            chown(folder, Some(id), Some(group)).expect("root may give a folder away");
        }
        let mut initdb = self.server_command("initdb", folder);
        // A collation that is the same on every machine, and no password: only this machine can
        // reach it, and there is nothing to steal.
        initdb.args(["--username=cast", "--auth=trust", "--encoding=UTF8"]);
        initdb.args(["--locale=C", "--no-sync", "--no-instructions"]);
        run(initdb);
    }

    fn command(&self, folder: &Path) -> Command {
        let own = self.own();
        let mut command = self.server_command("postgres", folder);
        let mut set = |setting: &str| {
            command.args(["-c", setting]);
        };
        set(&format!("listen_addresses={}", own.address.ip()));
        set(&format!("port={}", own.address.port()));
        set("unix_socket_directories=");
        set("max_connections=200");
        // In the folder, to be removed with it.
        set("dynamic_shared_memory_type=mmap");
        if own.mode == Mode::Quick {
            // Safe if the server is killed; only the system itself must not be.
            set("fsync=off");
            set("full_page_writes=off");
        }
        command
    }

    fn is_ready(&self, folder: &Path, pid: u32) -> bool {
        // As pg_ctl looks: the first line is the process, the last one its state.
        let lines = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
        let ours = lines.lines().next() == Some(&pid.to_string());
        ours && lines
            .lines()
            .nth(7)
            .is_some_and(|state| state.trim() == "ready")
    }

    fn furnish(&self) {
        let maintenance = with_path(&self.url, "postgres");
        run(self.psql_command(&maintenance, &format!("CREATE DATABASE \"{DATABASE}\"")));
    }

    fn empty(&self) {
        let maintenance = with_path(&self.url, "postgres");
        let list =
            "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'";
        for database in run(self.psql_command(&maintenance, list)).lines() {
            run(self.psql_command(
                &maintenance,
                &format!("DROP DATABASE \"{database}\" WITH (FORCE)"),
            ));
        }
        self.furnish();
    }
}

/// The folder of the newest of Debian's, which are not on the `PATH`, or else of those that are.
fn programs_with(name: &str) -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok();
    let newest = versions
        .into_iter()
        .flatten()
        .filter_map(|version| version.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .map(|version| {
            (
                version,
                PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")),
            )
        })
        .filter(|(_, folder)| folder.join(name).is_file())
        .max();
    newest
        .map(|(_, folder)| folder)
        .or_else(|| Some(program(name)?.parent()?.to_owned()))
}

fn postgres_user() -> Result<User, String> {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    users
        .lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            let (name, _, id, group) = (
                fields.next()?,
                fields.next()?,
                fields.next()?,
                fields.next()?,
            );
            (name == "postgres").then_some(User {
                id: id.parse().ok()?,
                group: group.parse().ok()?,
            })
        })
        .ok_or_else(|| "it refuses to run as root, and there is no user postgres".to_owned())
}
