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
    blocking::{blocking, run},
    kind::Kind,
    places::{free_address, program},
    random_name,
    url::with_path,
};

/// The database that [`Postgres::url`] names.
const DATABASE: &str = "cast";

/// A `PostgreSQL` that can be reached.
#[derive(Clone, Debug)]
pub struct Postgres {
    url: String,
    psql: PathBuf,
    /// Unknown, and not needed, of one that a variable names.
    own: Option<Own>,
}

#[derive(Clone, Debug)]
struct Own {
    programs: PathBuf,
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

    /// A new database without anything in it, dropped with what is returned.
    pub async fn create_database(&self) -> Database {
        let name = random_name();
        let create = self.psql(&self.url, &format!("CREATE DATABASE {name}"));
        blocking(move || run(create)).await;
        Database {
            url: with_path(&self.url, &name),
            name,
            server: self.clone(),
        }
    }

    fn psql(&self, url: &str, sql: &str) -> Command {
        let mut command = Command::new(&self.psql);
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
        command.args(["-d", url, "-c", sql]);
        // The least that psql knows: a frozen server must not hold up a test that is over.
        command.env("PGCONNECT_TIMEOUT", "2");
        command
    }

    fn own(&self) -> &Own {
        self.own.as_ref().expect("only servers of our own are run")
    }
}

/// A database for one test; dropping it closes the connections that are left to it.
#[derive(Debug)]
pub struct Database {
    name: String,
    url: String,
    server: Postgres,
}

impl Database {
    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What `psql` says to it: a line a row, with `|` between the columns.
    ///
    /// # Panics
    ///
    /// When the statement fails.
    pub async fn sql(&self, statement: &str) -> String {
        let command = self.server.psql(&self.url, statement);
        blocking(move || run(command)).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // The server may be gone, and the database with it.
        let _ = self.server.psql(&self.server.url, &drop).output();
    }
}

impl Kind for Postgres {
    const NAME: &'static str = "PostgreSQL";
    /// An immediate shutdown. One that is killed leaves shared memory behind.
    const STOP_SIGNAL: &'static str = "QUIT";
    const URL_VARIABLE: &'static str = "CAST_TEST_POSTGRES_URL";

    fn place(mode: Mode) -> Result<Self, String> {
        let initdb = postgres_program("initdb").ok_or("initdb is not there")?;
        let programs = initdb.parent().expect("it is in a folder").to_owned();
        let root = rustix::process::geteuid().is_root();
        let user = if root { Some(postgres_user()?) } else { None };
        let address = free_address();
        Ok(Self {
            url: format!("postgres://cast@{address}/{DATABASE}"),
            psql: programs.join("psql"),
            own: Some(Own {
                programs,
                user,
                address,
                mode,
            }),
        })
    }

    fn named(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            psql: postgres_program("psql").unwrap_or_else(|| "psql".into()),
            own: None,
        }
    }

    fn prepare(&self, folder: &Path) {
        let own = self.own();
        if let Some(User { id, group }) = own.user {
            chown(folder, Some(id), Some(group)).expect("root may give a folder away");
        }
        let mut initdb = own.command("initdb", folder);
        // A collation that is the same on every machine, and no password: only this machine can
        // reach it, and there is nothing to steal.
        initdb.args(["--username=cast", "--auth=trust", "--encoding=UTF8"]);
        initdb.args(["--locale=C", "--no-sync", "--no-instructions"]);
        run(initdb);
    }

    fn command(&self, folder: &Path) -> Command {
        let own = self.own();
        let mut command = own.command("postgres", folder);
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
        run(self.psql(&maintenance, &format!("CREATE DATABASE \"{DATABASE}\"")));
    }

    fn empty(&self) {
        let maintenance = with_path(&self.url, "postgres");
        let list =
            "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'";
        for database in run(self.psql(&maintenance, list)).lines() {
            run(self.psql(
                &maintenance,
                &format!("DROP DATABASE \"{database}\" WITH (FORCE)"),
            ));
        }
        self.furnish();
    }
}

impl Own {
    fn command(&self, program: &str, folder: &Path) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command
            .arg("-D")
            .arg(folder.join("data"))
            .current_dir(folder);
        if let Some(User { id, group }) = self.user {
            command.uid(id).gid(group);
        }
        command
    }
}

/// The newest of Debian's, which are not on the `PATH`, or else the one that is.
fn postgres_program(name: &str) -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok();
    let newest = versions
        .into_iter()
        .flatten()
        .filter_map(|version| version.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|version| {
            let path = PathBuf::from(format!("/usr/lib/postgresql/{version}/bin/{name}"));
            path.is_file().then_some((version, path))
        })
        .max();
    newest.map(|(_, path)| path).or_else(|| program(name))
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
