//! One file of SQLite: how it is opened, and how it is known to be the right one.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use diesel::{
    Connection as _, QueryResult, RunQueryDsl as _, SqliteConnection,
    connection::SimpleConnection as _,
    dsl::sql,
    migration::{Migration, MigrationSource},
    sql_types::{BigInt, Integer, Text},
    sqlite::Sqlite,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _};

use super::{
    error::{self, Error},
    folder::Folder,
};

/// What a file is for.
pub(super) struct Purpose {
    /// The file's name in the folder.
    pub(super) name: &'static str,
    /// Tells the file from any other database; its four bytes are letters.
    pub(super) application_id: i32,
    /// `FULL`: what was committed survives a power cut. `NORMAL`: the end may be lost, and the file
    /// stays consistent.
    pub(super) synchronous: &'static str,
    /// The bytes of a page.
    pub(super) page_bytes: u32,
    /// The pages in the WAL from which on a commit moves them into the file.
    pub(super) checkpoint_pages: u32,
    /// The most memory for pages, of each connection.
    pub(super) cache_kib: u32,
    pub(super) migrations: EmbeddedMigrations,
}

/// A file, and what it is for.
#[derive(Clone)]
pub(super) struct File {
    pub(super) folder: Arc<Folder>,
    pub(super) purpose: &'static Purpose,
    /// Whether a missing file is an error, and not a new one.
    pub(super) must_exist: bool,
}

impl File {
    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join(self.purpose.name)
    }

    /// Opens the file to write it: creates it, where that is allowed, and runs the pending migrations.
    pub(super) fn open_to_write(&self) -> Result<SqliteConnection, Error> {
        self.opened_to_write()
            .map_err(|error| self.explained_at_start(error))
    }

    fn opened_to_write(&self) -> Result<SqliteConnection, Error> {
        if self.must_exist {
            check_content(&self.path())?;
        }
        let mut connection = self.connect()?;
        let Purpose {
            application_id,
            synchronous,
            page_bytes,
            checkpoint_pages,
            ..
        } = self.purpose;
        let is_new = !self.must_exist && is_blank(&mut connection)?;
        if is_new {
            connection.batch_execute(&format!(
                "PRAGMA page_size = {page_bytes}; PRAGMA application_id = {application_id}"
            ))?;
        }
        self.check_purpose(&mut connection)?;
        let mode: String = sql::<Text>("PRAGMA journal_mode = WAL").get_result(&mut connection)?;
        if mode != "wal" {
            return Err(Error::Refused(format!(
                "the file system of {} has no shared memory, which SQLite's WAL needs: keep the \
                 folder on a disk of this machine",
                self.path().display()
            )));
        }
        connection.batch_execute(&format!(
            "PRAGMA synchronous = {synchronous}; PRAGMA wal_autocheckpoint = {checkpoint_pages}; \
             PRAGMA journal_size_limit = 67108864"
        ))?;
        self.migrate(&mut connection)?;
        if is_new {
            sync_folder(self.folder.path())?;
        }
        Ok(connection)
    }

    /// Opens the file to read it.
    pub(super) fn open_to_read(&self) -> Result<SqliteConnection, Error> {
        // SQLite would make one.
        check_content(&self.path())?;
        let mut connection = self.connect()?;
        self.check_purpose(&mut connection)?;
        connection.batch_execute("PRAGMA query_only = ON")?;
        Ok(connection)
    }

    fn connect(&self) -> Result<SqliteConnection, Error> {
        let mut connection = connect(&self.path(), self.folder.vfs())?;
        connection.batch_execute(&format!("PRAGMA cache_size = -{}", self.purpose.cache_kib))?;
        Ok(connection)
    }

    /// Refuses a file that is not a database, or is another one.
    fn check_purpose(&self, connection: &mut SqliteConnection) -> Result<(), Error> {
        let id: QueryResult<i32> = sql::<Integer>("PRAGMA application_id").get_result(connection);
        let path = self.path();
        let path = path.display();
        match id {
            Ok(id) if id == self.purpose.application_id => Ok(()),
            Ok(_) => Err(Error::Refused(format!(
                "{path} is a database of another program: move it away"
            ))),
            Err(error) => Err(error.into()),
        }
    }

    /// Moves the WAL into the file, and syncs both. Returns whether all of it was moved: not, while others
    /// use the file for longer than a moment. It blocks.
    pub(super) fn sync(&self) -> Result<bool, Error> {
        check_content(&self.path())?;
        let mut connection = self.connect()?;
        let (busy, frames, moved): (i32, i32, i32) =
            sql::<(Integer, Integer, Integer)>("PRAGMA wal_checkpoint(FULL)")
                .get_result(&mut connection)?;
        Ok(busy == 0 && frames == moved)
    }

    /// Runs the pending migrations; refuses a file of a newer version.
    fn migrate(&self, connection: &mut SqliteConnection) -> Result<(), Error> {
        let failed = |source| Error::Migration {
            path: self.path(),
            source,
        };
        let applied = connection.applied_migrations().map_err(failed)?;
        let known = MigrationSource::<Sqlite>::migrations(&self.purpose.migrations);
        let known = known.map_err(failed)?;
        let versions: Vec<_> = known.iter().map(|one| one.name().version()).collect();
        if let Some(newer) = applied.iter().find(|one| !versions.contains(one)) {
            return Err(Error::Refused(format!(
                "{} is of a newer version (migration {newer}): use the program that wrote it, or a \
                 newer one",
                self.path().display()
            )));
        }
        let pending = known
            .iter()
            .filter(|one| !applied.contains(&one.name().version()));
        for migration in pending {
            connection.run_migration(&**migration).map_err(failed)?;
        }
        Ok(())
    }

    /// The error, with what to do about it where the file is not open yet.
    pub(super) fn explained_at_start(&self, error: Error) -> Error {
        match self.explained(error) {
            Error::Statement(error) => Error::Refused(format!(
                "{} cannot be opened ({error}): make sure that its disk works and has room, and run \
                 `cast-server check`",
                self.path().display()
            )),
            error => error,
        }
    }

    /// The error, with what to do about it if the file is damaged.
    pub(super) fn explained(&self, error: Error) -> Error {
        let what = match error {
            Error::Statement(error) if error::is_damage(&error) => error.to_string(),
            Error::Row(what) => what,
            error => return error,
        };
        Error::Damaged(format!(
            "{} is damaged ({what}): stop the server and run `cast-server check`",
            self.path().display()
        ))
    }
}

/// Whether a file is empty, or was begun by a process that ended before it had made anything in it.
fn is_blank(connection: &mut SqliteConnection) -> Result<bool, Error> {
    let id: i32 = sql::<Integer>("PRAGMA application_id").get_result(connection)?;
    let tables = sql::<BigInt>("SELECT count(*) FROM sqlite_schema");
    let tables: i64 = tables.get_result(connection)?;
    Ok(id == 0 && tables == 0)
}

/// A connection to a file that must be there. What is not there, SQLite would make.
pub(super) fn connect_to(path: &Path) -> Result<SqliteConnection, Error> {
    check_content(path)?;
    connect(path, None)
}

fn connect(path: &Path, vfs: Option<&str>) -> Result<SqliteConnection, Error> {
    let url = url(path, vfs)?;
    let mut connection = SqliteConnection::establish(&url).map_err(|error| {
        Error::Refused(format!(
            "{} cannot be opened ({error}): check who may read and write it, and its folder",
            path.display()
        ))
    })?;
    connection.batch_execute(
        "PRAGMA busy_timeout = 2000; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; \
         PRAGMA cell_size_check = ON",
    )?;
    Ok(connection)
}

/// The path, or a URI where a VFS is to be named.
fn url(path: &Path, vfs: Option<&str>) -> Result<String, Error> {
    let whole = std::path::absolute(path).ok();
    let whole = whole.and_then(|path| path.to_str().map(str::to_owned));
    let whole = whole.ok_or_else(|| {
        Error::Refused(format!(
            "{} is not a path in UTF-8, which SQLite needs: take another folder",
            path.display()
        ))
    })?;
    let Some(vfs) = vfs else {
        // Absolute, so that no path is taken for a URI.
        return Ok(whole);
    };
    let escaped = whole.replace('%', "%25").replace('?', "%3f");
    let escaped = escaped.replace('#', "%23");
    Ok(format!("file:{escaped}?vfs={vfs}"))
}

fn check_content(path: &Path) -> Result<(), Error> {
    if has_content(path) {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "{} is missing or empty: restore the folder from a backup",
        path.display()
    )))
}

/// Whether the file is there and not empty.
fn has_content(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.len() > 0)
}

/// Syncs a folder, so that the names in it survive a power cut.
pub(super) fn sync_folder(path: &Path) -> Result<(), Error> {
    let synced = fs::File::open(path).and_then(|folder| folder.sync_all());
    synced.map_err(|error| {
        Error::Refused(format!(
            "the folder {} cannot be synced ({error}): keep it on a disk of this machine",
            path.display()
        ))
    })
}
