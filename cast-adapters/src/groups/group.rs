//! A group: its members, and what it has committed of each partition.

use std::sync::Arc;

use cast_core::domain::Partition;
use tokio::sync::Notify;

/// A group of the log's readers.
pub(crate) struct Group {
    /// In the order in which they joined.
    members: Vec<Member>,
    next_member: u64,
    /// How often the partitions were assigned.
    generation: u64,
    pub(crate) partitions: Vec<GroupPartition>,
}

struct Member {
    id: u64,
    wake: Arc<Notify>,
}

/// A partition, as one group reads it.
pub(crate) struct GroupPartition {
    /// The group has committed the records before this offset.
    pub(crate) committed: u64,
    /// Whether the group has ever committed here.
    pub(crate) has_committed: bool,
    /// The member that reads the partition.
    owner: Option<u64>,
    /// The generation of the assignment to that member.
    since: u64,
}

/// A partition that is assigned to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) partition: Partition,
    /// The generation of the assignment. In between another member may have read the partition.
    pub(crate) since: u64,
}

impl Group {
    /// A group without members, which has committed the records before these offsets.
    pub(crate) fn new(starts: impl Iterator<Item = u64>) -> Self {
        let partition = |committed| GroupPartition {
            committed,
            has_committed: false,
            owner: None,
            since: 0,
        };
        Self {
            members: Vec::new(),
            next_member: 0,
            generation: 0,
            partitions: starts.map(partition).collect(),
        }
    }

    /// Adds a member, to be woken by `wake`; returns its id.
    pub(crate) fn join(&mut self, wake: Arc<Notify>) -> u64 {
        let id = self.next_member;
        self.next_member += 1;
        self.members.push(Member { id, wake });
        self.reassign();
        id
    }

    /// Removes a member; returns whether it was the last one.
    pub(crate) fn leave(&mut self, member: u64) -> bool {
        self.members.retain(|other| other.id != member);
        self.reassign();
        self.members.is_empty()
    }

    /// Assigns the partitions to the members by rank, and wakes all members.
    fn reassign(&mut self) {
        self.generation += 1;
        let mut ranks = self.members.iter().cycle();
        for partition in &mut self.partitions {
            let owner = ranks.next().map(|member| member.id);
            if partition.owner != owner {
                partition.owner = owner;
                partition.since = self.generation;
            }
        }
        for member in &self.members {
            member.wake.notify_one();
        }
    }

    /// Wakes the member that reads a partition.
    pub(crate) fn wake_owner(&self, partition: usize) {
        let owner = self.partitions[partition].owner;
        let owner = self.members.iter().find(|member| Some(member.id) == owner);
        if let Some(owner) = owner {
            // Stores a permit if the member does not wait, so that no wake-up is lost between its read of
            // the log and its wait.
            owner.wake.notify_one();
        }
    }

    /// The partitions of `member` and the current generation; `None` if that is still `seen`.
    pub(crate) fn assignments_since(
        &self,
        seen: u64,
        member: u64,
    ) -> Option<(u64, Vec<Assignment>)> {
        if self.generation == seen {
            return None;
        }
        let held = (0..)
            .zip(&self.partitions)
            .filter(|(_, partition)| partition.owner == Some(member))
            .map(|(number, partition)| Assignment {
                partition: Partition::new(number),
                since: partition.since,
            });
        Some((self.generation, held.collect()))
    }
}
