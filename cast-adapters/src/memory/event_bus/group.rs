//! A group, and the assignment of partitions to its members.

use std::sync::Arc;

use cast_core::domain::{Partition, Partitions};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::partition::PartitionLog;

/// The members in the order in which they joined, and the partitions of each.
///
/// Lock order: the group before a partition. A partition's lock is never held while taking
/// another.
pub(super) struct Group {
    number: usize,
    membership: Mutex<Membership>,
}

struct Membership {
    members: Vec<Member>,
    next_member: u64,
    /// How often the partitions were assigned.
    generation: u64,
    /// By partition.
    owners: Vec<Owner>,
}

struct Member {
    id: u64,
    wake: Arc<Notify>,
}

/// The owner of a partition.
#[derive(Clone, Copy)]
struct Owner {
    member: Option<u64>,
    /// The generation of the assignment to that member.
    since: u64,
}

/// A partition that is assigned to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) partition: Partition,
    /// The generation of the assignment. In between another member may have read the partition.
    pub(super) since: u64,
}

impl Group {
    pub(super) fn new(number: usize, partitions: Partitions) -> Self {
        let unowned = Owner {
            member: None,
            since: 0,
        };
        Self {
            number,
            membership: Mutex::new(Membership {
                members: Vec::new(),
                next_member: 0,
                generation: 0,
                owners: partitions.iter().map(|_| unowned).collect(),
            }),
        }
    }

    /// Its index among the groups of the log.
    pub(super) const fn number(&self) -> usize {
        self.number
    }

    /// Adds a member, to be woken by `wake`; returns its id.
    pub(super) fn join(&self, wake: Arc<Notify>, logs: &[Mutex<PartitionLog>]) -> u64 {
        let mut membership = self.membership.lock();
        let id = membership.next_member;
        membership.next_member += 1;
        membership.members.push(Member { id, wake });
        membership.reassign(self.number, logs);
        id
    }

    /// Removes a member; returns whether it was the last one.
    pub(super) fn leave(&self, member: u64, logs: &[Mutex<PartitionLog>]) -> bool {
        let mut membership = self.membership.lock();
        membership.members.retain(|other| other.id != member);
        membership.reassign(self.number, logs);
        membership.members.is_empty()
    }

    /// The partitions of `member` and the current generation; `None` if that is still `seen`.
    pub(super) fn assignments_since(
        &self,
        seen: u64,
        member: u64,
    ) -> Option<(u64, Vec<Assignment>)> {
        let membership = self.membership.lock();
        if membership.generation == seen {
            return None;
        }
        let held = (0..)
            .zip(&membership.owners)
            .filter(|(_, owner)| owner.member == Some(member))
            .map(|(number, owner)| Assignment {
                partition: Partition::new(number),
                since: owner.since,
            });
        Some((membership.generation, held.collect()))
    }
}

impl Membership {
    /// Assigns the partitions to the members by rank, and wakes all members.
    fn reassign(&mut self, group: usize, logs: &[Mutex<PartitionLog>]) {
        self.generation += 1;
        let mut ranks = self.members.iter().cycle();
        for (owner, log) in self.owners.iter_mut().zip(logs) {
            let member = ranks.next();
            let dealt_to = member.map(|member| member.id);
            if owner.member != dealt_to {
                *owner = Owner {
                    member: dealt_to,
                    since: self.generation,
                };
                log.lock()
                    .set_owner(group, member.map(|member| Arc::clone(&member.wake)));
            }
        }
        for member in &self.members {
            member.wake.notify_one();
        }
    }
}
