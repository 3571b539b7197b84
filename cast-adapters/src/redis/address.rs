//! Where servers are: by the URL, and by what a node says of others.

use bb8_redis::redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisResult,
    io::tcp::TcpSettings,
};

use super::{RedisOptions, error::Cause, view::Place};

/// The addresses of the URL, and all else that it says: how any other node is connected to.
pub(super) struct Origin {
    info: ConnectionInfo,
    addresses: Vec<ConnectionAddr>,
}

impl Origin {
    pub(super) fn of(options: &RedisOptions) -> Result<Self, Cause> {
        let infos = apart(&options.url).into_iter();
        let infos = infos.map(|url| url.as_str().into_connection_info());
        let infos: Vec<ConnectionInfo> =
            infos.collect::<RedisResult<_>>().map_err(Cause::Address)?;
        let Some(info) = infos.first().cloned() else {
            return Err(Cause::Option("the URL names no server"));
        };
        if infos.len() > 1 && info.redis_settings().db() != 0 {
            return Err(Cause::Option("a cluster has no database but 0"));
        }
        Ok(Self {
            info,
            addresses: infos.iter().map(|info| info.addr().clone()).collect(),
        })
    }

    /// At least one.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &ConnectionAddr> {
        self.addresses.iter()
    }

    /// Whoever names several servers means the nodes of a cluster.
    pub(super) fn is_cluster(&self) -> bool {
        self.addresses.len() > 1
    }

    /// How a place is connected to: as the URL says of the others.
    pub(super) fn beside(&self, (host, port): &Place) -> ConnectionAddr {
        let (host, port) = (host.clone(), *port);
        match self.info.addr() {
            ConnectionAddr::TcpTls {
                insecure,
                tls_params,
                ..
            } => ConnectionAddr::TcpTls {
                host,
                port,
                insecure: *insecure,
                tls_params: tls_params.clone(),
            },
            _ => ConnectionAddr::Tcp(host, port),
        }
    }

    /// The user, the password and all else, at an address.
    pub(super) fn info(&self, address: &ConnectionAddr) -> ConnectionInfo {
        self.info.clone().set_addr(address.clone())
    }
}

/// A URL for each of the addresses of one.
fn apart(url: &str) -> Vec<String> {
    let Some(start) = url.find("://").map(|at| at + "://".len()) else {
        return vec![url.to_owned()];
    };
    let end = url[start..].find(['/', '?', '#']);
    let end = end.map_or(url.len(), |at| start + at);
    // A password may have commas.
    let start = url[start..end]
        .rfind('@')
        .map_or(start, |at| start + at + 1);
    let (before, behind) = (&url[..start], &url[end..]);
    let addresses = url[start..end].split(',');
    addresses
        .map(|address| format!("{before}{address}{behind}"))
        .collect()
}

/// What makes connections of the kind that is wanted here.
pub(super) fn client(info: ConnectionInfo, options: &RedisOptions) -> RedisResult<Client> {
    // Only the third version of the protocol tells at once that a connection was closed.
    let settings = info.redis_settings().clone();
    let settings = settings.set_protocol(ProtocolVersion::RESP3);
    let info = info
        .set_redis_settings(settings)
        .set_tcp_settings(TcpSettings::default().set_nodelay(true));
    open_client(info, options)
}

#[cfg(not(feature = "redis-tls"))]
fn open_client(info: ConnectionInfo, _: &RedisOptions) -> RedisResult<Client> {
    Client::open(info)
}

#[cfg(feature = "redis-tls")]
fn open_client(info: ConnectionInfo, options: &RedisOptions) -> RedisResult<Client> {
    // Another crate of the process may have chosen one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match &options.root_certificates {
        None => Client::open(info),
        Some(roots) => Client::build_with_tls(
            info,
            bb8_redis::redis::TlsCertificates {
                client_tls: None,
                root_cert: Some(roots.clone()),
            },
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_several_addresses_is_as_many_urls() {
        for (url, expected) in [
            ("redis://h", vec!["redis://h"]),
            ("redis://u:p,q@h:1/0", vec!["redis://u:p,q@h:1/0"]),
            (
                "redis://h:1,[::1]:2,k",
                vec!["redis://h:1", "redis://[::1]:2", "redis://k"],
            ),
            (
                "rediss://u:p,@q@h:1,k:2/0?a=b,c#d,e",
                vec![
                    "rediss://u:p,@q@h:1/0?a=b,c#d,e",
                    "rediss://u:p,@q@k:2/0?a=b,c#d,e",
                ],
            ),
            ("redis+unix:///a,b", vec!["redis+unix:///a,b"]),
            ("unix:/a,b", vec!["unix:/a,b"]),
            ("", vec![""]),
        ] {
            assert_eq!(apart(url), expected, "{url}");
        }
    }

    #[test]
    fn other_nodes_are_connected_to_as_the_url_says() {
        let origin = |url: &str| Origin::of(&RedisOptions::at(url)).expect("a URL");
        let plain = origin("redis://user:secret@h:1,k:2");
        let node = plain.info(&plain.beside(&("n".into(), 3)));
        assert_eq!(*node.addr(), ConnectionAddr::Tcp("n".into(), 3));
        assert_eq!(node.redis_settings().username(), Some("user"));
        assert_eq!(node.redis_settings().password(), Some("secret"));
        assert!(plain.is_cluster() && !origin("redis://h").is_cluster());
        if cfg!(feature = "redis-tls") {
            let node = origin("rediss://h:1").beside(&("n".into(), 3));
            assert!(matches!(
                node,
                ConnectionAddr::TcpTls {
                    insecure: false,
                    ..
                }
            ));
        }
    }

    #[test]
    fn a_cluster_has_one_database() {
        let several = Origin::of(&RedisOptions::at("redis://h,k/1"));
        assert!(several.is_err());
        assert!(Origin::of(&RedisOptions::at("redis://h/1")).is_ok());
    }
}
