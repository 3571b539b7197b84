//! Where the log is, and how it is used.

use std::{str::FromStr, time::Duration};

use cast_core::domain::Partitions;

#[cfg(feature = "kafka-tls")]
use super::security::Security;
use super::url::Url;

/// Where the log is, and how it is used. Every default is fit for production.
///
/// It is written as a URL: `kafka://host:port,host:port/topic`, with any of these behind it, as in
/// `kafka://a:9092,b:9092/votes?partitions=12`:
///
/// | parameter | meaning | otherwise |
/// |---|---|---|
/// | `partitions` | [`partitions`](Self::partitions) | what the log's newest record says |
/// | `protocol` | [`protocol`](Self::protocol): `classic` or `consumer` | `classic` |
///
/// With the feature `kafka-tls` there are `kafkas://` for TLS, `user:password@` before the hosts for
/// SASL (with `%` and two hex digits for what a URL cannot hold), and:
///
/// | parameter | meaning | otherwise |
/// |---|---|---|
/// | `sasl` | `plain`, `scram-sha-256` or `scram-sha-512` | `scram-sha-512` |
/// | `ca` | a file with the authorities to trust, PEM | the system's |
/// | `cert`, `key` | files with a certificate to show and its key, PEM | none is shown |
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
    /// Some of the brokers, as `host:port` with commas between; the others are learnt from them.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// How many partitions the topic must have.
    ///
    /// Their number decides where a ballot id belongs, so it must not change under ballots that may
    /// be sent again. Where this is `None`, the newest record of the topic says how many there were
    /// when it was written; if there are more by now, the log is misconfigured until somebody sets
    /// this to the new number, and by that says that no ballot from before will be sent again.
    pub partitions: Option<Partitions>,
    /// How long a record may take to be acknowledged, from the call on, retries included. Then its
    /// outcome is unknown. To be shorter than the door's publish deadline, so that the answer is the
    /// log's and not the deadline's.
    pub delivery_timeout: Duration,
    /// How long any other request may take.
    pub request_timeout: Duration,
    /// How many bytes of records may wait to be acknowledged; what is beyond that is refused as
    /// unavailable. Two records of [`MAX_BYTES`](crate::record::MAX_BYTES) always fit.
    pub max_unacknowledged_bytes: usize,
    /// How many bytes of records a reader holds that were not asked for yet. Up to twice as many
    /// are in memory: as many again may be on their way.
    pub prefetch_bytes: usize,
    /// How many ballots a reader holds that were not asked for yet.
    pub prefetch_ballots: usize,
    /// How consumers share the partitions.
    pub protocol: GroupProtocol,
    /// After how long without a sign of life a consumer's partitions go to the others. With
    /// [`GroupProtocol::Consumer`] the brokers say.
    pub session_timeout: Duration,
    #[cfg(feature = "kafka-tls")]
    pub(super) security: Security,
}

/// How the consumers of a group come to share the partitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupProtocol {
    /// The members meet and one of them deals the partitions out, moving as few as it can
    /// (`cooperative-sticky`). Every broker knows it.
    #[default]
    Classic,
    /// The brokers deal the partitions out (KIP-848), member by member and without a meeting. From
    /// Apache Kafka 4.0 on.
    Consumer,
}

impl KafkaOptions {
    /// The log in `topic`, with the default options. `brokers` are some of the brokers, as
    /// `host:port` with commas between.
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

/// A URL that names no log in Kafka. It never repeats the URL, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KafkaUrlError {
    /// Another kind of URL.
    #[error("a Kafka URL is kafka://host:port,host:port/topic")]
    Form,
    /// A topic with a name that Kafka does not take.
    #[error(
        "a topic is 1 to 249 ASCII letters, digits, dots, underscores and hyphens, and not . or .."
    )]
    Topic,
    /// A parameter that there is none of.
    #[error("{0} is no parameter of a Kafka URL; there are {known}", known = Url::KNOWN)]
    UnknownParameter(String),
    /// A parameter with a value that it cannot have.
    #[error("{name} in a Kafka URL must be {must_be}")]
    Parameter {
        /// Its name.
        name: &'static str,
        /// What it may be.
        must_be: &'static str,
    },
    /// It asks for TLS or SASL.
    #[error(
        "kafkas:// and user:password@ need a program that was built with the feature kafka-tls"
    )]
    NeedsTls,
}

impl FromStr for KafkaOptions {
    type Err = KafkaUrlError;

    fn from_str(text: &str) -> Result<Self, KafkaUrlError> {
        let url = Url::parse(text)?;
        let mut options = Self::new(url.hosts, url.topic);
        if let Some(text) = url.parameter("partitions") {
            let count = text.parse().ok().and_then(Partitions::new);
            options.partitions = Some(count.ok_or(KafkaUrlError::Parameter {
                name: "partitions",
                must_be: "a number from 1 on",
            })?);
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
            options.security = Security::of(&url)?;
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
    fn what_is_no_such_url_is_refused_with_the_way_out() {
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
        assert!(message("kafka://a:1/t?partition=3").contains("there are partitions"));
        assert!(message("kafka://a:1/t?partitions=0").contains("from 1 on"));
        assert!(message("kafka://a:1/t?protocol=eager").contains("classic or consumer"));
    }

    #[cfg(not(feature = "kafka-tls"))]
    #[test]
    fn tls_and_passwords_are_refused_where_they_cannot_be_kept() {
        for url in [
            "kafkas://a:1/t",
            "kafka://me:secret@a:1/t",
            "kafka://a:1/t?ca=/x",
        ] {
            assert_eq!(parse(url).expect_err(url), KafkaUrlError::NeedsTls, "{url}");
        }
    }
}
