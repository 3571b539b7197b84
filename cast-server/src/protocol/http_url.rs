//! The address of a server that is reached by plain HTTP.

use std::{fmt, str::FromStr};

/// An `http://` URL without a user, so without a password, and without a query.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpUrl {
    /// What to connect to, with the port: a name or an address, an IPv6 one without its brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The value of the `Host` header.
    pub(crate) authority: String,
    /// Begins with a slash.
    pub(crate) path: String,
}

impl HttpUrl {
    /// The same server at `path`, if the URL names none.
    pub(crate) fn or_path(mut self, path: &str) -> Self {
        if self.path == "/" {
            path.clone_into(&mut self.path);
        }
        self
    }
}

/// The sentences quote nothing: a URL may hold a password by mistake.
impl FromStr for HttpUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "write it as http://HOST:PORT";
        let uri: http::Uri = text.trim().parse().map_err(|_| FORM)?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err(
                    "TLS is not supported here: give the http:// address of the server \
                            itself, behind the TLS-terminating proxy",
                );
            }
            _ => return Err(FORM),
        }
        let authority = uri.authority().ok_or(FORM)?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err("write it as http://HOST:PORT, without a user and without a query");
        }
        Ok(Self {
            // An IPv6 address has brackets in a URL, and none elsewhere.
            host: authority.host().trim_matches(['[', ']']).into(),
            port: authority.port_u16().unwrap_or(80),
            authority: authority.as_str().into(),
            path: uri.path().into(),
        })
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            authority, path, ..
        } = self;
        write!(f, "http://{authority}{}", path.trim_end_matches('/'))
    }
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<HttpUrl, &'static str> {
        text.parse()
    }

    #[test]
    fn a_url_has_a_host_and_may_have_a_port_and_a_path() {
        let url = parse("http://127.0.0.1:8000/readyz").unwrap();
        assert_eq!((&*url.host, url.port), ("127.0.0.1", 8_000));
        assert_eq!((&*url.authority, &*url.path), ("127.0.0.1:8000", "/readyz"));
        assert_eq!(url.to_string(), "http://127.0.0.1:8000/readyz");
        let url = parse("http://[::1]/livez").unwrap();
        assert_eq!((&*url.host, url.port), ("::1", 80));
    }

    #[test]
    fn a_base_url_gets_the_path_that_is_asked_for() {
        for base in ["http://cast.test", "http://cast.test/"] {
            let url = parse(base).unwrap();
            assert_eq!(url.to_string(), "http://cast.test");
            assert_eq!(
                url.or_path("/readyz").to_string(),
                "http://cast.test/readyz"
            );
        }
        let url = parse("http://cast.test/votes/")
            .unwrap()
            .or_path("/graphql");
        assert_eq!(url.path, "/votes/");
    }

    #[test]
    fn other_texts_are_refused_with_the_form() {
        for text in [
            "",
            "127.0.0.1:8000/livez",
            "redis://h",
            "http://",
            "http://h/livez?a=b",
            "http://u@h/livez",
            "http://u:p@h/livez",
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains("http://HOST:PORT"), "{text:?}: {error}");
        }
        assert!(parse("https://h").unwrap_err().contains("TLS"));
    }
}
