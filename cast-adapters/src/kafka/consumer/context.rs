//! What a member's client tells by itself: partitions that come and go, its log, errors.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use cast_core::domain::{Offset, Partition};
use rdkafka::{
    ClientContext, Offset as KafkaOffset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext},
    error::KafkaError,
    types::RDKafkaRespErr,
};

use super::{
    super::{
        cluster::{number, partition},
        context,
    },
    assignments::Assignments,
};

/// All of it is called by the reading thread, while it polls.
///
/// A partition that comes to this member is not read at once: nobody knows yet from where. The group
/// is answered with nothing, and each partition is taken up when its place is known. Until then
/// others can come and go, so that a store that does not answer holds no rebalance up.
pub(super) struct MemberContext {
    topic: String,
    assignments: Arc<Assignments>,
    /// The partitions that the client reads.
    started: Mutex<BTreeSet<Partition>>,
    /// Counts what the client told.
    events: AtomicU64,
    /// What the last error was about; the error itself does not say.
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

    /// How often the client told something.
    pub(super) fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    pub(super) fn last_reason(&self) -> String {
        lock(&self.reason).clone()
    }

    pub(super) fn has_started(&self, partition: Partition) {
        lock(&self.started).insert(partition);
    }

    /// Whether the client was reading it, which it no longer is.
    pub(super) fn has_stopped(&self, partition: Partition) -> bool {
        lock(&self.started).remove(&partition)
    }

    /// The partitions that the client was reading, all of which it no longer is.
    pub(super) fn has_stopped_all(&self) -> TopicPartitionList {
        let stopped = std::mem::take(&mut *lock(&self.started));
        self.list(
            stopped
                .into_iter()
                .map(|partition| (partition, Offset::START)),
        )
    }

    /// The partitions that the client reads.
    pub(super) fn started(&self) -> TopicPartitionList {
        let started = lock(&self.started);
        self.list(started.iter().map(|&partition| (partition, Offset::START)))
    }

    pub(super) fn list(
        &self,
        of: impl IntoIterator<Item = (Partition, Offset)>,
    ) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in of {
            let offset = i64::try_from(offset.get()).unwrap_or(i64::MAX);
            list.add_partition_offset(&self.topic, number(partition), KafkaOffset::Offset(offset))
                .expect("an offset that is a number can be written down");
        }
        list
    }

    /// Commits without waiting. The client tells nobody when it is done, and logs when it failed.
    pub(super) fn commit(&self, client: &BaseConsumer<Self>, noted: Vec<(Partition, Offset)>) {
        if noted.is_empty() {
            return;
        }
        if let Err(error) = client.commit(&self.list(noted), CommitMode::Async) {
            tracing::debug!(target: "kafka", %error, "nothing was committed");
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
        reason.clone_into(&mut lock(&self.reason));
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
            tracing::info!(?partitions, "partitions came to this consumer");
            self.assignments.assign(&partitions);
            client.incremental_assign(&TopicPartitionList::new())
        } else {
            tracing::info!(?partitions, "partitions left this consumer");
            // Before they are given up: afterwards this member may not commit them any more.
            self.commit(client, self.assignments.revoke(&partitions));
            let read = partitions.into_iter().filter(|&one| self.has_stopped(one));
            let read: Vec<_> = read.map(|partition| (partition, Offset::START)).collect();
            client.incremental_unassign(&self.list(read))
        };
        if let Err(error) = answered {
            tracing::warn!(target: "kafka", %error, "the group was not answered");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
