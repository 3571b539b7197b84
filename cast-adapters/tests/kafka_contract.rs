//! The log in Kafka passes the contract suite on a real server, with either
//! protocol of groups.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cast_adapters::kafka::{GroupProtocol, KafkaBus, KafkaOptions};
use cast_core::{
    domain::{Offset, Partition},
    ports::EventBus,
};
use cast_testkit::{
    contract::{Harness, Skipped, event_bus::EventBusHarness},
    servers::{self, Topic},
};
use rdkafka::{
    ClientConfig, Offset as KafkaOffset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    producer::{BaseProducer, BaseRecord, Producer as _},
};

#[path = "kafka/setting.rs"]
mod setting;

/// On a busy machine.
const PATIENCE: Duration = Duration::from_secs(45);

/// A new topic on the server that all tests share.
struct Log {
    topic: Topic,
    client: ClientConfig,
    options: KafkaOptions,
}

async fn log_with(protocol: GroupProtocol) -> Result<Log, Skipped> {
    let kafka = servers::kafka().await;
    let kafka = kafka.ok_or(Skipped::without_server())?;
    let topic = kafka.create_topic(3).await;
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", kafka.brokers());
    let mut options: KafkaOptions = topic.url().parse().expect("a URL");
    options.protocol = protocol;
    // The clauses are not about these timeouts, and a broker may not respond for seconds.
    options.request_timeout = Duration::from_secs(20);
    options.delivery_timeout = Duration::from_secs(10);
    Ok(Log {
        topic,
        client,
        options,
    })
}

mod classic {
    use super::{GroupProtocol, Log, Skipped, log_with};

    async fn log() -> Result<Log, Skipped> {
        log_with(GroupProtocol::Classic).await
    }

    cast_testkit::event_bus_contract!(log);
}

mod consumer {
    use super::{GroupProtocol, Log, Skipped, log_with};

    async fn log() -> Result<Log, Skipped> {
        log_with(GroupProtocol::Consumer).await
    }

    cast_testkit::event_bus_contract!(log);
}

impl Log {
    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client.create().expect("an administrator's client")
    }
}

fn number(partition: Partition) -> i32 {
    i32::try_from(partition.get()).expect("a few")
}

#[async_trait]
impl Harness for Log {
    fn patience(&self) -> Duration {
        PATIENCE
    }

    /// The topic is deleted with the harness.
    async fn close(&self) {}
}

#[async_trait]
impl EventBusHarness for Log {
    async fn open(&self) -> Arc<dyn EventBus> {
        let connected = KafkaBus::connect(self.options.clone()).await;
        Arc::new(connected.unwrap_or_else(|error| panic!("{}", error.chain())))
    }

    async fn append_unreadable(&self, partition: Partition, bytes: &[u8]) -> Result<(), Skipped> {
        let producer: BaseProducer = self.client.create().expect("a producer");
        let record = BaseRecord::<(), [u8]>::to(self.topic.name())
            .partition(number(partition))
            .payload(bytes);
        let sent = producer.send(record);
        sent.map_err(|(error, _)| error).expect("it is sent");
        producer.flush(PATIENCE).expect("it arrives");
        Ok(())
    }

    /// A topic that needs more replicas than there are refuses records.
    async fn obstruct(&self, obstructed: bool) -> Result<(), Skipped> {
        let replicas = if obstructed { "2" } else { "1" };
        let brokers = self.client.get("bootstrap.servers").expect("is set");
        setting::set(brokers, &self.topic, "min.insync.replicas", replicas).await;
        Ok(())
    }

    async fn truncate(&self, partition: Partition, before: Offset) -> Result<(), Skipped> {
        let mut list = TopicPartitionList::new();
        let before = i64::try_from(before.get()).expect("a few");
        let before = KafkaOffset::Offset(before);
        list.add_partition_offset(self.topic.name(), number(partition), before)
            .expect("an offset");
        let deleted = self
            .admin()
            .delete_records(&list, &AdminOptions::new())
            .await;
        deleted.expect("the records are deleted");
        Ok(())
    }
}
