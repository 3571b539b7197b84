//! Counters that are broken on purpose: each clause of the contract is seen to fail.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use cast_adapters::memory::MemoryCounter;
use cast_core::{
    domain::{AppliedTotal, Candidate, LogPosition, Offset, Partition, Version},
    ports::{Checkpoint, PendingVotes, PortError, Reading, VoteCounter},
};
use cast_testkit::contract::{Harness, Skipped, vote_counter::VoteCounterHarness};
use tokio::task::yield_now;

crate::caught::caught! { vote_counter, broken:
    the_version_sums_the_offsets_behind_the_last_records => CountingVersions,
    votes_add_up_over_positions => ShowingTheLastRecord,
    recording_a_position_again_changes_nothing => CountingEveryRecording,
    racing_recordings_count_each_position_once => LookingBeforeRecording,
    votes_that_are_reconciled_change_nothing => CountingEveryRecording,
    the_answers_are_readings_after_the_recording => AnsweringBefore | AnsweringByName,
    several_tails_in_one_call_all_count => TakingOneTail | TakingOneTailAPartition,
    a_dropped_recording_happened_as_a_whole_or_not_at_all => RecordingTailByTail,
    reconciling_replaces_what_is_before_and_leaves_the_rest => DroppingTheTail | AddingPrefixes,
    a_prefix_no_newer_changes_nothing => TakingOlderPrefixes | TakingPrefixesAgain,
    reconciling_in_any_order_ends_the_same => TakingOlderPrefixes,
    prefixes_of_different_partitions_do_not_touch => KnowingOnePartition,
    reconciling_everything_leaves_exactly_its_votes => AddingPrefixes,
    a_prefix_for_a_stranger_is_kept => IgnoringStrangers,
    reconciling_as_a_whole_takes_nothing_away => ForgettingWhatIsNotNamed,
    reading_nobody_tells_whether_it_answers => RefusingToReadNothing,
    what_was_never_reconciled_as_a_whole_is_a_miss => NeverMissing | ShowingNoMisses,
    what_was_reconciled_as_a_whole_has_an_age => NeverMissing | NeverGettingYounger,
    reconciling_part_makes_nobody_younger => TakingPartsForWholes,
    a_forgotten_candidate_is_a_miss => HidingLosses,
    only_what_has_no_tail_is_forgotten_to_save_memory => ForgettingTails,
    what_is_reconciled_is_told_without_the_tail => TakingTailsForReconciled | TakingOlderPrefixes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    AddingPrefixes,
    AnsweringBefore,
    AnsweringByName,
    CountingEveryRecording,
    CountingVersions,
    DroppingTheTail,
    ForgettingTails,
    ForgettingWhatIsNotNamed,
    HidingLosses,
    IgnoringStrangers,
    KnowingOnePartition,
    LookingBeforeRecording,
    NeverGettingYounger,
    NeverMissing,
    RecordingTailByTail,
    RefusingToReadNothing,
    ShowingNoMisses,
    ShowingTheLastRecord,
    Sound,
    TakingOlderPrefixes,
    TakingOneTail,
    TakingOneTailAPartition,
    TakingPartsForWholes,
    TakingPrefixesAgain,
    TakingTailsForReconciled,
}

/// The memory adapter behind something that breaks it.
struct Broken {
    how: How,
    inner: Arc<MemoryCounter>,
    memory: Mutex<Memory>,
}

/// What the breakers remember, each for its purpose.
#[derive(Default)]
struct Memory {
    recordings: u32,
    last: HashMap<Candidate, u64>,
    seen: HashSet<LogPosition>,
    known: HashSet<Candidate>,
    newest: HashMap<Candidate, Offset>,
    eldest: HashMap<Candidate, Duration>,
}

impl Broken {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().expect("nothing panics under the lock")
    }

    /// The same votes at a position where nothing was ever recorded or reconciled.
    fn disguised(&self, tail: &PendingVotes) -> PendingVotes {
        let mut memory = self.memory();
        memory.recordings += 1;
        let position = LogPosition {
            partition: Partition::new(1_000 + memory.recordings),
            offset: Offset::START,
        };
        PendingVotes {
            position,
            ..tail.clone()
        }
    }

    /// What the breaker hands on of a recording.
    async fn bend(&self, tails: &[PendingVotes]) -> Vec<PendingVotes> {
        let mut tails = tails.to_vec();
        match self.how {
            How::TakingOneTail => tails.truncate(1),
            How::TakingOneTailAPartition => {
                let mut partitions = HashSet::new();
                tails.retain(|tail| partitions.insert(tail.position.partition));
            }
            How::CountingEveryRecording => {
                tails = tails.iter().map(|tail| self.disguised(tail)).collect();
            }
            How::LookingBeforeRecording => {
                let seen = self.memory().seen.clone();
                tails.retain(|tail| !seen.contains(&tail.position));
                yield_now().await;
                self.memory()
                    .seen
                    .extend(tails.iter().map(|tail| tail.position));
                tails = tails.iter().map(|tail| self.disguised(tail)).collect();
            }
            How::KnowingOnePartition => {
                for tail in &mut tails {
                    tail.position.partition = Partition::new(0);
                }
            }
            _ => {}
        }
        tails
    }

    /// Whether a checkpoint is older than what its candidate was reconciled to before, or newer.
    fn age(&self, checkpoint: &Checkpoint) -> Ordering {
        let as_of = checkpoint
            .applied_totals
            .iter()
            .map(|prefix| prefix.as_of)
            .max();
        let mut memory = self.memory();
        let newest = memory
            .newest
            .entry(checkpoint.candidate.clone())
            .or_default();
        let before = *newest;
        *newest = as_of.unwrap_or_default().max(before);
        as_of.cmp(&Some(before))
    }

    /// What the breaker makes of a reading.
    fn twist(&self, reading: &mut Reading) {
        let who = reading.tally.candidate.clone();
        let mut memory = self.memory();
        match self.how {
            How::ShowingTheLastRecord => {
                reading.tally.votes = memory.last.get(&who).copied().unwrap_or(0);
            }
            How::CountingVersions => reading.tally.version = Version::new(memory.recordings.into()),
            How::NeverMissing => reading.age = Some(Duration::ZERO),
            How::ShowingNoMisses if reading.age.is_none() => reading.tally.votes = 0,
            How::HidingLosses if memory.known.contains(&who) => {
                reading.age = reading.age.or(Some(Duration::ZERO));
            }
            How::NeverGettingYounger => {
                let eldest = memory.eldest.entry(who).or_default();
                *eldest = reading.age.unwrap_or_default().max(*eldest);
                reading.age = reading.age.and(Some(*eldest));
            }
            _ => {}
        }
    }
}

#[async_trait]
impl VoteCounter for Broken {
    async fn record(
        &self,
        tails: &[PendingVotes],
        show: &[Candidate],
    ) -> Result<Vec<Reading>, PortError> {
        let before = self.inner.read(show).await?;
        {
            let mut memory = self.memory();
            memory.recordings += 1;
            memory
                .last
                .extend(tails.iter().flat_map(|tail| tail.votes.clone()));
        }
        let mut tails = self.bend(tails).await;
        if self.how == How::RecordingTailByTail {
            for tail in tails.drain(..) {
                self.inner.record(&[tail], &[]).await?;
                yield_now().await;
            }
        }
        let mut readings = self.inner.record(&tails, show).await?;
        match self.how {
            How::AnsweringBefore => readings = before,
            How::AnsweringByName => {
                readings.sort_by(|a, b| a.tally.candidate.cmp(&b.tally.candidate));
            }
            _ => {}
        }
        for reading in &mut readings {
            self.twist(reading);
        }
        Ok(readings)
    }

    async fn reconcile(&self, checkpoints: &[Checkpoint]) -> Result<(), PortError> {
        for checkpoint in checkpoints {
            let mut checkpoint = checkpoint.clone();
            let who = &checkpoint.candidate;
            if checkpoint.whole {
                self.memory().known.insert(who.clone());
            }
            match self.how {
                How::TakingPartsForWholes => checkpoint.whole = true,
                How::TakingOlderPrefixes if self.age(&checkpoint) == Ordering::Less => {
                    self.inner.forget_candidate(who);
                }
                How::TakingPrefixesAgain if self.age(&checkpoint) == Ordering::Equal => {
                    self.inner.forget_candidate(who);
                }
                How::ForgettingWhatIsNotNamed if checkpoint.whole => {
                    self.inner.forget_candidate(who);
                }
                How::IgnoringStrangers if !self.memory().last.contains_key(who) => continue,
                How::DroppingTheTail => {
                    for prefix in &mut checkpoint.applied_totals {
                        prefix.as_of = Offset::new(prefix.as_of.get() + 100);
                    }
                }
                How::KnowingOnePartition => {
                    checkpoint.applied_totals.truncate(1);
                    let only = checkpoint.applied_totals.iter_mut();
                    only.for_each(|prefix| prefix.partition = Partition::new(0));
                }
                How::AddingPrefixes => {
                    for prefix in &mut checkpoint.applied_totals {
                        prefix.partition = Partition::new(2_000 + prefix.partition.get());
                    }
                }
                _ => {}
            }
            self.inner.reconcile(&[checkpoint]).await?;
        }
        Ok(())
    }

    async fn read(&self, candidates: &[Candidate]) -> Result<Vec<Reading>, PortError> {
        if self.how == How::RefusingToReadNothing && candidates.is_empty() {
            return Err(PortError::unavailable(
                "reading tallies",
                "there is nothing to read",
            ));
        }
        let mut readings = self.inner.read(candidates).await?;
        for reading in &mut readings {
            self.twist(reading);
        }
        Ok(readings)
    }

    async fn applied_totals(
        &self,
        candidates: &[Candidate],
    ) -> Result<Vec<Vec<AppliedTotal>>, PortError> {
        let mut reconciled = self.inner.applied_totals(candidates).await?;
        if self.how == How::TakingTailsForReconciled {
            let shown = self.inner.read(candidates).await?;
            for (applied_totals, reading) in reconciled.iter_mut().zip(shown) {
                let known: u64 = applied_totals.iter().map(|prefix| prefix.votes).sum();
                if let Some(first) = applied_totals.first_mut() {
                    first.votes += reading.tally.votes - known;
                }
            }
        }
        Ok(reconciled)
    }
}

struct BrokenHarness {
    good: crate::memory::Counter,
    counter: Arc<Broken>,
}

fn broken(how: How) -> BrokenHarness {
    let good = crate::memory::counter();
    let counter = Arc::new(Broken {
        how,
        inner: Arc::clone(&good.counter),
        memory: Mutex::default(),
    });
    BrokenHarness { good, counter }
}

#[async_trait]
impl Harness for BrokenHarness {
    async fn close(&self) {
        self.good.close().await;
    }
}

#[async_trait]
impl VoteCounterHarness for BrokenHarness {
    async fn open(&self) -> Arc<dyn VoteCounter> {
        Arc::clone(&self.counter) as _
    }

    fn while_passing(&self) -> Duration {
        self.good.while_passing()
    }

    async fn pass(&self, duration: Duration) {
        self.good.pass(duration).await;
    }

    async fn forget(&self, candidate: &Candidate) -> Result<(), Skipped> {
        self.good.forget(candidate).await
    }

    async fn save_memory(&self) -> Result<(), Skipped> {
        if self.counter.how == How::ForgettingTails {
            self.good.counter.forget();
        }
        self.good.save_memory().await
    }
}
