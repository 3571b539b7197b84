//! The settings of the clients: every one that a promise depends on, with the reason.

use std::time::Duration;

use rdkafka::{ClientConfig, config::RDKafkaLogLevel};

use super::options::{GroupProtocol, KafkaOptions};
use crate::record::MAX_BYTES;

/// The most bytes that Kafka adds to a record on the wire and on disk.
const FRAMING_BYTES: usize = 4_096;

/// The most bytes of a fetch response, over all partitions. A single larger record is still returned.
const FETCH_BYTES: usize = 8 << 20;

/// How often the producer reports statistics; there is no shorter interval. Only the statistics say when
/// a producer has its id, without which it sends nothing.
pub(super) const STATISTICS_INTERVAL: Duration = Duration::from_secs(1);

impl KafkaOptions {
    /// The settings of a producer.
    pub(super) fn producer(&self) -> ClientConfig {
        let mut config = self.client("producer");
        let delivery_timeout = ms(self.delivery_timeout);
        // Promise 1: a record is acknowledged when every replica in sync has it. The topic's
        // min.insync.replicas says how many there must be at least.
        config.set("acks", "all");
        // A retry inside the client must not put a record into the log twice, nor after a later one.
        // Idempotence needs the next three settings as they are; set here, they cannot change unnoticed.
        config.set("enable.idempotence", "true");
        config.set("max.in.flight.requests.per.connection", "5");
        config.set("retries", i32::MAX.to_string());
        config.set("queuing.strategy", "fifo");
        // A failed record must not be fatal to the producer: this adapter decides what a gap means.
        config.set("enable.gapless.guarantee", "false");
        // With the default of five minutes, a record could arrive long after its voters gave up.
        config.set("delivery.timeout.ms", &delivery_timeout);
        // The brokers stop waiting for replicas when the client stops waiting for the brokers.
        config.set("request.timeout.ms", &delivery_timeout);
        // The client leaves a broker that does not answer, or tries it again, within the deadline.
        config.set("socket.timeout.ms", &delivery_timeout);
        // A flush is a batch already. Waiting for more only adds to each vote's time.
        config.set("linger.ms", "0");
        config.set("compression.type", "none");
        // A missing topic is a configuration error. A broker would create it with its own default
        // numbers of partitions and replicas.
        config.set("allow.auto.create.topics", "false");
        // The bound on records in flight. Beyond it enqueueing fails at once, as unavailable.
        let queued = self.max_unacknowledged_bytes.max(2 * MAX_BYTES);
        config.set("queue.buffering.max.kbytes", (queued >> 10).to_string());
        config.set("queue.buffering.max.messages", "100000");
        // Successes are reported too: they carry the position of the record.
        config.set("delivery.report.only.error", "false");
        config.set("statistics.interval.ms", ms(STATISTICS_INTERVAL));
        config
    }

    /// The settings of a member of a group.
    pub(super) fn consumer(&self, group: &str) -> ClientConfig {
        let mut config = self.reader(group);
        let session_timeout = self.session_timeout.max(Duration::from_millis(500));
        match self.protocol {
            GroupProtocol::Classic => {
                config.set("group.protocol", "classic");
                // A member keeps reading the partitions that it keeps while others move.
                config.set("partition.assignment.strategy", "cooperative-sticky");
                config.set("session.timeout.ms", ms(session_timeout));
                // Heartbeats tell the members about a rebalance, so this decides how long one takes.
                let heartbeat = (session_timeout / 10).min(Duration::from_secs(1));
                config.set("heartbeat.interval.ms", ms(heartbeat));
            }
            GroupProtocol::Consumer => {
                config.set("group.protocol", "consumer");
            }
        }
        // The reading thread polls several times a second while batches are applied, so a longer silence
        // means that the process is stopped.
        let silence = session_timeout.max(Duration::from_secs(30));
        config.set("max.poll.interval.ms", ms(silence));
        config
    }

    /// The settings of a client that queries a group's commits or reads single records, and is no member
    /// of a group.
    pub(super) fn reader(&self, group: &str) -> ClientConfig {
        let mut config = self.client("consumer");
        config.set("group.id", group);
        // The consumer resumes at the store's position. Commits are explicit, after a batch was applied,
        // and only there so that lag metrics are right.
        config.set("enable.auto.commit", "false");
        config.set("enable.auto.offset.store", "false");
        // A position that the log does not have is an error, and never replaced by another.
        config.set("auto.offset.reset", "error");
        config.set("allow.auto.create.topics", "false");
        // CAST writes no Kafka transactions. An unfinished transaction of another program must not stop
        // the consumers.
        config.set("isolation.level", "read_uncommitted");
        // Corrupted bytes must not become votes.
        config.set("check.crcs", "true");
        config.set("fetch.min.bytes", "1");
        // A partition that was assigned or sought in waits for the current fetch of the others. The
        // default is half a second.
        config.set("fetch.wait.max.ms", "100");
        config.set("fetch.max.bytes", FETCH_BYTES.to_string());
        config.set("max.partition.fetch.bytes", (2 * MAX_BYTES).to_string());
        config.set("receive.message.max.bytes", (4 * FETCH_BYTES).to_string());
        // The client's own buffer, beside the records that the reading thread has taken.
        let queued = self.prefetch_bytes.max(2 * MAX_BYTES);
        config.set("queued.max.messages.kbytes", (queued >> 10).to_string());
        config.set("queued.min.messages", "10000");
        // With the default of a second, reading would stop for that long whenever the queue was full.
        config.set("fetch.queue.backoff.ms", "10");
        config.set("fetch.error.backoff.ms", "100");
        config.set("socket.timeout.ms", "10000");
        config
    }

    /// The settings of an administrator's client.
    pub(super) fn admin(&self) -> ClientConfig {
        let mut config = self.client("admin");
        config.set("socket.timeout.ms", ms(self.request_timeout));
        config
    }

    /// The settings that all clients share.
    fn client(&self, role: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config.set("client.id", format!("cast-{role}"));
        config.set("message.max.bytes", (MAX_BYTES + FRAMING_BYTES).to_string());
        // The client reconnects to a restarted broker within about a second. The defaults back off to
        // ten seconds.
        config.set("reconnect.backoff.ms", "50");
        config.set("reconnect.backoff.max.ms", "1000");
        config.set("retry.backoff.ms", "50");
        config.set("retry.backoff.max.ms", "500");
        config.set("socket.connection.setup.timeout.ms", "5000");
        config.set("socket.nagle.disable", "true");
        // Detects a peer that vanished without closing an idle connection.
        config.set("socket.keepalive.enable", "true");
        config.set("topic.metadata.refresh.interval.ms", "60000");
        // A cluster may ask its clients for their metrics. They are not sent.
        config.set("enable.metrics.push", "false");
        config.set_log_level(RDKafkaLogLevel::Info);
        #[cfg(feature = "kafka-tls")]
        self.security.apply(&mut config);
        config
    }
}

/// Whole milliseconds, at least one.
fn ms(duration: Duration) -> String {
    duration.as_millis().max(1).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_accepts_every_setting() {
        let mut options = KafkaOptions::new("127.0.0.1:1", "votes");
        for protocol in [GroupProtocol::Classic, GroupProtocol::Consumer] {
            options.protocol = protocol;
            options
                .consumer("group")
                .create::<rdkafka::consumer::BaseConsumer>()
                .expect("settings of a consumer");
        }
        options
            .producer()
            .create::<rdkafka::producer::BaseProducer>()
            .expect("settings of a producer");
        options
            .admin()
            .create::<rdkafka::admin::AdminClient<_>>()
            .expect("settings of an administrator");
    }

    #[cfg(feature = "kafka-tls")]
    #[test]
    fn the_client_supports_tls_and_sasl() {
        let url = "kafkas://me:secret@127.0.0.1:1/votes?sasl=scram-sha-512";
        let options: KafkaOptions = url.parse().expect("a URL");
        options
            .producer()
            .create::<rdkafka::producer::BaseProducer>()
            .expect("settings of a producer");
    }

    #[test]
    fn a_record_of_the_largest_size_is_within_every_limit() {
        let options = KafkaOptions::new("127.0.0.1:1", "votes");
        let limit = |config: &ClientConfig, name| {
            config.get(name).and_then(|text| text.parse::<usize>().ok())
        };
        let (producer, consumer) = (options.producer(), options.consumer("group"));
        assert!(limit(&producer, "message.max.bytes") > Some(MAX_BYTES));
        assert!(limit(&consumer, "max.partition.fetch.bytes") > Some(MAX_BYTES));
        assert!(limit(&consumer, "queued.max.messages.kbytes") > Some(MAX_BYTES >> 10));
        let received = limit(&consumer, "receive.message.max.bytes");
        assert!(received > limit(&consumer, "fetch.max.bytes").map(|bytes| bytes + 512));
    }
}
