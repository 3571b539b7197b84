//! The parts of a Kafka URL. Several hosts in one are not what URL libraries expect.

use super::options::KafkaUrlError;

/// The parts of a Kafka URL, as they stand there.
pub(super) struct Url<'a> {
    pub(super) hosts: &'a str,
    pub(super) topic: &'a str,
    /// What stands before the hosts.
    pub(super) user: Option<&'a str>,
    pub(super) is_tls: bool,
    parameters: Vec<(&'a str, &'a str)>,
}

/// What only the feature `kafka-tls` can do.
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
        // The last one: a password may hold what a URL should have escaped.
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
        expect(dead_code, reason = "with the feature there is nothing to refuse")
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

/// Kafka's own rule.
fn is_topic(topic: &str) -> bool {
    (1..=249).contains(&topic.len())
        && topic != "."
        && topic != ".."
        && topic
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}
