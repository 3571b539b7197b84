//! The plain HTTP address of a server.

use std::{fmt, str::FromStr};

/// The address of a server that speaks plain HTTP: `http://HOST:PORT/PATH`, without a user, and so
/// without a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpUrl {
    /// For the resolver: an IPv6 address has no brackets here.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// For the `Host` header.
    pub(crate) authority: String,
    /// `/` if none was given.
    path: String,
}

const FORM: &str = "expected http://HOST:PORT";

const TLS: &str = "TLS is not supported here: give the http:// address of the server itself, behind the \
                   TLS-terminating proxy";

/// What would be ignored is refused.
const USER_OR_QUERY: &str = "expected http://HOST:PORT without a user and without a query";

impl FromStr for HttpUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let uri: http::Uri = text.trim().parse().map_err(|_| FORM)?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(TLS),
            _ => return Err(FORM),
        }
        let authority = uri.authority().ok_or(FORM)?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(USER_OR_QUERY);
        }
        Ok(Self {
            host: authority.host().trim_matches(['[', ']']).into(),
            port: authority.port_u16().unwrap_or(80),
            authority: authority.as_str().into(),
            path: uri.path().into(),
        })
    }
}

impl HttpUrl {
    /// Its path; `default` if it has none.
    pub(crate) fn path_or<'a>(&'a self, default: &'a str) -> &'a str {
        match self.path.as_str() {
            "/" => default,
            path => path,
        }
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (authority, path) = (&self.authority, self.path.trim_end_matches('/'));
        write!(f, "http://{authority}{path}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_host_a_port_and_a_path() {
        let url: HttpUrl = "http://127.0.0.1:8000".parse().unwrap();
        assert_eq!((&*url.host, url.port), ("127.0.0.1", 8_000));
        assert_eq!(url.path_or("/graphql"), "/graphql");
        assert_eq!(url.to_string(), "http://127.0.0.1:8000");
        let url: HttpUrl = " http://cast.test/votes/ ".parse().unwrap();
        assert_eq!((&*url.host, url.port), ("cast.test", 80));
        assert_eq!(url.path_or("/graphql"), "/votes/");
        let url: HttpUrl = "http://[::1]:9/readyz".parse().unwrap();
        assert_eq!((&*url.host, url.port), ("::1", 9));
        assert_eq!(url.authority, "[::1]:9");
        assert_eq!(url.to_string(), "http://[::1]:9/readyz");
    }

    #[test]
    fn what_has_another_form_is_refused_with_the_form() {
        for text in [
            "",
            "localhost:8000",
            "127.0.0.1:8000/livez",
            "redis://h",
            "http://",
            "http://u@h",
            "http://u:p@h/livez",
            "http://h?x=1",
            "http://h/livez?a=b",
        ] {
            let error = text.parse::<HttpUrl>().unwrap_err();
            assert!(error.contains("http://HOST:PORT"), "{text:?}: {error}");
        }
        assert_eq!("https://h".parse::<HttpUrl>(), Err(TLS));
    }
}
