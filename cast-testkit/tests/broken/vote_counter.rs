//! Counters that are broken on purpose: each clause of the contract is seen to fail.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use cast_adapters::memory::MemoryCounter;
use cast_core::{
    domain::{AppliedTotal, Candidate, LogPosition, Offset, Partition, Version},
    ports::{Checkpoint, PendingVotes, PortError, Reading, VoteCounter},
};
use cast_testkit::contract::{Harness, Skipped, vote_counter::VoteCounterHarness};
use parking_lot::{Mutex, MutexGuard};
use tokio::task::yield_now;

crate::caught::caught! { vote_counter, broken:
    the_version_sums_the_offsets_behind_the_last_records => CountingVersions,
    votes_add_up_over_positions => ShowingTheLastRecord,
    recording_a_position_again_changes_nothing => CountingEveryRecording,
    racing_recordings_count_each_position_once => LookingBeforeRecording,
    votes_that_are_reconciled_change_nothing => CountingEveryRecording,
    the_answers_are_readings_after_the_recording => AnsweringBefore | AnsweringByName,
    several_recordings_in_one_call_all_count => TakingOneRecording | TakingOneRecordingAPartition,
    a_dropped_recording_happened_as_a_whole_or_not_at_all => RecordingOneByOne,
    reconciling_replaces_what_is_before_and_leaves_the_rest => DroppingPendingVotes | AddingTotals,
    a_total_no_newer_changes_nothing => TakingOlderTotals | TakingTotalsAgain,
    reconciling_in_any_order_ends_the_same => TakingOlderTotals,
    totals_of_different_partitions_do_not_touch => KnowingOnePartition,
    reconciling_everything_leaves_exactly_its_votes => AddingTotals,
    a_total_for_an_unknown_candidate_is_stored => IgnoringStrangers,
    reconciling_as_a_whole_takes_nothing_away => ForgettingWhatIsNotNamed,
    reading_no_candidates_shows_whether_it_answers => RefusingToReadNothing,
    what_was_never_reconciled_as_a_whole_is_a_miss => NeverMissing | ShowingNoMisses,
    what_was_reconciled_as_a_whole_has_an_age => NeverMissing | NeverGettingYounger,
    reconciling_a_part_makes_no_candidate_younger => TakingPartsForWholes,
    a_forgotten_candidate_is_a_miss => HidingLosses,
    only_a_candidate_without_pending_votes_is_evicted => ForgettingPendingVotes,
    applied_totals_come_without_pending_votes => TakingPendingForReconciled | TakingOlderTotals,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    AddingTotals,
    AnsweringBefore,
    AnsweringByName,
    CountingEveryRecording,
    CountingVersions,
    DroppingPendingVotes,
    ForgettingPendingVotes,
    ForgettingWhatIsNotNamed,
    HidingLosses,
    IgnoringStrangers,
    KnowingOnePartition,
    LookingBeforeRecording,
    NeverGettingYounger,
    NeverMissing,
    RecordingOneByOne,
    RefusingToReadNothing,
    ShowingNoMisses,
    ShowingTheLastRecord,
    Sound,
    TakingOlderTotals,
    TakingOneRecording,
    TakingOneRecordingAPartition,
    TakingPartsForWholes,
    TakingTotalsAgain,
    TakingPendingForReconciled,
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
        self.memory.lock()
    }

    /// The same votes at a position where nothing was ever recorded or reconciled.
    fn disguised(&self, pending: &PendingVotes) -> PendingVotes {
        let mut memory = self.memory();
        memory.recordings += 1;
        let position = LogPosition {
            partition: Partition::new(1_000 + memory.recordings),
            offset: Offset::START,
        };
        PendingVotes {
            position,
            ..pending.clone()
        }
    }

    /// What the breaker hands on of a recording.
    async fn bend(&self, recordings: &[PendingVotes]) -> Vec<PendingVotes> {
        let mut recordings = recordings.to_vec();
        match self.how {
            How::TakingOneRecording => recordings.truncate(1),
            How::TakingOneRecordingAPartition => {
                let mut partitions = HashSet::new();
                recordings.retain(|pending| partitions.insert(pending.position.partition));
            }
            How::CountingEveryRecording => {
                recordings = recordings
                    .iter()
                    .map(|pending| self.disguised(pending))
                    .collect();
            }
            How::LookingBeforeRecording => {
                let seen = self.memory().seen.clone();
                recordings.retain(|pending| !seen.contains(&pending.position));
                yield_now().await;
                self.memory()
                    .seen
                    .extend(recordings.iter().map(|pending| pending.position));
                recordings = recordings
                    .iter()
                    .map(|pending| self.disguised(pending))
                    .collect();
            }
            How::KnowingOnePartition => {
                for pending in &mut recordings {
                    pending.position.partition = Partition::new(0);
                }
            }
            _ => {}
        }
        recordings
    }

    /// Whether a checkpoint is older than what its candidate was reconciled to before, or newer.
    fn age(&self, checkpoint: &Checkpoint) -> Ordering {
        let as_of = checkpoint
            .applied_totals
            .iter()
            .map(|total| total.as_of)
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
        recordings: &[PendingVotes],
        show: &[Candidate],
    ) -> Result<Vec<Reading>, PortError> {
        let before = self.inner.read(show).await?;
        {
            let mut memory = self.memory();
            memory.recordings += 1;
            memory
                .last
                .extend(recordings.iter().flat_map(|pending| pending.votes.clone()));
        }
        let mut recordings = self.bend(recordings).await;
        if self.how == How::RecordingOneByOne {
            for pending in recordings.drain(..) {
                self.inner.record(&[pending], &[]).await?;
                yield_now().await;
            }
        }
        let mut readings = self.inner.record(&recordings, show).await?;
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
                How::TakingOlderTotals if self.age(&checkpoint) == Ordering::Less => {
                    self.inner.forget_candidate(who);
                }
                How::TakingTotalsAgain if self.age(&checkpoint) == Ordering::Equal => {
                    self.inner.forget_candidate(who);
                }
                How::ForgettingWhatIsNotNamed if checkpoint.whole => {
                    self.inner.forget_candidate(who);
                }
                How::IgnoringStrangers if !self.memory().last.contains_key(who) => continue,
                How::DroppingPendingVotes => {
                    for total in &mut checkpoint.applied_totals {
                        total.as_of = Offset::new(total.as_of.get() + 100);
                    }
                }
                How::KnowingOnePartition => {
                    checkpoint.applied_totals.truncate(1);
                    let only = checkpoint.applied_totals.iter_mut();
                    only.for_each(|total| total.partition = Partition::new(0));
                }
                How::AddingTotals => {
                    for total in &mut checkpoint.applied_totals {
                        total.partition = Partition::new(2_000 + total.partition.get());
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
        if self.how == How::TakingPendingForReconciled {
            let shown = self.inner.read(candidates).await?;
            for (applied_totals, reading) in reconciled.iter_mut().zip(shown) {
                let known: u64 = applied_totals.iter().map(|total| total.votes).sum();
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
        if self.counter.how == How::ForgettingPendingVotes {
            self.good.counter.forget();
        }
        self.good.save_memory().await
    }
}
