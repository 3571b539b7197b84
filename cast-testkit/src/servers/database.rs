//! A database of `PostgreSQL`, for one test.

use super::{
    Postgres,
    blocking::{blocking, run, run_with_input},
    places::random_name,
    url::with_path,
};

/// A database for one test; dropping it closes the connections that are left to it.
#[derive(Debug)]
pub struct Database {
    name: String,
    url: String,
    server: Postgres,
}

/// What was in a [`Database`] when it was backed up.
#[derive(Clone, Debug)]
pub struct Backup {
    sql: String,
}

impl Postgres {
    /// A new and empty database, dropped with the handle that is returned.
    pub async fn create_database(&self) -> Database {
        Database::create(self.clone()).await
    }
}

impl Database {
    async fn create(server: Postgres) -> Self {
        let name = random_name();
        let url = with_path(server.url(), &name);
        let create = server.psql_command(server.url(), &format!("CREATE DATABASE {name}"));
        blocking(move || run(create)).await;
        Self { name, url, server }
    }

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
        let psql = self.server.psql_command(&self.url, statement);
        blocking(move || run(psql)).await
    }

    /// Takes a backup (`pg_dump`): all of it as of one moment, while others go on writing.
    pub async fn backup(&self) -> Backup {
        let mut dump = self.server.program("pg_dump");
        dump.args(["-d", &self.url]);
        let sql = blocking(move || run(dump)).await;
        Backup { sql }
    }

    /// Restores it from a backup. Connected clients lose the connection, and find all of the backup
    /// when they reconnect, never a part of it.
    pub async fn restore(&self, backup: &Backup) {
        let restored = Self::create(self.server.clone()).await;
        let mut psql = self.server.program("psql");
        psql.args([
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            &restored.url,
            "-f",
            "-",
        ]);
        let sql = backup.sql.clone();
        blocking(move || run_with_input(psql, &sql)).await;

        let (old, new) = (&self.name, &restored.name);
        for statement in [
            format!("DROP DATABASE {old} WITH (FORCE)"),
            format!("ALTER DATABASE {new} RENAME TO {old}"),
        ] {
            let psql = self.server.psql_command(self.server.url(), &statement);
            blocking(move || run(psql)).await;
        }
        // Dropping `restored` drops nothing: no database has its name any more.
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let mut psql = self.server.psql_command(self.server.url(), &drop);
        // The least that it knows: a frozen server must not hold up a test that is over.
        psql.env("PGCONNECT_TIMEOUT", "2");
        // The server may be gone, and the database with it.
        let _ = psql.output();
    }
}
