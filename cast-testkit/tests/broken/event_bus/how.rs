//! In which ways the log is broken, and what that takes.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicU64},
};

use cast_core::{
    domain::{Offset, Partition, Progress},
    ports::{GroupName, Subscription},
};
use parking_lot::Mutex;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    AcknowledgingWhatItForgets,
    AskingOnceWhereToResume,
    CallingTheUnknownUnavailable,
    CommittingBackwards,
    FailingAllTogether,
    ForgettingCommits,
    GivingAllToEachMember,
    GivingAllToTheFirst,
    HidingTheUnreadable,
    IgnoringSeeks,
    IgnoringTheBound,
    KeepingMembers,
    LaggingFromTheEnd,
    LeavingOutRecords,
    LookingForWhatIsGone,
    LookingOnlyOnce,
    LookingRightBeforeOnly,
    LosingWhatItHolds,
    MixingPartitions,
    NotNoticingDrops,
    RefusingLargeRecords,
    RepeatingBatches,
    ResettingToEarliest,
    ResumingFromTheCommit,
    ReversingResults,
    Sound,
    SplittingRecords,
    StartingBatchesAtTheirRecords,
    TakingGroupsForOne,
    TellingPositionsTwice,
    TrustingOffsets,
}

/// What the breakers remember, each for its purpose.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) members: AtomicU64,
    pub(super) obstructed: AtomicBool,
    pub(super) answers: Mutex<BTreeMap<Partition, Progress>>,
    pub(super) committed: Mutex<BTreeMap<(GroupName, Partition), Offset>>,
    pub(super) firsts: Mutex<BTreeMap<Partition, Offset>>,
    pub(super) kept: Mutex<Vec<Box<dyn Subscription>>>,
}
