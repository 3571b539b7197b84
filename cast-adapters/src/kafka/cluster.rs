//! Queries to the cluster: the topic, its watermarks, and the offsets that groups have committed.

use std::{collections::HashMap, sync::Arc, time::Duration};

use cast_core::{
    domain::{Clock as _, Offset, Partition, Partitions},
    ports::GroupName,
};
use parking_lot::Mutex;
use rdkafka::{
    Offset as KafkaOffset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    metadata::MetadataPartition,
    types::RDKafkaErrorCode,
};

use super::{
    blocking,
    context::LoggingContext,
    error::{Error, is_changing_leader},
    numbers::{number, offset},
    options::KafkaOptions,
    producer::Sender,
};
use crate::system::SystemClock;

/// How many groups' clients are cached. A process asks about one or two groups.
const MAX_GROUPS: usize = 8;

/// How long to wait before a query is repeated while a leader is being elected.
pub(super) const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// The watermarks of a partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    /// The offset of the first record that retention has kept.
    pub(super) start: Offset,
    /// The offset that the next record will have.
    pub(super) end: Offset,
}

impl Ends {
    /// Refuses an offset from which the partition cannot be read without a gap.
    pub(super) fn check(self, partition: Partition, from: Offset) -> Result<(), Error> {
        let Self { start, end } = self;
        if from > end {
            Err(Error::BeyondEnd {
                partition,
                from,
                end,
            })
        } else if from < start {
            Err(Error::BeforeStart {
                partition,
                from,
                start,
            })
        } else {
            Ok(())
        }
    }
}

/// The current number of partitions of the topic.
pub(super) async fn partitions(sender: &Arc<Sender>) -> Result<Partitions, Error> {
    ask(sender, |sender| {
        let (topic, brokers) = (&sender.options.topic, &sender.options.brokers);
        let metadata = sender
            .client()
            .fetch_metadata(Some(topic), sender.options.request_timeout)
            .map_err(|error| sender.query_error(error))?;
        sender.was_reached();
        let no_topic = || Error::NoTopic {
            topic: topic.clone(),
            brokers: brokers.clone(),
        };
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        let found = found.ok_or_else(no_topic)?;
        match found.error().map(RDKafkaErrorCode::from) {
            None => {}
            Some(RDKafkaErrorCode::UnknownTopicOrPartition) => return Err(no_topic()),
            Some(code) => return Err(Error::Ask(KafkaError::MetadataFetch(code))),
        }
        // A replica may be missing; a leader may not.
        let leaderless = |partition: &&MetadataPartition| partition.leader() < 0;
        if let Some(partition) = found.partitions().iter().find(leaderless) {
            return Err(Error::NoLeader {
                topic: topic.clone(),
                partition: partition.id(),
            });
        }
        let count = u32::try_from(found.partitions().len()).ok();
        count.and_then(Partitions::new).ok_or_else(no_topic)
    })
    .await
}

/// The watermarks of some partitions, from their leaders.
pub(super) async fn ends(
    sender: &Arc<Sender>,
    partitions: &[Partition],
) -> Result<Vec<Ends>, Error> {
    let partitions: Arc<[Partition]> = partitions.into();
    ask(sender, move |sender| {
        let ends = |partition: &Partition| {
            let (topic, timeout) = (&sender.options.topic, sender.options.request_timeout);
            let marks = sender
                .client()
                .fetch_watermarks(topic, number(*partition), timeout);
            let (start, end) = marks.map_err(|error| sender.query_error(error))?;
            Ok(Ends {
                start: offset(start).unwrap_or_default(),
                end: offset(end).unwrap_or_default(),
            })
        };
        partitions.iter().map(ends).collect()
    })
    .await
}

/// Asks the cluster, and again while a partition elects a leader: for a moment after a broker stops, or
/// after the topic was created.
async fn ask<T: Send + 'static>(
    sender: &Arc<Sender>,
    query: impl Fn(&Sender) -> Result<T, Error> + Clone + Send + 'static,
) -> Result<T, Error> {
    let began = SystemClock.monotonic();
    loop {
        let (asked, query) = (Arc::clone(sender), query.clone());
        let answer = blocking::run(move || query(&asked)).await;
        let is_passing = match &answer {
            Err(Error::NoLeader { .. }) => true,
            Err(Error::Ask(error)) => error.rdkafka_error_code().is_some_and(is_changing_leader),
            _ => false,
        };
        let waited = SystemClock.monotonic().saturating_sub(began);
        if !is_passing || waited > sender.options.request_timeout {
            return answer;
        }
        SystemClock.sleep(RETRY_INTERVAL).await;
    }
}

/// The committed offsets of groups. There is one client for each group.
pub(super) struct Groups {
    options: Arc<KafkaOptions>,
    clients: Mutex<Clients>,
}

type Clients = HashMap<GroupName, Arc<BaseConsumer<LoggingContext>>>;

impl Groups {
    pub(super) fn new(options: Arc<KafkaOptions>) -> Self {
        Self {
            options,
            clients: Mutex::default(),
        }
    }

    /// The offsets that `group` has committed for some partitions; `None` where it has not.
    pub(super) async fn committed(
        self: &Arc<Self>,
        group: &GroupName,
        partitions: Vec<Partition>,
    ) -> Result<Vec<Option<Offset>>, Error> {
        let (groups, group) = (Arc::clone(self), group.clone());
        blocking::run(move || {
            let client = groups.client(&group)?;
            let topic = &groups.options.topic;
            let mut asked = TopicPartitionList::with_capacity(partitions.len());
            for partition in &partitions {
                asked.add_partition(topic, number(*partition));
            }
            let answer = client.committed_offsets(asked, groups.options.request_timeout);
            drain(&client);
            let answer = answer.map_err(Error::Ask)?;
            let of = |partition: Partition| {
                let committed = answer.find_partition(topic, number(partition))?;
                match committed.offset() {
                    KafkaOffset::Offset(at) => offset(at),
                    _ => None,
                }
            };
            Ok(partitions.into_iter().map(of).collect())
        })
        .await
    }

    fn client(&self, group: &GroupName) -> Result<Arc<BaseConsumer<LoggingContext>>, Error> {
        let mut clients = self.clients.lock();
        if let Some(client) = clients.get(group) {
            return Ok(Arc::clone(client));
        }
        let config = self.options.reader(group.as_str());
        let client: BaseConsumer<LoggingContext> = config
            .create_with_context(LoggingContext)
            .map_err(Error::Client)?;
        let client = Arc::new(client);
        if clients.len() >= MAX_GROUPS {
            retire(std::mem::take(&mut *clients));
        }
        clients.insert(group.clone(), Arc::clone(&client));
        Ok(client)
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        retire(std::mem::take(&mut *self.clients.lock()));
    }
}

/// Closes clients on another thread: closing waits for their threads.
fn retire(clients: Clients) {
    if !clients.is_empty() {
        // If no thread could be started, they were closed on this one.
        let _ = blocking::detach("kafka-groups", move || drop(clients));
    }
}

/// Delivers the log lines of a client that is never polled otherwise; they would accumulate.
fn drain(client: &BaseConsumer<LoggingContext>) {
    // `poll` returns `None` both after a log line and when there is none, so it is called several times.
    for _ in 0..32 {
        drop(client.poll(Duration::ZERO));
    }
}
