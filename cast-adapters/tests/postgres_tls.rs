//! TLS connections: they are encrypted, and a server with another certificate is refused.

use std::{fs, path::PathBuf};

use cast_adapters::postgres::{PostgresStore, migrate};
use cast_core::ports::{PortError, PortErrorKind};
use cast_testkit::servers::{Postgres, Private, self_signed_certificate};

use self::postgres::options;

mod postgres;

/// A server with a self-signed certificate for its address.
async fn encrypted() -> Option<(Private<Postgres>, PathBuf)> {
    let mut server = Postgres::start().await?;
    let data = server.folder().join("data");
    let certificate = self_signed_certificate(&data, "server");
    let settings = "ssl = on\nssl_cert_file = 'server.crt'\nssl_key_file = 'server.key'\n";
    fs::write(data.join("postgresql.auto.conf"), settings).expect("the folder is ours");
    server.restart().await;
    Some((server, certificate))
}

/// Connects once, and runs a query.
async fn check(url: &str) -> Result<(), PortError> {
    PostgresStore::new(options(url)).check().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_encrypted_where_the_url_says_so() {
    let Some((server, certificate)) = encrypted().await else {
        return;
    };
    let (url, root) = (server.url(), certificate.display());
    migrate(&options(url)).await.expect("the tables are made");
    for (parameters, expected) in [
        ("sslmode=disable".to_owned(), "f"),
        ("sslmode=prefer".to_owned(), "t"),
        ("sslmode=require".to_owned(), "t"),
        (format!("sslmode=verify-full&sslrootcert={root}"), "t"),
    ] {
        let store = PostgresStore::new(options(&format!("{url}?{parameters}")));
        store
            .check()
            .await
            .unwrap_or_else(|e| panic!("{parameters}: {}", e.chain()));
        // The store keeps its connection, for the query below.
        let session = tokio_postgres::connect(url, tokio_postgres::NoTls).await;
        let (session, connection) = session.expect("the server takes plain ones too");
        let looking = tokio::spawn(connection);
        let rows = session
            .query_one(
                "SELECT bool_and(ssl)::text FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                 WHERE application_name = 'cast' AND backend_start = \
                 (SELECT max(backend_start) FROM pg_stat_activity WHERE application_name = 'cast')",
                &[],
            )
            .await
            .expect("an answer");
        let encrypted: &str = rows.get(0);
        assert_eq!(&encrypted[..1], expected, "{parameters}");
        looking.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_another_certificate_is_refused() {
    let Some((server, certificate)) = encrypted().await else {
        return;
    };
    let url = server.url();
    migrate(&options(url)).await.expect("the tables are made");
    let folder = certificate.parent().expect("a folder");
    let stranger = self_signed_certificate(folder, "stranger");
    let by_name = url.replace("127.0.0.1", "localhost");
    for (url, root) in [(url, &stranger), (&*by_name, &certificate)] {
        let url = format!("{url}?sslmode=verify-full&sslrootcert={}", root.display());
        let refused = check(&url)
            .await
            .expect_err("the certificate is another one");
        assert_eq!(
            refused.kind(),
            PortErrorKind::Misconfigured,
            "{}",
            refused.chain()
        );
    }
    let nowhere = format!("{url}?sslmode=verify-full&sslrootcert=/nowhere.pem");
    let refused = check(&nowhere).await.expect_err("there is no such file");
    assert_eq!(
        refused.kind(),
        PortErrorKind::Misconfigured,
        "{}",
        refused.chain()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_not_spoken_to_in_the_open() {
    let Some(server) = cast_testkit::servers::postgres().await else {
        return;
    };
    let database = server.create_database().await;
    let url = format!("{}?sslmode=require", database.url());
    let refused = check(&url).await.expect_err("it has no certificate");
    assert_eq!(
        refused.kind(),
        PortErrorKind::Misconfigured,
        "{}",
        refused.chain()
    );
    // With sslmode=prefer it is unencrypted.
    migrate(&options(database.url()))
        .await
        .expect("the tables are made");
}
