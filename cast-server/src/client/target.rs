//! Where a server is.

use std::str::FromStr;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// For the system: host and port.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// For the `Host` header.
    pub(crate) authority: String,
    /// Where GraphQL is.
    pub(crate) path: String,
    /// For people.
    pub(crate) url: String,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str = "a server is written http://HOST:PORT";
        let uri: http::Uri = text.trim().parse().map_err(|_| FORM)?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                let what = "TLS is not spoken here: give the http:// address of the server \
                            itself, behind what ends TLS for it";
                return Err(what.into());
            }
            _ => return Err(FORM.into()),
        }
        let authority = uri.authority().ok_or(FORM)?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(format!("{FORM}, without a user and without a query"));
        }
        let path = match uri.path() {
            "" | "/" => "/graphql",
            path => path,
        };
        let host = authority.host();
        Ok(Self {
            // An IPv6 address has brackets in a URL, and none elsewhere.
            host: host.trim_matches(['[', ']']).into(),
            port: authority.port_u16().unwrap_or(80),
            authority: authority.as_str().into(),
            path: path.into(),
            url: text.trim().trim_end_matches('/').into(),
        })
    }
}

impl Target {
    /// That what is there is no server, for people.
    pub(crate) fn is_no_cast(&self, why: &str) -> String {
        let url = &self.url;
        format!("{url}: {why}. Is that a CAST server? `cast-server serve` starts one")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_an_http_url() {
        let target: Target = "http://127.0.0.1:8000".parse().unwrap();
        assert_eq!((&*target.host, target.port), ("127.0.0.1", 8_000));
        assert_eq!(target.path, "/graphql");
        let target: Target = "http://cast.test/votes/".parse().unwrap();
        assert_eq!((&*target.host, target.port), ("cast.test", 80));
        assert_eq!(target.path, "/votes/");
        let target: Target = "http://[::1]:9/graphql".parse().unwrap();
        assert_eq!((&*target.host, target.port), ("::1", 9));
        assert_eq!(target.authority, "[::1]:9");
    }

    #[test]
    fn what_is_none_is_told_what_one_is() {
        for text in [
            "",
            "localhost:8000",
            "redis://h",
            "http://",
            "http://u@h",
            "http://h?x=1",
        ] {
            let error = text.parse::<Target>().unwrap_err();
            assert!(error.contains("http://HOST:PORT"), "{text:?}: {error}");
        }
        let error = "https://h".parse::<Target>().unwrap_err();
        assert!(error.contains("TLS"), "{error}");
    }
}
