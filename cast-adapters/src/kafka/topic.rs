//! The topic: what is sent to it, and what can be asked about it.

use std::{sync::Arc, time::Duration};

use cast_core::{
    domain::{Offset, Partition, Partitions},
    ports::{GroupName, PartitionLag, PortError},
};
use tokio::time::timeout;

use super::{
    cluster::{self, Ends, Groups},
    error::Error,
    inspect::inspect,
    newest,
    options::KafkaOptions,
    producer::{Producer, Sender},
};

const CONNECTING: &str = "connecting to the log";
const COUNTING: &str = "asking the log for its partitions";
const LAGGING: &str = "asking the log how far a group is";

/// How long a producer may take to get its id from the cluster. It is asked for half a second after
/// the start, and told of a second after.
const READY_DEADLINE: Duration = Duration::from_secs(3);

/// One topic, with the connections to it.
pub(super) struct Topic {
    options: Arc<KafkaOptions>,
    /// How many partitions it had when this was connected.
    partitions: Partitions,
    producer: Producer,
    groups: Arc<Groups>,
}

impl Topic {
    /// Connects to all that a record may be sent to, and checks that the topic is what it must be.
    pub(super) async fn connect(options: KafkaOptions) -> Result<Self, PortError> {
        let options = Arc::new(options);
        let connect = async {
            let sender = Sender::new(&options).await?;
            let partitions = cluster::partitions(&options, &sender).await?;
            // Asked of their leaders, and with that connects to them: the first voter should not
            // wait for it.
            let all: Vec<_> = partitions.iter().collect();
            let ends = cluster::ends(&options, &sender, &all).await?;
            check_count(&options, partitions, &ends).await?;
            let ready = timeout(READY_DEADLINE, sender.ready());
            let (inspected, ready) = tokio::join!(inspect(&options, &sender), ready);
            inspected?;
            if ready.is_err() {
                // It may get it later; what is published meanwhile waits or times out.
                tracing::warn!("the producer has no id from the cluster yet");
            }
            Ok::<_, Error>((sender, partitions))
        };
        let (sender, partitions) = connect.await.map_err(|error| error.while_(CONNECTING))?;
        Ok(Self {
            producer: Producer::new(Arc::clone(&options), partitions, sender),
            partitions,
            groups: Arc::new(Groups::new(Arc::clone(&options))),
            options,
        })
    }

    pub(super) fn options(&self) -> &KafkaOptions {
        &self.options
    }

    pub(super) const fn producer(&self) -> &Producer {
        &self.producer
    }

    /// How many partitions it has: as many as when this was connected, or something is wrong.
    pub(super) async fn partitions(&self) -> Result<Partitions, PortError> {
        let found = cluster::partitions(&self.options, &self.producer.sender()).await;
        let unchanged = found.and_then(|found| {
            let why = "there were as many when this server started";
            expect(&self.options, found, self.partitions, why)
        });
        unchanged.map_err(|error| error.while_(COUNTING))
    }

    /// Refuses an offset from which a partition cannot be read without a gap; tells its ends.
    pub(super) async fn check(&self, partition: Partition, from: Offset) -> Result<Ends, Error> {
        let sender = self.producer.sender();
        let ends = cluster::ends(&self.options, &sender, &[partition]).await?;
        let ends = ends.into_iter().next().ok_or(Error::TimedOut)?;
        ends.check(partition, from)?;
        Ok(ends)
    }

    /// What `group` has committed of some partitions; `None` where it has not.
    pub(super) async fn committed(
        &self,
        group: &GroupName,
        partitions: Vec<Partition>,
    ) -> Result<Vec<Option<Offset>>, Error> {
        self.groups.committed(group, partitions).await
    }

    /// How far `group` is behind, by partition.
    pub(super) async fn lag(&self, group: &GroupName) -> Result<Vec<PartitionLag>, PortError> {
        let partitions: Vec<_> = self.partitions.iter().collect();
        let ask = async {
            let committed = self.committed(group, partitions.clone()).await?;
            // The ends second: what was committed meanwhile is not beyond them.
            let sender = self.producer.sender();
            let ends = cluster::ends(&self.options, &sender, &partitions).await?;
            Ok::<_, Error>(cluster::lag(&partitions, &ends, committed))
        };
        ask.await.map_err(|error| error.while_(LAGGING))
    }
}

/// Refuses a topic with another number of partitions than it must have.
async fn check_count(
    options: &Arc<KafkaOptions>,
    found: Partitions,
    ends: &[Ends],
) -> Result<(), Error> {
    let (expected, why) = if options.partitions.is_some() {
        (options.partitions, "the settings say so")
    } else {
        let written_for = newest::written_for(options, ends).await?;
        (written_for, "the newest record was written for as many")
    };
    if let Some(expected) = expected {
        expect(options, found, expected, why)?;
    }
    Ok(())
}

fn expect(
    options: &KafkaOptions,
    found: Partitions,
    expected: Partitions,
    why: &'static str,
) -> Result<Partitions, Error> {
    if found == expected {
        return Ok(found);
    }
    Err(Error::PartitionsChanged {
        topic: options.topic.clone(),
        found: found.count(),
        expected: expected.count(),
        why,
    })
}
