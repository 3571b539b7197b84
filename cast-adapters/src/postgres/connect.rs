//! One connection, and whether it leads to a database that this binary works with.

use diesel_async::AsyncPgConnection;
use tokio_postgres::{Config, NoTls};

use super::{
    error::Error,
    options::{PostgresOptions, Tls},
    schema,
};

/// A connection to a database with the right tables.
pub(super) async fn checked(options: &PostgresOptions) -> Result<AsyncPgConnection, Error> {
    let mut connection = unchecked(options).await?;
    schema::check(&mut connection).await?;
    Ok(connection)
}

/// A connection to whatever is there.
pub(super) async fn unchecked(options: &PostgresOptions) -> Result<AsyncPgConnection, Error> {
    let config = options.driver_config();
    match &options.tls {
        Tls::Disable => plain(&config).await,
        tls => encrypted(&config, tls).await,
    }
}

async fn plain(config: &Config) -> Result<AsyncPgConnection, Error> {
    let (client, connection) = config.connect(NoTls).await.map_err(Error::Connect)?;
    // The connection is driven by a task that ends, and closes the socket, as soon as the
    // `AsyncPgConnection` is dropped, whatever the server still has to say.
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

/// Only `sslmode=prefer` gets here: the options refuse what must be encrypted.
#[cfg(not(feature = "postgres-tls"))]
async fn encrypted(config: &Config, _: &Tls) -> Result<AsyncPgConnection, Error> {
    plain(config).await
}
