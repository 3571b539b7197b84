//! What breaks a server from within, while it runs.

use std::sync::Mutex;

use cast_testkit::{
    SeededEntropy,
    servers::{Backup, Database, Redis},
};

use crate::{
    history::{History, Restore},
    tables::progress,
};

/// Deletes half of what Redis has, key by key.
pub(crate) async fn delete_keys(redis: &Redis, random: &SeededEntropy) {
    let keys = redis.cli(["KEYS", "*"]).await;
    for key in keys.lines().filter(|_| random.below(2) == 0) {
        redis.cli(["DEL", key]).await;
    }
}

/// Cuts all connections to a database, whatever is under way on them.
pub(crate) async fn cut_connections(database: &Database) {
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE pid <> pg_backend_pid() AND datname = current_database()";
    database.sql(cut).await;
}

/// Makes a consumer's transaction the victim of a deadlock: it waits for the ballots with its
/// progress in hand, for which this one waits with the ballots in hand, and more patiently.
pub(crate) async fn deadlock(database: &Database) {
    let deadlock = "DO $$ BEGIN \
                        SET LOCAL deadlock_timeout = '30s'; \
                        LOCK TABLE ballots IN EXCLUSIVE MODE; \
                        PERFORM pg_sleep(0.3); \
                        UPDATE progress SET updated_at = now(); \
                    EXCEPTION WHEN deadlock_detected THEN NULL; \
                    END $$";
    database.sql(deadlock).await;
}

/// Restores a database from a backup, and writes it down.
pub(crate) async fn restore(database: &Database, backup: &Backup, history: &Mutex<History>) {
    let from = progress(database).await;
    database.restore(backup).await;
    let to = progress(database).await;
    let restore = Restore { from, to };
    history.lock().unwrap().restores.push(restore);
}
