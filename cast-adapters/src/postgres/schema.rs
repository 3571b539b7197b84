//! The migrations, and the check that the database has the schema of this binary.

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
    /// The state of the schema: migrated, missing tables, unreadable tables, encoding.
    Schema() -> (Bool, Array<Text>, Array<Text>, Text), "schema.sql"
}

statement! {
    /// The migrations that were run; their table must exist.
    Versions() -> Text, "versions.sql"
}

/// Runs the pending migrations, and returns their versions.
///
/// Each migration is a transaction. A session lock serialises processes that migrate at once, so any
/// number of them may start with a deployment. The URL must be that of the server itself, not of a
/// pooler in transaction mode.
///
/// # Errors
///
/// `Misconfigured` if the database is newer than this binary or not in UTF-8, or a migration fails.
pub async fn migrate(options: &PostgresOptions) -> Result<Vec<String>, PortError> {
    let migrated = migrate_in_turn(options).await;
    migrated.map_err(|error| error.with_operation("migrating the store"))
}

async fn migrate_in_turn(options: &PostgresOptions) -> Result<Vec<String>, Error> {
    // A migration may take long, but must not wait long for a lock: all other sessions would queue
    // behind it. So there is a lock timeout, and no statement timeout.
    let mut unlimited = options.clone();
    unlimited.statement_timeout = Duration::ZERO;
    let limit = options.connect_timeout;
    let connecting = tokio::time::timeout(limit, connect::connect(&unlimited));
    let mut connection = connecting.await.map_err(|_| Error::NoConnection(limit))??;
    connection
        .batch_execute(
            // The key is "cast" in ASCII. The session holds the lock until it ends.
            "SET lock_timeout = '30s'; SELECT pg_advisory_lock(1667331956)",
        )
        .await?;
    let found = Schema {}.get_result(&mut connection).await?;
    let (is_migrated, _, _, encoding): Found = found;
    refuse_encoding(&encoding)?;
    if is_migrated {
        refuse_newer(&Versions {}.get_results(&mut connection).await?)?;
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

/// Checks that the database has the schema of this binary; the error says what to do if not.
pub(super) async fn check(connection: &mut AsyncPgConnection) -> Result<(), Error> {
    let found = Schema {}.get_result(connection).await?;
    let (is_migrated, missing, unreadable, encoding): Found = found;
    refuse_encoding(&encoding)?;
    if !is_migrated {
        return Err(Error::Schema(
            "the database has no CAST schema: run `cast-server migrate`".into(),
        ));
    }
    if !unreadable.is_empty() {
        return Err(Error::Schema(format!(
            "the role of the store's URL may not read {}: grant it SELECT",
            unreadable.join(", ")
        )));
    }
    let applied: Vec<String> = Versions {}.get_results(connection).await?;
    refuse_newer(&applied)?;
    if let Some(version) = known().into_iter().find(|known| !applied.contains(known)) {
        return Err(Error::Schema(format!(
            "the database is older than this binary (migration {version} is missing): \
             run `cast-server migrate`"
        )));
    }
    if !missing.is_empty() {
        return Err(Error::Schema(format!(
            "{} are missing, although the migrations that create them were run: restore a backup",
            missing.join(", ")
        )));
    }
    Ok(())
}

/// Whether migrations were ever run, the tables that are missing, those that this role may not read, and
/// the encoding.
type Found = (bool, Vec<String>, Vec<String>, String);

/// Refuses an encoding that does not have all characters of names.
fn refuse_encoding(encoding: &str) -> Result<(), Error> {
    if encoding == "UTF8" {
        return Ok(());
    }
    Err(Error::Schema(format!(
        "the encoding of the database is {encoding}, and names need UTF8: create the database with \
         ENCODING 'UTF8'"
    )))
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
    let migrations = migrations.iter();
    migrations
        .map(|migration| migration.name().version().to_string())
        .collect()
}
