//! Where the database is, and how long it may take.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use cast_core::ports::PortError;
use tokio_postgres::{
    Config,
    config::{Host, SslMode},
};

use super::error::Error;

/// Which database, and how it is used.
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
#[derive(Clone)]
pub struct PostgresOptions {
    pub(super) config: Config,
    pub(super) tls: Tls,
    /// How many connections there are at most: a consumer needs one for each partition that it
    /// folds at the same time, an API server one or two for what it reads.
    pub pool_size: usize,
    /// How long a call may wait for a connection, be it free or made.
    pub connect_timeout: Duration,
    /// How long the server may work on a statement, waiting for locks included, before it gives up.
    /// Also how long it keeps a transaction open whose client says nothing.
    pub statement_timeout: Duration,
    /// How long a whole transaction may take. The client gives up then and closes the connection,
    /// whatever the server does: it may be frozen.
    pub transaction_timeout: Duration,
    /// The same for a recount, which reads every ballot there is.
    pub recount_timeout: Duration,
}

/// Whether a connection is encrypted, and what the server must show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tls {
    Disable,
    /// If the server can; anybody may be the server.
    Prefer,
    /// Always; anybody may be the server.
    Require,
    /// Always, and the server has a certificate for its host's name. Its root is in this file, or
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
/// Of the parameters of libpq it knows `sslmode` (`disable`, `prefer`, `require`, `verify-full`; all
/// but `disable` and `prefer` need the feature `postgres-tls`), `sslrootcert` (a PEM file, its path
/// as it is; without it the system's roots), `application_name`, `options`, `connect_timeout` (of one address),
/// `keepalives`, `keepalives_idle`, `tcp_user_timeout`, `target_session_attrs` and
/// `channel_binding`.
impl FromStr for PostgresOptions {
    type Err = PortError;

    fn from_str(url: &str) -> Result<Self, PortError> {
        parse(url).map_err(|error| error.with_operation("reading the store's URL"))
    }
}

fn parse(url: &str) -> Result<PostgresOptions, Error> {
    // The driver takes any other text for `word=value` pairs, and its errors quote words.
    if !["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
    {
        return Err(Error::options("a store's URL begins with postgres://"));
    }
    let (url, mode, root) = without_tls_parameters(url);
    let root = root.map(PathBuf::from);
    let tls = match mode.as_deref() {
        Some("disable") => Tls::Disable,
        None | Some("prefer") => Tls::Prefer,
        Some("require") if root.is_none() => Tls::Require,
        Some("verify-full") => Tls::VerifyFull { root },
        // With a root libpq verifies the chain but not the name, which is neither here nor there.
        Some("require") => return Err(Error::options("sslrootcert needs sslmode=verify-full")),
        Some(_) => {
            return Err(Error::options(
                "sslmode must be disable, prefer, require or verify-full",
            ));
        }
    };
    if cfg!(not(feature = "postgres-tls")) && tls.ssl_mode() == SslMode::Require {
        return Err(Error::options(
            "sslmode asks for TLS, and this binary is built without the feature postgres-tls",
        ));
    }
    let mut config: Config = url.parse().map_err(Error::Url)?;
    if config.get_hosts().iter().any(is_end_of_password) {
        return Err(Error::options(
            "an @ in the password of a store's URL is written %40",
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

/// Whether a host is more than that. The driver ends a password at the first `@`; what is behind it
/// would be looked for as a host, and told to whoever reads that there is none.
fn is_end_of_password(host: &Host) -> bool {
    matches!(host, Host::Tcp(name) if name.contains('@'))
}

/// Takes out of a URL what the driver does not know: how to verify the server.
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
    /// What the driver connects with. The server's own limits hold where this process cannot say
    /// anything any more.
    ///
    /// A plan is kept as long as its connection, and one that was made while the tables were small
    /// must be right when they are large: so tables are not read from end to end where there is an
    /// index. To compile a statement (`jit`) takes longer than any of ours runs.
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

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The driver's own `Debug` leaves the password out.
        f.debug_struct("PostgresOptions")
            .field("config", &self.config)
            .field("tls", &self.tls)
            .field("pool_size", &self.pool_size)
            .field("connect_timeout", &self.connect_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("transaction_timeout", &self.transaction_timeout)
            .field("recount_timeout", &self.recount_timeout)
            .finish()
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
    fn a_url_says_whether_to_encrypt_and_whom_to_trust() {
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
    fn what_cannot_be_kept_is_refused_with_the_way_out() {
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

    /// The driver would take them for words as `host=h`, and quote those that it does not know.
    #[test]
    fn what_is_no_url_of_postgres_is_refused_and_not_repeated() {
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
    fn the_servers_own_limits_come_after_the_users_options() {
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
