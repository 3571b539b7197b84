//! The addresses of servers: those of the URL, and those that a node names.

use bb8_redis::redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisResult,
    io::tcp::TcpSettings,
};

use super::{error::Cause, options::RedisOptions, slots::NodeAddress};

/// The addresses of the URL, and how each server is connected to: with the same user, password and TLS.
pub(super) struct Endpoints {
    info: ConnectionInfo,
    /// At least one.
    pub(super) addresses: Vec<ConnectionAddr>,
}

impl Endpoints {
    pub(super) fn parse(options: &RedisOptions) -> Result<Self, Cause> {
        let urls = split_addresses(&options.url).into_iter();
        let infos = urls.map(|url| url.as_str().into_connection_info());
        let infos: Vec<ConnectionInfo> =
            infos.collect::<RedisResult<_>>().map_err(Cause::Address)?;
        let Some(info) = infos.first().cloned() else {
            return Err(Cause::Option("the URL names no server"));
        };
        if infos.len() > 1 && info.redis_settings().db() != 0 {
            return Err(Cause::Option(
                "the URL of a Redis Cluster must end in /0 or without a database: a cluster has no \
                 other",
            ));
        }
        Ok(Self {
            info,
            addresses: infos.iter().map(|info| info.addr().clone()).collect(),
        })
    }

    /// Several addresses are those of a cluster's nodes.
    pub(super) fn is_cluster(&self) -> bool {
        self.addresses.len() > 1
    }

    /// The address of another node, with TLS if the URL has it.
    pub(super) fn address_of(&self, (host, port): &NodeAddress) -> ConnectionAddr {
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

    pub(super) fn connection_info(&self, address: &ConnectionAddr) -> ConnectionInfo {
        self.info.clone().set_addr(address.clone())
    }
}

/// Splits a URL of several addresses into one URL for each.
fn split_addresses(url: &str) -> Vec<String> {
    let Some(start) = url.find("://").map(|at| at + "://".len()) else {
        return vec![url.to_owned()];
    };
    let end = url[start..].find(['/', '?', '#']);
    let end = end.map_or(url.len(), |at| start + at);
    // A password may contain commas.
    let start = url[start..end]
        .rfind('@')
        .map_or(start, |at| start + at + 1);
    let (before, after) = (&url[..start], &url[end..]);
    let addresses = url[start..end].split(',');
    addresses
        .map(|address| format!("{before}{address}{after}"))
        .collect()
}

/// A client for one server, with the protocol and the socket options that this adapter needs.
pub(super) fn client(info: ConnectionInfo, roots: Option<&[u8]>) -> RedisResult<Client> {
    // Only RESP3 reports at once that a connection was closed.
    let settings = info.redis_settings().clone();
    let settings = settings.set_protocol(ProtocolVersion::RESP3);
    let info = info
        .set_redis_settings(settings)
        .set_tcp_settings(TcpSettings::default().set_nodelay(true));
    #[cfg(feature = "redis-tls")]
    {
        // It fails if another crate of the process has installed one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        if let Some(roots) = roots {
            let certificates = bb8_redis::redis::TlsCertificates {
                client_tls: None,
                root_cert: Some(roots.to_vec()),
            };
            return Client::build_with_tls(info, certificates);
        }
    }
    // Without the feature, the options refuse root certificates.
    #[cfg(not(feature = "redis-tls"))]
    let _ = roots;
    Client::open(info)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_several_addresses_is_split_into_one_for_each() {
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
            assert_eq!(split_addresses(url), expected, "{url}");
        }
    }

    #[test]
    fn other_nodes_are_connected_to_as_the_url_says() {
        let endpoints = |url: &str| Endpoints::parse(&RedisOptions::at(url)).expect("a URL");
        let plain = endpoints("redis://user:secret@h:1,k:2");
        let node = plain.connection_info(&plain.address_of(&("n".into(), 3)));
        assert_eq!(*node.addr(), ConnectionAddr::Tcp("n".into(), 3));
        assert_eq!(node.redis_settings().username(), Some("user"));
        assert_eq!(node.redis_settings().password(), Some("secret"));
        assert!(plain.is_cluster() && !endpoints("redis://h").is_cluster());
        if cfg!(feature = "redis-tls") {
            let node = endpoints("rediss://h:1").address_of(&("n".into(), 3));
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
    fn the_url_of_a_cluster_names_no_other_database_than_0() {
        let several = Endpoints::parse(&RedisOptions::at("redis://h,k/1"));
        assert!(several.is_err());
        assert!(Endpoints::parse(&RedisOptions::at("redis://h/1")).is_ok());
    }
}
