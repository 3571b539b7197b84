//! The options of the log in Kafka, and the URL that they are written as.

use std::{str::FromStr, time::Duration};

use cast_core::domain::Partitions;

#[cfg(feature = "kafka-tls")]
use super::security::Security;
use super::url::{KafkaUrlError, Url};

/// The address of the log, and the limits of its clients. Every default is fit for production.
///
/// They are written as a URL: `kafka://host:port,host:port/topic`, optionally with parameters, as in
/// `kafka://a:9092,b:9092/votes?partitions=12`:
///
/// | parameter | meaning | default |
/// |---|---|---|
/// | `partitions` | [`partitions`](Self::partitions) | what the log's newest record says |
/// | `protocol` | [`protocol`](Self::protocol): `classic` or `consumer` | `classic` |
///
/// With the feature `kafka-tls` there are `kafkas://` for TLS, `user:password@` before the hosts for
/// SASL (percent-encoded), and:
///
/// | parameter | meaning | default |
/// |---|---|---|
/// | `sasl` | `plain`, `scram-sha-256` or `scram-sha-512` | `scram-sha-512` |
/// | `ca` | a PEM file with the certificate authorities to trust | those of the system |
/// | `cert`, `key` | PEM files with a client certificate and its key | no client certificate |
///
/// ```
/// use cast_adapters::kafka::KafkaOptions;
///
/// let options: KafkaOptions = "kafka://a:9092,b:9092/votes?partitions=12".parse()?;
/// assert_eq!(options.brokers, "a:9092,b:9092");
/// assert_eq!(options.topic, "votes");
/// # Ok::<(), cast_adapters::kafka::KafkaUrlError>(())
/// ```
#[derive(Clone, Debug)]
pub struct KafkaOptions {
    /// The bootstrap brokers, as `host:port` separated by commas.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// How many partitions the topic must have.
    ///
    /// The number decides the partition of a ballot id, so it must not change while ballots may be
    /// retried. If this is `None`, the newest record of the topic says how many partitions there were
    /// when it was written; if there are more by now, the log is misconfigured until an operator sets
    /// this to the new number. That confirms that no earlier ballot will be retried.
    pub partitions: Option<Partitions>,
    /// How long a record may take to be acknowledged, from the call on, retries included. After that its
    /// outcome is unknown. It must be shorter than the publish deadline of the vote service, so that
    /// the caller gets the log's own error.
    pub delivery_timeout: Duration,
    /// How long any other request may take.
    pub request_timeout: Duration,
    /// How many bytes of records may wait for their acknowledgement; further records are refused as
    /// unavailable. Two records of [`MAX_BYTES`](crate::record::MAX_BYTES) always fit.
    pub max_unacknowledged_bytes: usize,
    /// How many bytes of records a consumer prefetches. Up to twice as many are in memory: the client
    /// buffers as many again.
    pub prefetch_bytes: usize,
    /// How many ballots a consumer prefetches.
    pub prefetch_ballots: usize,
    /// How consumers share the partitions.
    pub protocol: GroupProtocol,
    /// After how long without a heartbeat the partitions of a consumer go to the other members. With
    /// [`GroupProtocol::Consumer`] the brokers decide.
    pub session_timeout: Duration,
    #[cfg(feature = "kafka-tls")]
    pub(super) security: Security,
}

/// The protocol by which the consumers of a group share the partitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupProtocol {
    /// One member assigns the partitions, moving as few as possible (`cooperative-sticky`). Every broker
    /// supports it.
    #[default]
    Classic,
    /// The brokers assign the partitions, member by member, without a rebalance of the whole group
    /// (KIP-848). Needs Apache Kafka 4.0 or newer.
    Consumer,
}

impl KafkaOptions {
    /// The log in `topic`, with the default options. `brokers` are the bootstrap brokers, as `host:port`
    /// separated by commas.
    pub fn new(brokers: impl Into<String>, topic: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            topic: topic.into(),
            partitions: None,
            delivery_timeout: Duration::from_millis(2_500),
            request_timeout: Duration::from_secs(3),
            max_unacknowledged_bytes: 64 << 20,
            prefetch_bytes: 16 << 20,
            prefetch_ballots: 65_536,
            protocol: GroupProtocol::default(),
            session_timeout: Duration::from_secs(10),
            #[cfg(feature = "kafka-tls")]
            security: Security::default(),
        }
    }
}

impl FromStr for KafkaOptions {
    type Err = KafkaUrlError;

    fn from_str(text: &str) -> Result<Self, KafkaUrlError> {
        let url = Url::parse(text)?;
        let mut options = Self::new(url.hosts, url.topic);
        if let Some(text) = url.parameter("partitions") {
            let count = text.parse().ok().and_then(Partitions::new);
            let invalid = KafkaUrlError::Parameter {
                name: "partitions",
                must_be: "a number, at least 1",
            };
            options.partitions = Some(count.ok_or(invalid)?);
        }
        if let Some(text) = url.parameter("protocol") {
            options.protocol = match text {
                "classic" => GroupProtocol::Classic,
                "consumer" => GroupProtocol::Consumer,
                _ => {
                    return Err(KafkaUrlError::Parameter {
                        name: "protocol",
                        must_be: "classic or consumer",
                    });
                }
            };
        }
        #[cfg(feature = "kafka-tls")]
        {
            options.security = Security::from_url(&url)?;
        }
        #[cfg(not(feature = "kafka-tls"))]
        if url.needs_tls() {
            return Err(KafkaUrlError::NeedsTls);
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<KafkaOptions, KafkaUrlError> {
        url.parse()
    }

    #[test]
    fn a_url_names_brokers_topic_and_parameters() {
        let options =
            parse("kafka://a:9092,[::1]:9093/cast.votes-1?partitions=12&protocol=consumer")
                .expect("a URL");
        assert_eq!(options.brokers, "a:9092,[::1]:9093");
        assert_eq!(options.topic, "cast.votes-1");
        assert_eq!(options.partitions.map(Partitions::count), Some(12));
        assert_eq!(options.protocol, GroupProtocol::Consumer);
        let plain = parse("kafka://localhost:9092/votes").expect("a URL");
        assert_eq!(
            (plain.partitions, plain.protocol),
            (None, GroupProtocol::Classic)
        );
    }

    #[test]
    fn an_invalid_url_is_refused_with_the_form_that_it_should_have() {
        for url in [
            "",
            "kafka:",
            "redis://a:1/t",
            "kafka:///t",
            "kafka://a/t",
            "kafka://a:x/t",
            "kafka://a:1,/t",
            "kafka://a:1",
        ] {
            assert_eq!(parse(url).expect_err(url), KafkaUrlError::Form, "{url:?}");
        }
        for topic in ["", ".", "..", "a/b", "a b", &"x".repeat(250)] {
            let url = format!("kafka://a:1/{topic}");
            assert_eq!(
                parse(&url).expect_err(&url),
                KafkaUrlError::Topic,
                "{url:?}"
            );
        }
        let message = |url: &str| parse(url).expect_err(url).to_string();
        assert!(message("kafka://a:1/t?partition=3").contains("parameters are partitions"));
        assert!(message("kafka://a:1/t?partitions=0").contains("at least 1"));
        assert!(message("kafka://a:1/t?protocol=eager").contains("classic or consumer"));
    }

    #[cfg(not(feature = "kafka-tls"))]
    #[test]
    fn tls_and_passwords_are_refused_without_the_feature() {
        for url in [
            "kafkas://a:1/t",
            "kafka://me:secret@a:1/t",
            "kafka://a:1/t?ca=/x",
        ] {
            assert_eq!(parse(url).expect_err(url), KafkaUrlError::NeedsTls, "{url}");
        }
    }
}
