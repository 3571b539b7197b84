//! The callbacks of a member's client: rebalances, its log, errors.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use cast_core::domain::{Offset, Partition};
use parking_lot::Mutex;
use rdkafka::{
    ClientContext, Offset as KafkaOffset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext},
    error::KafkaError,
    types::RDKafkaRespErr,
};

use super::{
    super::{
        context,
        numbers::{number, partition},
    },
    assignments::Assignments,
};

/// The reading thread calls them while it polls.
///
/// A newly assigned partition is not read at once, because its position is not known yet. The assignment
/// is acknowledged with an empty list, and the thread adds each partition when its position was looked
/// up. So a store that does not answer delays no rebalance.
pub(super) struct MemberContext {
    topic: String,
    assignments: Arc<Assignments>,
    /// The partitions that the client reads.
    pub(super) started: Mutex<BTreeSet<Partition>>,
    /// Counts the callbacks.
    events: AtomicU64,
    /// The text of the last error, which the error itself does not have.
    reason: Mutex<String>,
}

impl MemberContext {
    pub(super) fn new(topic: String, assignments: Arc<Assignments>) -> Self {
        Self {
            topic,
            assignments,
            started: Mutex::default(),
            events: AtomicU64::new(0),
            reason: Mutex::default(),
        }
    }

    /// The number of callbacks so far.
    pub(super) fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    pub(super) fn last_reason(&self) -> String {
        self.reason.lock().clone()
    }

    /// A list of partitions, for calls that need no offsets.
    pub(super) fn list_of(&self, of: impl IntoIterator<Item = Partition>) -> TopicPartitionList {
        self.list(of.into_iter().map(|partition| (partition, Offset::START)))
    }

    pub(super) fn list(
        &self,
        of: impl IntoIterator<Item = (Partition, Offset)>,
    ) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in of {
            let offset = i64::try_from(offset.get()).unwrap_or(i64::MAX);
            list.add_partition_offset(&self.topic, number(partition), KafkaOffset::Offset(offset))
                .expect("every number is a valid offset");
        }
        list
    }

    /// Commits without waiting. The client only logs a failure.
    pub(super) fn commit(&self, client: &BaseConsumer<Self>, offsets: Vec<(Partition, Offset)>) {
        if offsets.is_empty() {
            return;
        }
        if let Err(error) = client.commit(&self.list(offsets), CommitMode::Async) {
            tracing::debug!(target: "kafka", %error, "the offsets could not be committed");
        }
    }

    fn note_event(&self) {
        self.events.fetch_add(1, Ordering::Relaxed);
    }
}

impl ClientContext for MemberContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.note_event();
        context::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.note_event();
        context::note(&error, reason);
        reason.clone_into(&mut self.reason.lock());
    }
}

impl ConsumerContext for MemberContext {
    fn rebalance(
        &self,
        client: &BaseConsumer<Self>,
        event: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        self.note_event();
        let partitions: Vec<Partition> = list
            .elements()
            .iter()
            .filter_map(|element| partition(element.partition()))
            .collect();
        let answered = if event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            tracing::info!(?partitions, "partitions were assigned to this consumer");
            self.assignments.assign(&partitions);
            client.incremental_assign(&TopicPartitionList::new())
        } else {
            tracing::info!(?partitions, "partitions were revoked from this consumer");
            // This comes first: this member may not commit them after the revocation.
            self.commit(client, self.assignments.revoke(&partitions));
            let read = partitions.into_iter();
            let read = read.filter(|partition| self.started.lock().remove(partition));
            client.incremental_unassign(&self.list_of(read))
        };
        if let Err(error) = answered {
            tracing::warn!(target: "kafka", %error, "the rebalance could not be acknowledged");
        }
    }
}
