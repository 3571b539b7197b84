//! The client's settings: every one that a promise hangs on, with the reason.

use std::time::Duration;

use rdkafka::{ClientConfig, config::RDKafkaLogLevel};

use super::options::{GroupProtocol, KafkaOptions};
use crate::record::MAX_BYTES;

/// What Kafka adds to a record before it is on the wire or on disk, at most.
const FRAMING_BYTES: usize = 4_096;

/// How much of the log one answer brings, over all partitions. A larger record still comes.
const FETCH_BYTES: usize = 8 << 20;

/// How often the producer's statistics are told, the finest that there is. They alone say when a
/// producer has its id, without which it sends nothing.
pub(super) const STATISTICS_INTERVAL: Duration = Duration::from_secs(1);

impl KafkaOptions {
    /// The settings of a producer.
    pub(super) fn producer(&self) -> ClientConfig {
        let mut config = self.client("producer");
        let delivery_timeout = ms(self.delivery_timeout);
        // Promise 1: a record is acknowledged when every replica in sync has it. How many there must
        // be at least, the topic's min.insync.replicas says.
        config.set("acks", "all");
        // A retry inside the client must not put a record into the log twice, nor behind a later
        // one. Idempotence needs the next three as they are; set, they cannot change unnoticed.
        config.set("enable.idempotence", "true");
        config.set("max.in.flight.requests.per.connection", "5");
        config.set("retries", i32::MAX.to_string());
        config.set("queuing.strategy", "fifo");
        // One record that failed must not take the producer with it: what a gap means is ours to say.
        config.set("enable.gapless.guarantee", "false");
        // The default is five minutes: every voter would be gone, and the record might still arrive.
        config.set("delivery.timeout.ms", &delivery_timeout);
        // The brokers stop waiting for replicas when nobody waits for the brokers any more.
        config.set("request.timeout.ms", &delivery_timeout);
        // A broker that does not answer is left for another, or tried again, within the deadline.
        config.set("socket.timeout.ms", &delivery_timeout);
        // A flush is a batch already. Waiting for more only adds to each vote's time.
        config.set("linger.ms", "0");
        config.set("compression.type", "none");
        // A topic that is not there is a mistake in the setup. Made up by a broker, it would have
        // whatever number of partitions and replicas is the default there.
        config.set("allow.auto.create.topics", "false");
        // The bound on what waits. Beyond it enqueueing fails at once, and is told as unavailable.
        let queued = self.max_unacknowledged_bytes.max(2 * MAX_BYTES);
        config.set("queue.buffering.max.kbytes", (queued >> 10).to_string());
        config.set("queue.buffering.max.messages", "100000");
        // Of what was delivered the position is wanted, so successes are reported too.
        config.set("delivery.report.only.error", "false");
        config.set(
            "statistics.interval.ms",
            STATISTICS_INTERVAL.as_millis().to_string(),
        );
        config
    }

    /// The settings of a member of a group.
    pub(super) fn consumer(&self, group: &str) -> ClientConfig {
        let mut config = self.reader(group);
        let session_timeout = self.session_timeout.max(Duration::from_millis(500));
        match self.protocol {
            GroupProtocol::Classic => {
                config.set("group.protocol", "classic");
                // Partitions that stay with a member are read on while others move.
                config.set("partition.assignment.strategy", "cooperative-sticky");
                config.set("session.timeout.ms", ms(session_timeout));
                // Members learn from it that others have come or gone, so it decides how long a
                // rebalance takes.
                let heartbeat = (session_timeout / 10).min(Duration::from_secs(1));
                config.set("heartbeat.interval.ms", ms(heartbeat));
            }
            GroupProtocol::Consumer => {
                config.set("group.protocol", "consumer");
            }
        }
        // The reading thread polls several times a second whatever becomes of what it reads, so a
        // longer silence means that the process stands still.
        let silence = session_timeout.max(Duration::from_secs(30));
        config.set("max.poll.interval.ms", ms(silence));
        config
    }

    /// The settings of what asks for a group's commits, or reads single records, and is a member of
    /// nothing.
    pub(super) fn reader(&self, group: &str) -> ClientConfig {
        let mut config = self.client("consumer");
        config.set("group.id", group);
        // The store says where reading starts. A commit is made when a batch was applied, by hand,
        // and feeds the lag alone.
        config.set("enable.auto.commit", "false");
        config.set("enable.auto.offset.store", "false");
        // A position that the log does not have is told, never replaced by another.
        config.set("auto.offset.reset", "error");
        config.set("allow.auto.create.topics", "false");
        // Nobody writes in transactions here. If somebody does and stops half way, the readers must
        // not stand still.
        config.set("isolation.level", "read_uncommitted");
        // Bit rot must not become votes.
        config.set("check.crcs", "true");
        config.set("fetch.min.bytes", "1");
        // A partition that is taken up, or sought in, waits for the question that is under way about
        // the others. The default is half a second.
        config.set("fetch.wait.max.ms", "100");
        config.set("fetch.max.bytes", FETCH_BYTES.to_string());
        config.set("max.partition.fetch.bytes", (2 * MAX_BYTES).to_string());
        config.set("receive.message.max.bytes", (4 * FETCH_BYTES).to_string());
        // What the client holds besides what the reader has taken from it.
        let queued = self.prefetch_bytes.max(2 * MAX_BYTES);
        config.set("queued.max.messages.kbytes", (queued >> 10).to_string());
        config.set("queued.min.messages", "10000");
        // The default is a second, and would be felt whenever the queue was full for a moment.
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

    /// What all clients share.
    fn client(&self, role: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config.set("client.id", format!("cast-{role}"));
        config.set("message.max.bytes", (MAX_BYTES + FRAMING_BYTES).to_string());
        // A server that was away is found again within a second or so. The defaults grow to ten.
        config.set("reconnect.backoff.ms", "50");
        config.set("reconnect.backoff.max.ms", "1000");
        config.set("retry.backoff.ms", "50");
        config.set("retry.backoff.max.ms", "500");
        config.set("socket.connection.setup.timeout.ms", "5000");
        config.set("socket.nagle.disable", "true");
        // A peer that vanished without a word is noticed on an idle connection too.
        config.set("socket.keepalive.enable", "true");
        config.set("topic.metadata.refresh.interval.ms", "60000");
        // A cluster may ask its clients for their metrics; it is not told.
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
    fn the_client_takes_every_setting() {
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
    fn the_client_can_do_tls_and_sasl() {
        let url = "kafkas://me:secret@127.0.0.1:1/votes?sasl=scram-sha-512";
        let options: KafkaOptions = url.parse().expect("a URL");
        options
            .producer()
            .create::<rdkafka::producer::BaseProducer>()
            .expect("settings of a producer");
    }

    #[test]
    fn a_full_record_fits_wherever_it_passes() {
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
