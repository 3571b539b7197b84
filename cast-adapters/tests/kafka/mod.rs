//! The log in a topic of its own, as the contract suite wants it, and what tests do to it from
//! outside.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cast_adapters::kafka::{GroupProtocol, KafkaBus, KafkaOptions};
use cast_core::{
    domain::{LogPosition, Offset, Partition, Partitions, Record},
    ports::{EventBus, PortError, Published},
};
use cast_testkit::{
    contract::{Harness, Skipped, event_bus::EventBusHarness},
    eventually,
    fixtures::Fixtures,
    servers::{self, Kafka, Topic},
};
use rdkafka::{
    ClientConfig, Offset as KafkaOffset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier},
    client::DefaultClientContext,
    producer::{BaseProducer, BaseRecord, Producer as _},
};

pub const PARTITIONS: Partitions = Partitions::new(3).expect("three");

/// How long something may take that should happen soon, on a machine that compiles beside it.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// A topic, and buses on it.
pub struct Log {
    topic: Topic,
    brokers: String,
    options: KafkaOptions,
}

impl Log {
    /// A topic of the server that all tests share. `None` where there is none.
    pub async fn shared() -> Option<Self> {
        Some(Self::on(servers::kafka().await?).await)
    }

    /// A topic of this server.
    pub async fn on(kafka: &Kafka) -> Self {
        let partitions = u16::try_from(PARTITIONS.count()).expect("a few");
        let topic = kafka.create_topic(partitions).await;
        let options = topic.url().parse().expect("a URL");
        Self {
            topic,
            brokers: kafka.brokers().to_owned(),
            options,
        }
    }

    pub fn with_protocol(mut self, protocol: GroupProtocol) -> Self {
        self.options.protocol = protocol;
        self
    }

    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    pub fn options(&self) -> KafkaOptions {
        self.options.clone()
    }

    pub async fn connect(&self) -> KafkaBus {
        connect(self.options()).await
    }

    pub fn admin(&self) -> AdminClient<DefaultClientContext> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config.create().expect("an administrator's client")
    }

    /// Appends bytes as they are.
    pub fn append(&self, partition: Partition, bytes: &[u8]) {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        let producer: BaseProducer = config.create().expect("a producer");
        let number = i32::try_from(partition.get()).expect("a few");
        let record = BaseRecord::<(), [u8]>::to(self.topic.name()).partition(number);
        let sent = producer.send(record.payload(bytes));
        sent.map_err(|(error, _)| error).expect("it is sent");
        producer.flush(PATIENCE).expect("it arrives");
    }

    async fn set(&self, name: &str, value: &str) {
        let topic = ResourceSpecifier::Topic(self.topic.name());
        let change = AlterConfig::new(topic).set(name, value);
        let changed = self.admin().alter_configs([&change], &AdminOptions::new()).await;
        let changed = changed.expect("the cluster answers").pop();
        changed.expect("an answer").expect("the topic is changed");
    }
}

/// Connects, as a server does: until the cluster says that the new topic is there.
pub async fn connect(options: KafkaOptions) -> KafkaBus {
    eventually(PATIENCE, "the log to be there", || async {
        KafkaBus::connect(options.clone()).await.ok()
    })
    .await
}

/// Positions of records that the log must have taken.
pub fn positions(results: Vec<Result<Published, PortError>>) -> Vec<LogPosition> {
    let position = |published: Result<Published, PortError>| {
        let published = published.unwrap_or_else(|error| panic!("{}", error.chain()));
        published.position.expect("the log tells the position")
    };
    results.into_iter().map(position).collect()
}

/// `count` records of one ballot each, the partitions taking turns.
pub fn records(fixtures: &Fixtures, count: usize) -> Vec<Record> {
    let homes = PARTITIONS.iter().cycle().take(count);
    homes.map(|home| fixtures.record(home, PARTITIONS, 1)).collect()
}

#[async_trait]
impl Harness for Log {
    fn patience(&self) -> Duration {
        PATIENCE
    }

    /// The topic goes with the harness.
    async fn close(&self) {}
}

#[async_trait]
impl EventBusHarness for Log {
    async fn open(&self) -> Arc<dyn EventBus> {
        Arc::new(self.connect().await)
    }

    async fn append_unreadable(&self, partition: Partition, bytes: &[u8]) -> Result<(), Skipped> {
        self.append(partition, bytes);
        Ok(())
    }

    /// A topic that wants more replicas than there are takes nothing.
    async fn obstruct(&self, obstructed: bool) -> Result<(), Skipped> {
        let replicas = if obstructed { "2" } else { "1" };
        self.set("min.insync.replicas", replicas).await;
        Ok(())
    }

    async fn truncate(&self, partition: Partition, before: Offset) -> Result<(), Skipped> {
        let mut list = TopicPartitionList::new();
        let number = i32::try_from(partition.get()).expect("a few");
        let before = i64::try_from(before.get()).expect("a few");
        list.add_partition_offset(self.topic.name(), number, KafkaOffset::Offset(before))
            .expect("an offset");
        let deleted = self.admin().delete_records(&list, &AdminOptions::new()).await;
        deleted.expect("the records are deleted");
        Ok(())
    }
}
