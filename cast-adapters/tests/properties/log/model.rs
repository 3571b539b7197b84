//! The contract of a log as lists.

use cast_core::domain::{LogPosition, LoggedBallot, Offset, Partition};
use proptest::{collection::vec, prelude::*};
use proptest_state_machine::ReferenceStateMachine;

use crate::small;

/// The ballots of a record, or the bytes of what is none.
pub(super) type Content = Result<Vec<LoggedBallot>, Vec<u8>>;

/// What can happen to a log.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Append {
        appended: Vec<(Partition, Content)>,
        /// What the wall clock says, in milliseconds: it jumps.
        at: u64,
    },
    Read {
        partition: Partition,
        from: u64,
        max_ballots: usize,
    },
    Drop {
        partition: Partition,
        before: u64,
    },
    Reopen,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Appended(Vec<LogPosition>),
    Read(Vec<Content>),
    Refused,
    Done,
}

#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) partitions: Vec<Listed>,
    /// What the last step is to be answered with.
    pub(super) expected: Option<Answer>,
}

/// A partition: all that was ever appended, and the first offset that is not dropped.
#[derive(Clone, Debug, Default)]
pub(super) struct Listed {
    pub(super) start: u64,
    contents: Vec<Content>,
}

impl Listed {
    pub(super) fn end(&self) -> u64 {
        self.contents.len() as u64
    }
}

impl Model {
    pub(super) fn ends(&self) -> Vec<u64> {
        self.partitions.iter().map(Listed::end).collect()
    }

    fn append(&mut self, partition: Partition, content: &Content) -> LogPosition {
        let listed = &mut self.partitions[partition.get() as usize];
        let offset = Offset::new(listed.end());
        listed.contents.push(content.clone());
        LogPosition { partition, offset }
    }

    fn read(&self, partition: Partition, from: u64) -> Answer {
        let listed = &self.partitions[partition.get() as usize];
        match usize::try_from(from).ok() {
            Some(from) if (listed.start..listed.end()).contains(&(from as u64)) => {
                Answer::Read(listed.contents[from..].to_vec())
            }
            _ => Answer::Refused,
        }
    }
}

/// How many ballots a content counts as.
pub(super) fn ballots(content: &Content) -> usize {
    content.as_ref().map_or(1, Vec::len)
}

pub(super) fn content() -> impl Strategy<Value = Content> {
    let ballots = vec(small::ballot(), 1..4);
    let bytes = vec(Just(0xff_u8), 1..9);
    prop_oneof![9 => ballots.prop_map(Ok), 1 => bytes.prop_map(Err)]
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        let partitions = vec![Listed::default(); small::PARTITIONS as usize];
        Just(Self {
            partitions,
            expected: None,
        })
        .boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Step> {
        let appended = vec((small::partition(), content()), 1..5);
        let append =
            (appended, 0..1_000_u64).prop_map(|(appended, at)| Step::Append { appended, at });
        let read = (small::partition(), 0..20_u64, 1..8_usize).prop_map(
            |(partition, from, max_ballots)| Step::Read {
                partition,
                from,
                max_ballots,
            },
        );
        let drop = (small::partition(), 0..20_u64)
            .prop_map(|(partition, before)| Step::Drop { partition, before });
        prop_oneof![6 => append, 6 => read, 2 => drop, 1 => Just(Step::Reopen)].boxed()
    }

    /// At the end of a partition there is nothing to read: that waits.
    fn preconditions(model: &Self, step: &Step) -> bool {
        match step {
            Step::Read {
                partition, from, ..
            } => *from != model.ends()[partition.get() as usize],
            _ => true,
        }
    }

    fn apply(mut model: Self, step: &Step) -> Self {
        let answer = match step {
            Step::Append { appended, .. } => {
                let appended = appended.iter();
                let positions =
                    appended.map(|(partition, content)| model.append(*partition, content));
                Answer::Appended(positions.collect())
            }
            Step::Read {
                partition, from, ..
            } => model.read(*partition, *from),
            Step::Drop { partition, before } => {
                let listed = &mut model.partitions[partition.get() as usize];
                listed.start = listed.start.max((*before).min(listed.end()));
                Answer::Done
            }
            Step::Reopen => Answer::Done,
        };
        model.expected = Some(answer);
        model
    }
}
