//! The topic: its producer, and the queries about it.

use std::{sync::Arc, time::Duration};

use cast_core::{
    domain::{Offset, Partition, Partitions},
    ports::{GroupName, PartitionLag, PortError},
};
use tokio::time::timeout;

use super::{
    cluster::{self, Ends, Groups},
    error::Error,
    newest_record,
    options::KafkaOptions,
    producer::{Producer, Sender},
    topic_settings::check_settings,
};

/// How long a producer may take to get its id from the cluster. The client asks for it half a second
/// after its start, and reports it a second later.
const READY_DEADLINE: Duration = Duration::from_secs(3);

/// One topic, with the clients that use it.
pub(super) struct Topic {
    pub(super) options: Arc<KafkaOptions>,
    /// How many partitions it had when the connection was established.
    partitions: Partitions,
    pub(super) producer: Producer,
    pub(super) groups: Arc<Groups>,
}

impl Topic {
    /// Connects to the leaders of all partitions, and checks the topic.
    pub(super) async fn connect(options: KafkaOptions) -> Result<Self, PortError> {
        let options = Arc::new(options);
        let connect = async {
            let sender = Sender::new(Arc::clone(&options)).await?;
            let partitions = cluster::partitions(&sender).await?;
            // This connects to all leaders, so the first vote does not wait for that.
            let all: Vec<_> = partitions.iter().collect();
            let ends = cluster::ends(&sender, &all).await?;
            check_count(&options, partitions, &ends).await?;
            let ready = timeout(READY_DEADLINE, sender.ready());
            let (settings_checked, ready) = tokio::join!(check_settings(&sender), ready);
            settings_checked?;
            if ready.is_err() {
                // It may get the id later. Until then published records wait, or time out.
                tracing::warn!(
                    "the producer has no id from the cluster yet; votes wait until it has"
                );
            }
            Ok::<_, Error>((sender, partitions))
        };
        let (sender, partitions) = connect
            .await
            .map_err(|error| error.with_operation("connecting to the log"))?;
        Ok(Self {
            producer: Producer::new(partitions, sender),
            partitions,
            groups: Arc::new(Groups::new(Arc::clone(&options))),
            options,
        })
    }

    /// The current number of partitions; an error if it has changed.
    pub(super) async fn partitions(&self) -> Result<Partitions, PortError> {
        let found = cluster::partitions(&self.producer.sender()).await;
        let unchanged = found.and_then(|found| {
            let why = "the topic had that many when this server started";
            expect(&self.options, found, self.partitions, why).map(|()| found)
        });
        unchanged.map_err(|error| error.with_operation("reading the number of partitions"))
    }

    /// Refuses an offset from which a partition cannot be read without a gap; returns its watermarks.
    pub(super) async fn check(&self, partition: Partition, from: Offset) -> Result<Ends, Error> {
        let ends = cluster::ends(&self.producer.sender(), &[partition]).await?;
        let ends = ends.into_iter().next().ok_or(Error::TimedOut)?;
        ends.check(partition, from)?;
        Ok(ends)
    }

    /// The lag of `group`, by partition.
    pub(super) async fn lag(&self, group: &GroupName) -> Result<Vec<PartitionLag>, PortError> {
        let partitions: Vec<_> = self.partitions.iter().collect();
        let ask = async {
            let committed = self.groups.committed(group, partitions.clone()).await?;
            // The ends come second, so that no commit of the meantime is beyond them.
            let ends = cluster::ends(&self.producer.sender(), &partitions).await?;
            let each = partitions.into_iter().zip(ends).zip(committed);
            let lag = each.map(|((partition, ends), committed)| PartitionLag {
                partition,
                committed: committed.unwrap_or(ends.start),
                end: ends.end,
            });
            Ok::<_, Error>(lag.collect())
        };
        ask.await
            .map_err(|error| error.with_operation("reading the lag of a group"))
    }
}

/// Refuses a topic with an unexpected number of partitions.
async fn check_count(
    options: &Arc<KafkaOptions>,
    found: Partitions,
    ends: &[Ends],
) -> Result<(), Error> {
    if let Some(expected) = options.partitions {
        return expect(options, found, expected, "the log's URL says so");
    }
    let written = newest_record::partitions_when_written(options, ends).await?;
    let why = "the newest record was written for that many";
    expect(options, found, written.unwrap_or(found), why)
}

fn expect(
    options: &KafkaOptions,
    found: Partitions,
    expected: Partitions,
    why: &'static str,
) -> Result<(), Error> {
    if found == expected {
        return Ok(());
    }
    Err(Error::PartitionsChanged {
        topic: options.topic.clone(),
        found: found.count(),
        expected: expected.count(),
        why,
    })
}
