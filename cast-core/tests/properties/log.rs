//! However the log is cut into steps, the steps together say the same.

use cast_core::domain::{
    Candidate, FoldStep, LogBatch, LogEntry, LoggedBallot, Offset, Partition, PositionedBallot,
    Rejection, Unreadable, sum_votes,
};
use cast_testkit::properties;
use proptest::{collection::vec, prelude::*, sample::Index};
use std::{collections::BTreeMap, sync::Arc};

/// One of few candidates, so that ballots meet.
fn candidate() -> impl Strategy<Value = Candidate> {
    prop::sample::select(vec!["a", "b", "c"]).prop_map(|name| Candidate::new(name).expect("a name"))
}

fn ballots(most: usize) -> impl Strategy<Value = Vec<LoggedBallot>> {
    let ballot = properties::ballot_of(properties::ballot_id(), candidate(), properties::votes());
    vec(ballot, 1..=most)
}

/// What a log holds, with offsets missing where the log took them for itself.
fn batch() -> impl Strategy<Value = LogBatch> {
    let readable = ballots(3).prop_map(|ballots| Ok(Arc::from(ballots)));
    let unreadable = vec(any::<u8>(), 0..4).prop_map(|bytes| {
        Err(Unreadable {
            bytes: bytes.into(),
            reason: "none".into(),
        })
    });
    let record = (0..3_u64, prop_oneof![4 => readable, 1 => unreadable]);
    (any::<u32>(), 0..1_000_u64, vec(record, 0..8), 0..3_u64).prop_map(
        |(partition, start, records, behind)| {
            let mut next = start;
            let mut entries = Vec::new();
            for (missing, content) in records {
                let offset = Offset::new(next + missing);
                entries.push(LogEntry { offset, content });
                next = offset.next().get();
            }
            LogBatch {
                partition: Partition::new(partition),
                start: Offset::new(start),
                next: Offset::new(next + behind),
                entries,
            }
        },
    )
}

/// The step halved, and its halves again, as `deeper` says; in order.
fn cut(step: FoldStep, deeper: &mut impl Iterator<Item = bool>) -> Vec<FoldStep> {
    if !deeper.next().unwrap_or(true) {
        return vec![step];
    }
    match step.halved() {
        Ok((first, second)) => {
            let mut steps = cut(first, deeper);
            steps.extend(cut(second, deeper));
            steps
        }
        Err(whole) => vec![whole],
    }
}

fn joined(steps: &[FoldStep]) -> (Vec<PositionedBallot>, Vec<Rejection>) {
    let ballots = steps.iter().flat_map(|step| step.ballots.clone());
    let rejections = steps.iter().flat_map(|step| step.rejections.clone());
    (ballots.collect(), rejections.collect())
}

proptest! {
    #![proptest_config(properties::config(256))]

    #[test]
    fn a_batch_becomes_a_step_with_all_that_is_in_it(batch in batch()) {
        let step = FoldStep::from(batch.clone());
        prop_assert_eq!((step.partition, step.start, step.next), (batch.partition, batch.start, batch.next));
        let (ballots, unreadable): (Vec<_>, Vec<_>) = batch.entries.iter().partition(|entry| entry.content.is_ok());
        let positioned = ballots.iter().flat_map(|entry| {
            let ballots = entry.content.as_ref().expect("readable");
            ballots.iter().map(|ballot| PositionedBallot { offset: entry.offset, ballot: ballot.clone() })
        });
        prop_assert_eq!(step.ballots, positioned.collect::<Vec<_>>());
        let rejected: Vec<_> = step.rejections.iter().map(Rejection::offset).collect();
        prop_assert_eq!(rejected, unreadable.iter().map(|entry| entry.offset).collect::<Vec<_>>());
    }

    #[test]
    fn however_a_step_is_halved_its_parts_join_to_the_whole(
        batch in batch(), deeper in vec(any::<bool>(), 0..12)
    ) {
        let step = FoldStep::from(batch);
        let parts = cut(step.clone(), &mut deeper.into_iter());
        prop_assert_eq!(joined(&parts), (step.ballots.clone(), step.rejections.clone()));
        prop_assert_eq!(parts[0].start, step.start);
        prop_assert_eq!(parts[parts.len() - 1].next, step.next);
        for pair in parts.windows(2) {
            prop_assert_eq!(pair[0].next, pair[1].start);
        }
        for part in &parts {
            let (ballots, rejections) = joined(std::slice::from_ref(part));
            let offsets = ballots.iter().map(|b| b.offset).chain(rejections.iter().map(Rejection::offset));
            for offset in offsets {
                prop_assert!(part.start <= offset && offset < part.next);
            }
        }
    }

    #[test]
    fn a_step_that_cannot_be_halved_is_one_record(batch in batch()) {
        let parts = cut(FoldStep::from(batch.clone()), &mut std::iter::empty());
        prop_assert_eq!(parts.len(), batch.entries.len().max(1));
    }

    #[test]
    fn a_resumed_step_has_what_lies_at_its_start_and_behind(batch in batch(), at: Index) {
        let step = FoldStep::from(batch);
        let len = usize::try_from(step.next.get() - step.start.get()).expect("a short one");
        let progress = Offset::new(step.start.get() + at.index(len + 1) as u64);
        let resumed = step.clone().resumed_at(progress);
        prop_assert_eq!((resumed.start, resumed.next), (progress, step.next));
        let (ballots, rejections) = joined(&[step]);
        let ballots: Vec<_> = ballots.into_iter().filter(|b| b.offset >= progress).collect();
        let rejections: Vec<_> = rejections.into_iter().filter(|r| r.offset() >= progress).collect();
        prop_assert_eq!(joined(&[resumed]), (ballots, rejections));
    }

    #[test]
    fn votes_add_up_the_same_however_ballots_are_split(
        ballots in ballots(12), cuts in vec(any::<Index>(), 0..4)
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(ballots.len() + 1)).collect();
        cuts.extend([0, ballots.len()]);
        cuts.sort_unstable();
        let mut added: BTreeMap<Candidate, u64> = BTreeMap::new();
        for pair in cuts.windows(2) {
            for (candidate, votes) in sum_votes(&ballots[pair[0]..pair[1]]) {
                *added.entry(candidate).or_default() += votes;
            }
        }
        prop_assert_eq!(&added, &sum_votes(&ballots));
        let one_by_one = ballots.iter().flat_map(|ballot| ballot.selections.iter());
        let all: u64 = one_by_one.map(|selection| u64::from(selection.votes.get())).sum();
        prop_assert_eq!(added.values().sum::<u64>(), all);
    }
}
