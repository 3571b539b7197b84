//! Opens a connection.

use diesel_async::AsyncPgConnection;
use tokio_postgres::{Config, NoTls};

use super::{
    error::Error,
    options::{PostgresOptions, Tls},
};

/// Opens a connection; the schema of the database is not checked.
pub(super) async fn connect(options: &PostgresOptions) -> Result<AsyncPgConnection, Error> {
    let config = options.driver_config();
    match &options.tls {
        Tls::Disable => plain(&config).await,
        tls => encrypted(&config, tls).await,
    }
}

async fn plain(config: &Config) -> Result<AsyncPgConnection, Error> {
    let (client, connection) = config.connect(NoTls).await.map_err(Error::Connect)?;
    // A task drives the connection. It ends, and closes the socket, as soon as the `AsyncPgConnection`
    // is dropped, without waiting for the server.
    let connection = AsyncPgConnection::try_from_client_and_connection(client, connection).await;
    connection.map_err(Error::Setup)
}

#[cfg(feature = "postgres-tls")]
async fn encrypted(config: &Config, tls: &Tls) -> Result<AsyncPgConnection, Error> {
    let connector = super::tls::connector(tls)?;
    let (client, connection) = config.connect(connector).await.map_err(Error::Connect)?;
    let connection = AsyncPgConnection::try_from_client_and_connection(client, connection).await;
    connection.map_err(Error::Setup)
}

/// Only called for `sslmode=prefer`: without the feature, the options refuse the stricter modes.
#[cfg(not(feature = "postgres-tls"))]
async fn encrypted(config: &Config, _: &Tls) -> Result<AsyncPgConnection, Error> {
    plain(config).await
}
