//! The options of the store in PostgreSQL, and the URL that they are written as.

use std::{path::PathBuf, str::FromStr, time::Duration};

use cast_core::ports::PortError;
use tokio_postgres::{
    Config,
    config::{Host, SslMode},
};

use super::error::Error;

/// The database, and the limits of connections and transactions.
///
/// ```
/// # use std::time::Duration;
/// use cast_adapters::postgres::PostgresOptions;
///
/// let mut options: PostgresOptions = "postgres://cast:secret@db.example:5432/cast".parse()?;
/// options.statement_timeout = Duration::from_secs(5);
/// assert!(!format!("{options:?}").contains("secret"));
/// # Ok::<(), cast_core::ports::PortError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// Its `Debug` leaves the password out.
    pub(super) config: Config,
    pub(super) tls: Tls,
    /// The most connections. A consumer needs one for each partition that it folds at the same time, an
    /// API server one or two for its queries.
    pub pool_size: usize,
    /// How long a call may wait for a connection from the pool, or for a new one.
    pub connect_timeout: Duration,
    /// How long the server may work on a statement, including waits for locks, before it cancels it.
    /// It also ends a transaction whose client is idle for this long.
    pub statement_timeout: Duration,
    /// How long a whole transaction may take. After that the client closes the connection, even if the
    /// server does not respond.
    pub transaction_timeout: Duration,
    /// The same for a recount, which reads all ballots.
    pub recount_timeout: Duration,
}

/// Whether connections are encrypted, and how the server is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tls {
    Disable,
    /// Encrypted if the server supports it; its certificate is not verified.
    Prefer,
    /// Encrypted; the certificate of the server is not verified.
    Require,
    /// Encrypted, with a certificate for the name of the host. Its root certificate is in this file, or
    /// among those of the system.
    VerifyFull {
        root: Option<PathBuf>,
    },
}

impl Tls {
    fn ssl_mode(&self) -> SslMode {
        match self {
            Self::Disable => SslMode::Disable,
            Self::Prefer => SslMode::Prefer,
            Self::Require | Self::VerifyFull { .. } => SslMode::Require,
        }
    }
}

/// Reads a URL: `postgres://user:password@host:port/database?parameter=value&…`.
///
/// It supports these parameters of libpq: `sslmode` (`disable`, `prefer`, `require`, `verify-full`; the
/// last two need the feature `postgres-tls`), `sslrootcert` (the path of a PEM file, not
/// percent-encoded; the default is the system's root certificates), `application_name`, `options`,
/// `connect_timeout` (for each address), `keepalives`, `keepalives_idle`, `tcp_user_timeout`,
/// `target_session_attrs` and `channel_binding`.
impl FromStr for PostgresOptions {
    type Err = PortError;

    fn from_str(url: &str) -> Result<Self, PortError> {
        parse(url).map_err(|error| error.with_operation("reading the store's URL"))
    }
}

fn parse(url: &str) -> Result<PostgresOptions, Error> {
    // The driver parses any other text as `key=value` pairs, and its errors quote the keys.
    if !["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
    {
        return Err(Error::Options(
            "the URL of a PostgreSQL store begins with postgres://",
        ));
    }
    let (url, mode, root) = without_tls_parameters(url);
    let root = root.map(PathBuf::from);
    let tls = match mode.as_deref() {
        Some("disable") => Tls::Disable,
        None | Some("prefer") => Tls::Prefer,
        Some("require") if root.is_none() => Tls::Require,
        Some("verify-full") => Tls::VerifyFull { root },
        // With a root certificate, libpq verifies the chain but not the name, which protects from nothing.
        Some("require") => return Err(Error::Options("sslrootcert needs sslmode=verify-full")),
        Some(_) => {
            return Err(Error::Options(
                "sslmode must be disable, prefer, require or verify-full",
            ));
        }
    };
    if cfg!(not(feature = "postgres-tls")) && tls.ssl_mode() == SslMode::Require {
        return Err(Error::Options(
            "sslmode asks for TLS, and this binary is built without the feature postgres-tls",
        ));
    }
    let mut config: Config = url.parse().map_err(Error::Url)?;
    if config.get_hosts().iter().any(is_end_of_password) {
        return Err(Error::Options(
            "write an @ in the password of a postgres:// URL as %40",
        ));
    }
    config.ssl_mode(tls.ssl_mode());
    if config.get_application_name().is_none() {
        config.application_name("cast");
    }
    Ok(PostgresOptions {
        config,
        tls,
        pool_size: 8,
        connect_timeout: Duration::from_secs(5),
        statement_timeout: Duration::from_secs(10),
        transaction_timeout: Duration::from_secs(25),
        recount_timeout: Duration::from_secs(600),
    })
}

/// Whether a host contains the end of a password. The driver ends the password at the first `@`; it would
/// look up the rest as a host, and the error would contain it.
fn is_end_of_password(host: &Host) -> bool {
    matches!(host, Host::Tcp(name) if name.contains('@'))
}

/// Splits off `sslmode` and `sslrootcert`, of which the driver knows only a part.
fn without_tls_parameters(url: &str) -> (String, Option<String>, Option<String>) {
    let (mut mode, mut root) = (None, None);
    let Some((address, query)) = url.split_once('?') else {
        return (url.into(), mode, root);
    };
    let mut others = Vec::new();
    for parameter in query.split('&') {
        match parameter.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value.to_owned()),
            Some(("sslrootcert", value)) => root = Some(value.to_owned()),
            _ => others.push(parameter),
        }
    }
    (format!("{address}?{}", others.join("&")), mode, root)
}

impl PostgresOptions {
    /// The driver's configuration. The server enforces the timeouts too, for the case that this process
    /// is stopped.
    ///
    /// The plan of a prepared statement is kept as long as its connection. One that was made while the
    /// tables were small must be right when they are large, so sequential scans are disabled. To compile
    /// a statement (`jit`) takes longer than to run any of ours.
    pub(super) fn driver_config(&self) -> Config {
        let mut config = self.config.clone();
        let ms = self.statement_timeout.as_millis();
        let options = format!(
            "{} -c enable_seqscan=off -c jit=off -c statement_timeout={ms} \
             -c idle_in_transaction_session_timeout={ms}",
            config.get_options().unwrap_or_default()
        );
        config.options(options.trim_start());
        config
    }
}

#[cfg(test)]
mod tests {
    use cast_core::ports::PortErrorKind;

    use super::*;

    fn tls(parameters: &str) -> Result<Tls, PortError> {
        format!("postgres://u:p@h/d{parameters}")
            .parse()
            .map(|options: PostgresOptions| options.tls)
    }

    #[test]
    fn a_url_says_whether_to_encrypt_and_how_to_verify_the_server() {
        assert_eq!(tls("").ok(), Some(Tls::Prefer));
        assert_eq!(tls("?sslmode=disable").ok(), Some(Tls::Disable));
        if cfg!(feature = "postgres-tls") {
            assert_eq!(tls("?sslmode=require").ok(), Some(Tls::Require));
            let root = Some("/a/b.pem".into());
            let verified = tls("?sslmode=verify-full&sslrootcert=/a/b.pem&application_name=x");
            assert_eq!(verified.ok(), Some(Tls::VerifyFull { root }));
        }
    }

    #[test]
    fn unsupported_parameters_are_refused_without_the_password() {
        let mut refused = vec![
            "?sslmode=verify-ca",
            "?sslmode=require&sslrootcert=/a",
            "?x=1",
        ];
        if cfg!(not(feature = "postgres-tls")) {
            refused.extend(["?sslmode=require", "?sslmode=verify-full"]);
        }
        for parameters in refused {
            let error = tls(parameters).expect_err(parameters);
            assert_eq!(error.kind(), PortErrorKind::Misconfigured, "{parameters}");
            assert!(!error.chain().contains("u:p"), "{}", error.chain());
        }
    }

    /// The driver would parse them as `key=value` pairs, and quote unknown keys.
    #[test]
    fn a_text_that_is_not_a_postgres_url_is_refused_and_not_repeated() {
        for text in [
            "",
            "memory:",
            "host=h password=hunter2",
            "kafka://u:hunter2@h:1/t?x=1",
            "mysql://u:hunter2@h/d?x=1",
            "postgres://u:p@hunter2@h/d",
            "postgres://u:p@hunter2@h:5432,u:hunter2@i:5432/d",
        ] {
            let error = text.parse::<PostgresOptions>().expect_err(text);
            assert_eq!(error.kind(), PortErrorKind::Misconfigured, "{text:?}");
            assert!(!error.chain().contains("hunter2"), "{}", error.chain());
        }
    }

    #[test]
    fn the_servers_timeouts_follow_the_options_of_the_url() {
        let mut options: PostgresOptions = "postgres://h/d?options=-c%20work_mem%3D1MB"
            .parse()
            .expect("a URL");
        options.statement_timeout = Duration::from_millis(1_500);
        assert_eq!(
            options.driver_config().get_options(),
            Some(
                "-c work_mem=1MB -c enable_seqscan=off -c jit=off -c statement_timeout=1500 \
                 -c idle_in_transaction_session_timeout=1500"
            )
        );
    }
}
