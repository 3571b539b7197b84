//! A member of a consumer group: a thread that reads the log, and a subscription that returns batches.

mod assignments;
mod context;
mod partition;
mod reader;

use std::{panic::resume_unwind, sync::Arc, time::Duration};

use async_trait::async_trait;
use cast_core::{
    domain::{LogBatch, Offset, Partition},
    ports::{GroupName, PortError, ResumeFrom, Subscription},
};
use tokio::{sync::oneshot, task::JoinSet, time::timeout};

use self::{
    assignments::{Assignments, AwaitingPosition, ResumeLookup},
    partition::BufferSize,
};
use super::{blocking, error::Error, topic::Topic};

/// How long `close` waits until the member has left the group. The thread may take longer.
const LEAVE_DEADLINE: Duration = Duration::from_secs(5);

/// A member of a group. Its thread prefetches the records that this returns.
pub(super) struct KafkaSubscription {
    topic: Arc<Topic>,
    group: GroupName,
    max_ballots: usize,
    resume: Arc<dyn ResumeFrom>,
    assignments: Arc<Assignments>,
    /// The lookups of positions, each in a task: they continue when the future of `next` is dropped, and
    /// end with the subscription.
    lookups: JoinSet<(AwaitingPosition, Result<ResumeLookup, PortError>)>,
    has_left: oneshot::Receiver<()>,
}

impl KafkaSubscription {
    pub(super) async fn join(
        topic: Arc<Topic>,
        group: GroupName,
        max_ballots: usize,
        resume: Arc<dyn ResumeFrom>,
    ) -> Result<Self, PortError> {
        let options = Arc::clone(&topic.options);
        let assignments = Arc::new(Assignments::new(BufferSize {
            bytes: options.prefetch_bytes,
            // At least one batch.
            ballots: options.prefetch_ballots.max(max_ballots),
        }));
        let (left, has_left) = oneshot::channel();
        // If this future is dropped, so is the member, and the thread ends.
        let member = Self {
            topic,
            group: group.clone(),
            max_ballots,
            resume,
            assignments: Arc::clone(&assignments),
            lookups: JoinSet::new(),
            has_left,
        };
        let start = move || reader::start(&options, group.as_str(), assignments, left);
        let started = blocking::run(start).await;
        started.map_err(|error| error.with_operation("joining the group"))?;
        Ok(member)
    }

    /// Begins to look up the positions of newly assigned partitions.
    fn look_up_positions(&mut self) {
        for awaiting in self.assignments.awaiting_position() {
            let (topic, group) = (Arc::clone(&self.topic), self.group.clone());
            let resume = Arc::clone(&self.resume);
            self.lookups.spawn(async move {
                let lookup = look_up_position(&topic, &group, &*resume, awaiting.partition).await;
                (awaiting, lookup)
            });
        }
    }
}

/// Looks up where to resume a partition: at the store's position, if the log can be read from there.
async fn look_up_position(
    topic: &Topic,
    group: &GroupName,
    resume: &dyn ResumeFrom,
    partition: Partition,
) -> Result<ResumeLookup, PortError> {
    let mut at = resume.resume_from(partition).await?;
    let ends = topic.check(partition, at.next).await;
    let ends =
        ends.map_err(|error| error.with_operation("looking up the position to resume at"))?;
    // A record that retention removed cannot be compared.
    at.last = at.last.filter(|last| last.offset >= ends.start);
    let committed = topic.groups.committed(group, vec![partition]).await;
    let committed = committed.unwrap_or_else(|error| {
        // It is only there so that lag metrics are right, and the next commit corrects them.
        tracing::info!(%error, %group, "could not read the offsets that the group has committed");
        Vec::new()
    });
    let committed = committed.into_iter().next().flatten();
    Ok(ResumeLookup {
        at,
        committed: committed.unwrap_or_default(),
    })
}

#[async_trait]
impl Subscription for KafkaSubscription {
    async fn next(&mut self) -> Result<LogBatch, PortError> {
        // A position moves only in `take`, right before its batch is returned: wherever this future
        // is dropped, nothing is skipped.
        loop {
            self.look_up_positions();
            if let Some(batch) = self.assignments.take(self.max_ballots)? {
                return Ok(batch);
            }
            tokio::select! {
                () = self.assignments.changed() => {}
                Some(looked_up) = self.lookups.join_next() => {
                    let (awaiting, lookup) = looked_up.unwrap_or_else(|error| {
                        // The tasks are only aborted when this is dropped, so it is a panic.
                        resume_unwind(error.into_panic())
                    });
                    let is_awaited = self.assignments.position_found(awaiting, lookup.as_ref().ok().copied());
                    if let (true, Err(error)) = (is_awaited, lookup) {
                        return Err(error);
                    }
                }
            }
        }
    }

    async fn seek(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        if self.assignments.holds(partition) {
            let checked = self.topic.check(partition, next).await;
            checked.map_err(|error| error.with_operation("seeking in the log"))?;
            self.assignments.seek(partition, next);
        }
        Ok(())
    }

    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        self.assignments.commit(partition, next);
        Ok(())
    }

    async fn close(mut self: Box<Self>) -> Result<(), PortError> {
        self.assignments.close();
        match timeout(LEAVE_DEADLINE, &mut self.has_left).await {
            // The thread sent its message, or has ended.
            Ok(_) => Ok(()),
            Err(_) => Err(Error::TimedOut.with_operation("leaving the group")),
        }
    }
}

/// Makes the reading thread leave the group, and does not wait for it.
impl Drop for KafkaSubscription {
    fn drop(&mut self) {
        self.assignments.close();
    }
}
