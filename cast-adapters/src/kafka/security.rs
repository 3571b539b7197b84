//! TLS and SASL.

use std::fmt;

use percent_encoding::percent_decode_str;
use rdkafka::ClientConfig;

use super::url::{KafkaUrlError, Url};

/// The encryption and authentication of connections.
#[derive(Clone, Debug, Default)]
pub(super) struct Security {
    tls: Option<Tls>,
    sasl: Option<Sasl>,
}

#[derive(Clone, Debug, Default)]
struct Tls {
    ca: Option<String>,
    certificate: Option<(String, String)>,
}

#[derive(Clone)]
struct Sasl {
    mechanism: &'static str,
    user: String,
    password: String,
}

impl fmt::Debug for Sasl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sasl({}, {}, ..)", self.mechanism, self.user)
    }
}

impl Security {
    pub(super) fn from_url(url: &Url<'_>) -> Result<Self, KafkaUrlError> {
        let file = |name| url.parameter(name).map(decoded).transpose();
        let (ca, cert, key) = (file("ca")?, file("cert")?, file("key")?);
        let certificate = match (cert, key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => {
                return Err(KafkaUrlError::Parameter {
                    name: "cert",
                    must_be: "given together with key",
                });
            }
        };
        if !url.is_tls && (ca.is_some() || certificate.is_some()) {
            let must_be = "in a URL that begins with kafkas://";
            return Err(KafkaUrlError::Parameter {
                name: "ca, cert and key",
                must_be,
            });
        }
        Ok(Self {
            tls: url.is_tls.then_some(Tls { ca, certificate }),
            sasl: url.user.map(|user| Sasl::of(user, url)).transpose()?,
        })
    }

    pub(super) fn apply(&self, config: &mut ClientConfig) {
        let protocol = match (&self.tls, &self.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        if let Some(tls) = &self.tls {
            // The certificate of a broker must have the name that the client connects to.
            config.set("enable.ssl.certificate.verification", "true");
            config.set("ssl.endpoint.identification.algorithm", "https");
            if let Some(ca) = &tls.ca {
                config.set("ssl.ca.location", ca);
            }
            if let Some((certificate, key)) = &tls.certificate {
                config.set("ssl.certificate.location", certificate);
                config.set("ssl.key.location", key);
            }
        }
        if let Some(sasl) = &self.sasl {
            config.set("sasl.mechanism", sasl.mechanism);
            config.set("sasl.username", &sasl.user);
            config.set("sasl.password", &sasl.password);
        }
    }
}

impl Sasl {
    fn of(user: &str, url: &Url<'_>) -> Result<Self, KafkaUrlError> {
        let mechanism = match url.parameter("sasl") {
            None | Some("scram-sha-512") => "SCRAM-SHA-512",
            Some("scram-sha-256") => "SCRAM-SHA-256",
            Some("plain") => "PLAIN",
            Some(_) => {
                let must_be = "plain, scram-sha-256 or scram-sha-512";
                return Err(KafkaUrlError::Parameter {
                    name: "sasl",
                    must_be,
                });
            }
        };
        let (user, password) = user.split_once(':').ok_or(KafkaUrlError::Form)?;
        Ok(Self {
            mechanism,
            user: decoded(user)?,
            password: decoded(password)?,
        })
    }
}

/// Decodes `%40` and the like. A `%` without two hexadecimal digits after it is refused.
fn decoded(text: &str) -> Result<String, KafkaUrlError> {
    let is_escape = |rest: &str| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.split('%').skip(1).all(is_escape) {
        return Err(KafkaUrlError::Form);
    }
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded.map_err(|_| KafkaUrlError::Form)?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> Result<ClientConfig, KafkaUrlError> {
        let mut config = ClientConfig::new();
        Security::from_url(&Url::parse(url)?)?.apply(&mut config);
        Ok(config)
    }

    #[test]
    fn tls_and_sasl_become_settings() {
        let config = settings("kafkas://me:p%40ss@a:1/t?ca=/etc/ca.pem&sasl=scram-sha-256");
        let config = config.expect("a URL");
        let get = |name| config.get(name);
        assert_eq!(get("security.protocol"), Some("sasl_ssl"));
        assert_eq!(get("ssl.ca.location"), Some("/etc/ca.pem"));
        assert_eq!(get("sasl.mechanism"), Some("SCRAM-SHA-256"));
        assert_eq!(
            (get("sasl.username"), get("sasl.password")),
            (Some("me"), Some("p@ss"))
        );
        let plain = settings("kafka://a:1/t").expect("a URL");
        assert_eq!(plain.get("security.protocol"), Some("plaintext"));
    }

    #[test]
    fn contradictory_security_parameters_are_refused() {
        for url in [
            "kafka://a:1/t?ca=/etc/ca.pem",
            "kafkas://a:1/t?cert=/etc/cert.pem",
            "kafkas://me:x@a:1/t?sasl=gssapi",
            "kafkas://me@a:1/t",
            "kafkas://me:%ff@a:1/t",
            "kafkas://me:%zz@a:1/t",
            "kafkas://me:x%4@a:1/t",
            "kafkas://%%41:x@a:1/t",
            "kafkas://a:1/t?ca=/etc/%zz",
        ] {
            assert!(settings(url).is_err(), "{url}");
        }
    }

    #[test]
    fn debug_shows_no_password() {
        let url = Url::parse("kafkas://me:hunter2@a:1/t").expect("a URL");
        let security = Security::from_url(&url).expect("secured");
        assert!(!format!("{security:?}").contains("hunter2"));
    }
}
