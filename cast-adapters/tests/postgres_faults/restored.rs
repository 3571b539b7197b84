//! The store after its database was restored from a backup.

use cast_core::{
    domain::Offset,
    ports::{Applied, VoteStore as _},
};
use cast_testkit::{
    eventually,
    servers::{Database, Postgres},
};

use crate::{
    alice_and_step,
    postgres::{PATIENCE, TestDb, fold},
};

/// Copies a database, once it has no connections.
async fn back_up(from: &Database, name: &str, backup: &str) {
    let users = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'");
    eventually(PATIENCE, "it has no connections", || async {
        (from.sql(&users).await == "0").then_some(())
    })
    .await;
    from.sql(&format!("CREATE DATABASE {backup} TEMPLATE {name}"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_restored_from_a_backup_is_folded_again_from_there() {
    let Some(server) = Postgres::start().await else {
        return;
    };
    let elsewhere = server.create_database().await;
    let test_db = TestDb::migrated(server.create_database().await).await;
    let name = test_db.database().name();
    let steps: Vec<_> = (0..10).map(|start| alice_and_step(start).1).collect();
    for step in &steps[..4] {
        fold(&test_db.open(), step).await;
    }
    back_up(&elsewhere, name, "backup").await;

    // This store stays open during the restore.
    let store = test_db.open();
    for step in &steps[4..8] {
        fold(&store, step).await;
    }
    elsewhere
        .sql(&format!("DROP DATABASE {name} WITH (FORCE)"))
        .await;
    elsewhere
        .sql(&format!("ALTER DATABASE backup RENAME TO {name}"))
        .await;
    let fenced = eventually(PATIENCE, "the store reconnects", || async {
        match store.apply(&steps[8]).await {
            Ok(applied) => Some(applied),
            Err(error) => {
                assert!(error.is_transient(), "{}", error.chain());
                None
            }
        }
    })
    .await;
    let progress = Offset::new(4);
    assert_eq!(
        fenced,
        Applied::Fenced { progress },
        "the backup contains its progress"
    );
    for again in &steps[4..] {
        assert_eq!(fold(&store, again).await, 20);
    }
    let recounted = store.recount().await.expect("a recount").votes();
    let counts: Vec<_> = recounted.into_iter().map(|(_, votes)| votes).collect();
    assert_eq!(counts, [20; 10], "each step has its own candidate");
}
