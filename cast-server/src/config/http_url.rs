//! An address that is asked by plain HTTP.

use std::fmt;

/// Where a plain `http://` URL leads. There is no user in it, and so no password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct HttpUrl {
    /// For the system: host and port.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// For the `Host` header.
    pub(crate) authority: String,
    pub(crate) path: String,
}

impl HttpUrl {
    /// What `text` says; `None` if it is no such URL, or one without a path: that is left out by
    /// mistake, and is never where an answer is.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let uri: http::Uri = text.parse().ok()?;
        let authority = uri.authority()?;
        let is_plain = uri.scheme_str() == Some("http") && !authority.as_str().contains('@');
        // What is asked with a query would be asked without one: nobody here has a use for it.
        if !is_plain || uri.path() == "/" || uri.query().is_some() {
            return None;
        }
        Some(Self {
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
        write!(f, "http://{authority}{path}")
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

    #[test]
    fn an_address_has_a_host_and_a_path() {
        let url = HttpUrl::parse("http://127.0.0.1:8000/readyz").unwrap();
        assert_eq!((&*url.host, url.port), ("127.0.0.1", 8_000));
        assert_eq!((&*url.authority, &*url.path), ("127.0.0.1:8000", "/readyz"));
        assert_eq!(url.to_string(), "http://127.0.0.1:8000/readyz");
        let url = HttpUrl::parse("http://[::1]/livez").unwrap();
        assert_eq!((&*url.host, url.port), ("::1", 80));
    }

    #[test]
    fn what_is_none_is_none() {
        for text in [
            "",
            "127.0.0.1:8000/livez",
            "https://h/livez",
            "http://h",
            "http://h/livez?a=b",
            "http://u@h/livez",
            "http://u:p@h/livez",
        ] {
            assert_eq!(HttpUrl::parse(text), None, "{text:?}");
        }
    }
}
