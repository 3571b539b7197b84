//! A member of a group, which reads the log.

use std::sync::Arc;

use async_trait::async_trait;
use cast_core::{
    domain::{LogBatch, Offset, Partition, Progress},
    ports::{GroupName, PortError, ResumeFrom, Subscription},
};
use tokio::sync::Notify;

use super::group::Assignment;

/// A log with groups, as their members use it.
pub(crate) trait GroupedLog: Send + Sync + 'static {
    /// Joins a group as a new member, to be woken by `wake`; returns the member's id.
    fn join(&self, group: &GroupName, wake: Arc<Notify>) -> u64;

    /// Leaves a group.
    fn leave(&self, group: &GroupName, member: u64);

    /// The partitions of a member and the generation of the assignment; `None` if that is still `seen`.
    fn assignments_since(
        &self,
        group: &GroupName,
        seen: u64,
        member: u64,
    ) -> Option<(u64, Vec<Assignment>)>;

    /// The records of a partition from `from` on: at least one, and otherwise no more than `max_ballots`
    /// ballots. `None` at the end of the log. The owner of a partition is woken after each append.
    fn read(
        &self,
        partition: Partition,
        from: Offset,
        max_ballots: usize,
    ) -> impl Future<Output = Result<Option<LogBatch>, PortError>> + Send;

    /// Refuses an offset from which the partition cannot be read without a gap.
    fn check(
        &self,
        partition: Partition,
        from: Offset,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Refuses a progress of another log, or from which the partition cannot be read without a gap.
    fn check_progress(
        &self,
        partition: Partition,
        progress: Progress,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Notes that a member of a group resumes a partition at `next`.
    fn resumed(&self, _group: &GroupName, _partition: Partition, _next: Offset) {}

    /// Moves a group's commit forward, to the end of the partition at most.
    fn commit(
        &self,
        group: &GroupName,
        partition: Partition,
        next: Offset,
    ) -> Result<(), PortError>;
}

pub(crate) struct GroupSubscription<L: GroupedLog> {
    log: Arc<L>,
    group: GroupName,
    max_ballots: usize,
    resume: Arc<dyn ResumeFrom>,
    member: u64,
    wake: Arc<Notify>,
    /// The generation of the group's assignment that `readings` follow.
    generation: u64,
    readings: Vec<Reading>,
    /// The reading of the last batch. The next batch is of a later one, so that none starves.
    last_served: usize,
}

/// A partition that is assigned to this member.
struct Reading {
    assignment: Assignment,
    /// The next offset to read; `None` until the position was looked up.
    position: Option<Offset>,
}

/// The next thing to do.
enum Step {
    Resume(usize),
    Deliver(LogBatch),
    Wait,
}

impl<L: GroupedLog> GroupSubscription<L> {
    pub(crate) fn join(
        log: Arc<L>,
        group: &GroupName,
        max_ballots: usize,
        resume: Arc<dyn ResumeFrom>,
    ) -> Self {
        let wake = Arc::new(Notify::new());
        let member = log.join(group, Arc::clone(&wake));
        Self {
            log,
            group: group.clone(),
            max_ballots,
            resume,
            member,
            wake,
            // The generations of a group with members begin at 1, so the first assignment is new.
            generation: 0,
            readings: Vec::new(),
            last_served: 0,
        }
    }

    /// Takes the latest assignment of the group. A partition that stayed with this member continues at its
    /// position; the position of a new one is looked up.
    fn follow_group(&mut self) {
        let seen = self.generation;
        let changed = self.log.assignments_since(&self.group, seen, self.member);
        let Some((generation, assignments)) = changed else {
            return;
        };
        self.generation = generation;
        let before = std::mem::take(&mut self.readings);
        self.readings = assignments
            .into_iter()
            .map(|assignment| Reading {
                assignment,
                position: before
                    .iter()
                    .find(|reading| reading.assignment == assignment)
                    .and_then(|reading| reading.position),
            })
            .collect();
    }

    /// Looks at the readings round robin, from the one after the last that was served.
    async fn step(&mut self) -> Result<Step, PortError> {
        let count = self.readings.len();
        for at in (1..=count).map(|ahead| (self.last_served + ahead) % count) {
            let reading = &mut self.readings[at];
            let Some(position) = reading.position else {
                self.last_served = at;
                return Ok(Step::Resume(at));
            };
            let partition = reading.assignment.partition;
            match self.log.read(partition, position, self.max_ballots).await {
                Ok(None) => {}
                Ok(Some(batch)) => {
                    self.last_served = at;
                    reading.position = Some(batch.next);
                    return Ok(Step::Deliver(batch));
                }
                Err(error) => {
                    // Looked up again next time: the store may have been replaced.
                    self.last_served = at;
                    reading.position = None;
                    return Err(error);
                }
            }
        }
        Ok(Step::Wait)
    }
}

#[async_trait]
impl<L: GroupedLog> Subscription for GroupSubscription<L> {
    async fn next(&mut self) -> Result<LogBatch, PortError> {
        // A position moves only in `step`, right before its batch is returned: wherever this
        // future is dropped, nothing is skipped.
        loop {
            self.follow_group();
            match self.step().await? {
                Step::Deliver(batch) => return Ok(batch),
                Step::Resume(at) => {
                    let partition = self.readings[at].assignment.partition;
                    let progress = self.resume.resume_from(partition).await?;
                    self.log.check_progress(partition, progress).await?;
                    self.log.resumed(&self.group, partition, progress.next);
                    self.readings[at].position = Some(progress.next);
                }
                Step::Wait => self.wake.notified().await,
            }
        }
    }

    async fn seek(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        self.follow_group();
        let is_its = |reading: &&mut Reading| reading.assignment.partition == partition;
        if let Some(reading) = self.readings.iter_mut().find(is_its) {
            self.log.check(partition, next).await?;
            reading.position = Some(next);
        }
        Ok(())
    }

    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        self.log.commit(&self.group, partition, next)
    }

    async fn close(self: Box<Self>) -> Result<(), PortError> {
        // Dropping it leaves the group.
        Ok(())
    }
}

impl<L: GroupedLog> Drop for GroupSubscription<L> {
    fn drop(&mut self) {
        self.log.leave(&self.group, self.member);
    }
}
