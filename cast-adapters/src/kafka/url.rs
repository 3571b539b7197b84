//! The parts of a Kafka URL. URL libraries do not accept several hosts in one.

/// A URL that is not that of a log in Kafka. It never repeats the URL, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KafkaUrlError {
    /// Another kind of URL.
    #[error("a Kafka URL is kafka://host:port,host:port/topic")]
    Form,
    /// A topic with a name that Kafka does not allow.
    #[error(
        "the topic of a Kafka URL must be 1 to 249 ASCII letters, digits, dots, underscores and \
         hyphens, and not . or .."
    )]
    Topic,
    /// A parameter that does not exist.
    #[error("unknown parameter {0} in a Kafka URL: the parameters are {known}", known = Url::KNOWN)]
    UnknownParameter(String),
    /// A parameter with an invalid value.
    #[error("{name} in a Kafka URL must be {must_be}")]
    Parameter {
        /// Its name.
        name: &'static str,
        /// The valid values.
        must_be: &'static str,
    },
    /// It asks for TLS or SASL.
    #[error(
        "kafkas:// and user:password@ need a program that was built with the feature kafka-tls"
    )]
    NeedsTls,
}

/// The parts of a Kafka URL, still percent-encoded.
pub(super) struct Url<'a> {
    pub(super) hosts: &'a str,
    pub(super) topic: &'a str,
    /// `user:password`, before the hosts.
    pub(super) user: Option<&'a str>,
    pub(super) is_tls: bool,
    parameters: Vec<(&'a str, &'a str)>,
}

/// The parameters that need the feature `kafka-tls`.
const SECURITY: [&str; 4] = ["sasl", "ca", "cert", "key"];

impl<'a> Url<'a> {
    /// The names of all parameters.
    pub(super) const KNOWN: &'static str = "partitions, protocol, sasl, ca, cert and key";

    pub(super) fn parse(text: &'a str) -> Result<Self, KafkaUrlError> {
        let (is_tls, rest) = match text.split_once("://") {
            Some(("kafka", rest)) => (false, rest),
            Some(("kafkas", rest)) => (true, rest),
            _ => return Err(KafkaUrlError::Form),
        };
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, topic) = address.split_once('/').ok_or(KafkaUrlError::Form)?;
        // The last @: a password may contain one that should have been percent-encoded.
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (Some(user), hosts),
            None => (None, authority),
        };
        if !hosts.split(',').all(is_host) {
            return Err(KafkaUrlError::Form);
        }
        if !is_topic(topic) {
            return Err(KafkaUrlError::Topic);
        }
        Ok(Self {
            hosts,
            topic,
            user,
            is_tls,
            parameters: parameters(query)?,
        })
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&'a str> {
        let mut named = self.parameters.iter().filter(|(known, _)| *known == name);
        named.next_back().map(|(_, value)| *value)
    }

    #[cfg_attr(
        feature = "kafka-tls",
        expect(dead_code, reason = "with the feature no URL is refused for it")
    )]
    pub(super) fn needs_tls(&self) -> bool {
        let secured = |name: &&str| self.parameter(name).is_some();
        self.is_tls || self.user.is_some() || SECURITY.iter().any(secured)
    }
}

fn parameters(query: &str) -> Result<Vec<(&str, &str)>, KafkaUrlError> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if ["partitions", "protocol"].contains(&name) || SECURITY.contains(&name) {
                Ok((name, value))
            } else {
                Err(KafkaUrlError::UnknownParameter(name.to_owned()))
            }
        })
        .collect()
}

fn is_host(host: &str) -> bool {
    host.rsplit_once(':')
        .is_some_and(|(name, port)| !name.is_empty() && port.parse::<u16>().is_ok())
}

/// Kafka's rule for the names of topics.
fn is_topic(topic: &str) -> bool {
    (1..=249).contains(&topic.len())
        && topic != "."
        && topic != ".."
        && topic
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}
