//! How much of the world a search looks at, and what is taken out of the design for it.

use super::{
    state::{CANDIDATES, PARTITIONS, TICKETS},
    votes::{BALLOTS, Ballots},
};

/// What bounds a search. Within it, every order of every step is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) name: &'static str,
    /// How often each ballot is sent at most; a ballot that is never sent is not there.
    pub(crate) sendings: [u8; BALLOTS],
    /// The partition that each ballot's id belongs to.
    pub(crate) partition_of: [usize; BALLOTS],
    /// Which ballots select each candidate. A ballot may select several.
    pub(crate) voters: [Ballots; CANDIDATES],
    /// How many ballots a flush takes at most.
    pub(crate) flush: usize,
    /// How many uses each ticket has; none for a ticket that is not there.
    pub(crate) uses: [u8; TICKETS],
    /// How many records are on their way through servers at a time.
    pub(crate) records: usize,
    /// How many consumers there are at a time, zombies included.
    pub(crate) consumers: usize,
    /// How many checkpoints are on their way to the counter at a time. One more is lost.
    pub(crate) checkpoints: usize,
    /// How often the rare things happen at most.
    pub(crate) rare: Rare,
}

/// How often the rare things may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Rare {
    /// A backup of the store is made; the newer replaces the older.
    pub(crate) backups: u8,
    /// The store is restored to the backup.
    pub(crate) restores: u8,
    /// The counter forgets a candidate, or all of them.
    pub(crate) forgets: u8,
    /// The ticket source loses the use counter of a ticket.
    pub(crate) lost_use_counters: u8,
    /// The ticket source forgets which ids it has seen.
    pub(crate) lost_ids: u8,
}

/// A mechanism that the design has for a reason. A search may take one out, and sees the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mechanism {
    /// A step is applied only where the store's progress is at its start. Without: anywhere.
    Fence,
    /// A ballot id counts once. Without: each time.
    Dedup,
    /// A pending vote has its record's position, and reconciling drops those before the total's offset.
    /// Without: the pending votes are a number, and reconciling sets it to zero.
    PendingByPosition,
    /// The same, where reconciling leaves the number as it is.
    PendingEverDropped,
    /// The store says where a partition is to be read on. Without: the group's commit does, and a
    /// step that is fenced is taken for done.
    ProgressInStore,
    /// A total is reconciled only if it is newer than what is reconciled. Without: always.
    ReconcileIfNewer,
    /// A consumer that waits for a record asks the store now and then whether it was restored.
    /// Without: it waits for a record.
    LookBack,
    /// All sendings of a ballot meet in one partition. Without: each goes anywhere.
    PartitionOfBallot,
    /// The votes of a repeated ballot are not recorded. Without: they are.
    RepeatUnrecorded,
    /// The ticket source knows the ids that it granted. Without: each sending is new to it.
    IdsRemembered,
    /// A use is taken in the step that looks whether there is one. Without: in the next one.
    AtomicRedeem,
    /// A ticket whose use counter is lost is refused. Without: it is counted from nothing again.
    LostUseCounterRefused,
    /// A voter is answered with success when the log has the ballot. Without: when it is sent to the log.
    ReplyAfterLog,
}

impl Scope {
    /// Says whether the scope makes sense at all.
    pub(crate) fn check(&self) {
        assert!(
            self.partition_of
                .iter()
                .all(|partition| *partition < PARTITIONS),
            "each ballot has a partition"
        );
        let sent = self.ballots();
        let voted = self
            .voters
            .iter()
            .fold(Ballots::NONE, |all, some| all.and(*some));
        assert_eq!(sent, voted.within(sent), "each ballot has a selection");
        assert!(
            self.flush > 0 && self.records > 0 && self.consumers > 0,
            "{self:?}"
        );
    }

    /// The ballots that there are.
    pub(crate) fn ballots(&self) -> Ballots {
        let sent = (0..BALLOTS).filter(|id| self.sendings[*id] > 0);
        sent.fold(Ballots::NONE, |all, id| all.and(Ballots::one(id)))
    }

    /// Those of these ballots that belong to `partition`.
    pub(crate) fn at_home_in(&self, partition: usize, ballots: Ballots) -> Ballots {
        let here = ballots
            .ids()
            .filter(|id| self.partition_of[*id] == partition);
        here.fold(Ballots::NONE, |all, id| all.and(Ballots::one(id)))
    }

    /// Whom these ballots select.
    pub(crate) fn selected(&self, ballots: Ballots) -> impl Iterator<Item = usize> {
        (0..CANDIDATES).filter(move |who| !self.voters[*who].within(ballots).is_empty())
    }
}
