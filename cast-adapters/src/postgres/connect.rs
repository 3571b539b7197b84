//! Opens a connection.

use diesel_async::AsyncPgConnection;

use super::{error::Error, options::PostgresOptions};

/// Opens a connection; the schema of the database is not checked.
pub(super) async fn connect(options: &PostgresOptions) -> Result<AsyncPgConnection, Error> {
    // With `sslmode=disable` the driver ignores the connector.
    #[cfg(feature = "postgres-tls")]
    let tls = super::tls::connector(&options.tls).map_err(Error::Tls)?;
    // The options refuse every mode that needs TLS.
    #[cfg(not(feature = "postgres-tls"))]
    let (tls, _) = (tokio_postgres::NoTls, &options.tls);
    let connected = options.driver_config().connect(tls).await;
    let (client, connection) = connected.map_err(Error::Connect)?;
    // A task drives the connection. It ends, and closes the socket, as soon as the `AsyncPgConnection`
    // is dropped, without waiting for the server.
    let connection = AsyncPgConnection::try_from_client_and_connection(client, connection).await;
    connection.map_err(Error::Setup)
}
