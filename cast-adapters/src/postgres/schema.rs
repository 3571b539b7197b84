//! The tables: how they are made, and whether they are those that this binary works with.

use std::time::Duration;

use cast_core::ports::PortError;
use diesel::{
    migration::{Migration, MigrationSource},
    pg::Pg,
    sql_types::{Array, Bool, Text},
};
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{connect, error::Error, options::PostgresOptions, statement::statement};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

statement! {
    /// What there is of the tables.
    Schema() -> (Bool, Array<Text>, Array<Text>, Text), "schema.sql"
}

statement! {
    /// Which migrations were run.
    Versions() -> Text, "versions.sql"
}

/// Brings the tables up to date, and tells which migrations that took; none if they were.
///
/// Each migration is a transaction. Two processes that migrate at once take turns, so that any
/// number of them may be started with a deployment. It must reach the server itself, not a
/// transaction pooler: the turn belongs to the session.
///
/// # Errors
///
/// `Misconfigured` where the database is newer than this binary or not in UTF-8, or a migration fails.
pub async fn migrate(options: &PostgresOptions) -> Result<Vec<String>, PortError> {
    let migrated = migrate_in_turn(options).await;
    migrated.map_err(|error| error.with_operation("migrating the store"))
}

async fn migrate_in_turn(options: &PostgresOptions) -> Result<Vec<String>, Error> {
    let mut patient = options.clone();
    // A migration may take its time; what it may not is wait for a lock, and have all others wait
    // behind it.
    patient.statement_timeout = Duration::ZERO;
    let limit = options.connect_timeout;
    let connecting = tokio::time::timeout(limit, connect::unchecked(&patient));
    let mut connection = connecting.await.map_err(|_| Error::NoConnection(limit))??;
    connection
        .batch_execute(
            // The key is "cast" in ASCII. The session holds the lock until it ends.
            "SET lock_timeout = '30s'; SELECT pg_advisory_lock(1667331956)",
        )
        .await?;
    let found = found(&mut connection).await?;
    found.refuse_encoding()?;
    if found.migrated {
        refuse_newer(&applied(&mut connection).await?)?;
    }
    // The harness blocks the thread that it runs on.
    let run = tokio::task::spawn_blocking(move || {
        let mut harness = AsyncMigrationHarness::new(connection);
        let versions = harness.run_pending_migrations(MIGRATIONS);
        versions.map(|versions| versions.iter().map(ToString::to_string).collect())
    });
    match run.await {
        Ok(migrated) => migrated.map_err(Error::Migration),
        Err(ended) => Err(Error::of_task(ended)),
    }
}

/// Whether these are the tables that this binary works with; if not, says what to do.
pub(super) async fn check(connection: &mut AsyncPgConnection) -> Result<(), Error> {
    let found = found(connection).await?;
    found.refuse_encoding()?;
    if !found.migrated {
        return Err(Error::Schema(
            "the database has no tables of CAST: run `cast-server migrate`".into(),
        ));
    }
    if !found.unreadable.is_empty() {
        return Err(Error::Schema(format!(
            "this role may not read {:?}: grant it SELECT",
            found.unreadable
        )));
    }
    let applied = applied(connection).await?;
    refuse_newer(&applied)?;
    if let Some(version) = known().into_iter().find(|known| !applied.contains(known)) {
        return Err(Error::Schema(format!(
            "the database is older than this binary (migration {version} is missing): \
             run `cast-server migrate`"
        )));
    }
    if !found.missing.is_empty() {
        return Err(Error::Schema(format!(
            "{:?} are gone, though the migrations that make them were run: put a backup back",
            found.missing
        )));
    }
    Ok(())
}

/// What there is in a database.
struct Found {
    /// Whether migrations were ever run.
    migrated: bool,
    /// Tables that are not there.
    missing: Vec<String>,
    /// Tables that this role may not read.
    unreadable: Vec<String>,
    encoding: String,
}

impl Found {
    /// Refuses what names cannot be written in.
    fn refuse_encoding(&self) -> Result<(), Error> {
        if self.encoding == "UTF8" {
            return Ok(());
        }
        Err(Error::Schema(format!(
            "the database's encoding is {}, and names need UTF8: create it with ENCODING 'UTF8'",
            self.encoding
        )))
    }
}

async fn found(connection: &mut AsyncPgConnection) -> Result<Found, Error> {
    let (migrated, missing, unreadable, encoding) = Schema {}.get_result(connection).await?;
    Ok(Found {
        migrated,
        missing,
        unreadable,
        encoding,
    })
}

/// The migrations that were run; the table that lists them must be there.
async fn applied(connection: &mut AsyncPgConnection) -> Result<Vec<String>, Error> {
    Ok(Versions {}.get_results(connection).await?)
}

fn refuse_newer(applied: &[String]) -> Result<(), Error> {
    let known = known();
    match applied.iter().find(|version| !known.contains(version)) {
        None => Ok(()),
        Some(version) => Err(Error::Schema(format!(
            "the database is newer than this binary (migration {version}): upgrade the binary"
        ))),
    }
}

/// The migrations of this binary.
fn known() -> Vec<String> {
    let migrations = MigrationSource::<Pg>::migrations(&MIGRATIONS);
    let migrations = migrations.expect("the migrations were read when this was compiled");
    let version = |migration: Box<dyn diesel::migration::Migration<Pg>>| {
        migration.name().version().to_string()
    };
    migrations.into_iter().map(version).collect()
}
