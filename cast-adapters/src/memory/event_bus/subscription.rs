//! A member of a group, which reads the log.

use std::sync::Arc;

use async_trait::async_trait;
use cast_core::{
    domain::{LogBatch, Offset, Partition},
    ports::{GroupName, PortError, ResumeFrom, Subscription},
};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{group::Assignment, log::Log};

pub(super) struct MemorySubscription {
    log: Arc<Mutex<Log>>,
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

impl MemorySubscription {
    pub(super) fn join(
        log: Arc<Mutex<Log>>,
        group: &GroupName,
        max_ballots: usize,
        resume: Arc<dyn ResumeFrom>,
    ) -> Self {
        let wake = Arc::new(Notify::new());
        let member = log.lock().join(group, Arc::clone(&wake));
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
        let log = self.log.lock();
        let group = log.group(&self.group);
        let changed = group.assignments_since(self.generation, self.member);
        drop(log);
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
    fn step(&mut self) -> Result<Step, PortError> {
        let count = self.readings.len();
        for at in (1..=count).map(|ahead| (self.last_served + ahead) % count) {
            let reading = &mut self.readings[at];
            let Some(position) = reading.position else {
                self.last_served = at;
                return Ok(Step::Resume(at));
            };
            let log = self.log.lock();
            let log = log.partition(reading.assignment.partition, "reading the log")?;
            match log.read(position, self.max_ballots) {
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
impl Subscription for MemorySubscription {
    async fn next(&mut self) -> Result<LogBatch, PortError> {
        // A position moves only in `step`, right before its batch is returned: wherever this
        // future is dropped, nothing is skipped.
        loop {
            self.follow_group();
            match self.step()? {
                Step::Deliver(batch) => return Ok(batch),
                Step::Resume(at) => {
                    let partition = self.readings[at].assignment.partition;
                    let progress = self.resume.resume_from(partition).await?;
                    let log = self.log.lock();
                    let log = log.partition(partition, "reading the log")?;
                    log.check_progress(progress)?;
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
            let log = self.log.lock();
            log.partition(partition, "seeking in the log")?
                .check(next)?;
            reading.position = Some(next);
        }
        Ok(())
    }

    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        let trimmed = self.log.lock().commit(&self.group, partition, next);
        // The lock is released here, before the trimmed records are freed.
        trimmed.map(drop)
    }

    async fn close(self: Box<Self>) -> Result<(), PortError> {
        // Dropping it leaves the group.
        Ok(())
    }
}

impl Drop for MemorySubscription {
    fn drop(&mut self) {
        let trimmed = self.log.lock().leave(&self.group, self.member);
        // The lock is released here, before the trimmed records are freed.
        drop(trimmed);
    }
}
