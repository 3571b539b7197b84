//! The audit itself.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use super::{
    fold::{Fold, Sum},
    reader::{Ends, Reader},
    report::{AuditReport, AuditedPartition, Finding},
};
use crate::{
    deadline::within,
    domain::{BallotId, Candidate, LogBatch, Offset, Partition},
    ports::{
        Clock, EventBus, GroupName, PartitionLag, PortError, Ports, Reading, Recount, VoteCounter,
        VoteStore,
    },
};

/// How many candidates the counter is asked about in one call.
const CANDIDATES_A_CALL: usize = 500;

/// How an audit is done.
#[derive(Clone, Debug)]
pub struct AuditSettings {
    /// How many ballots of the log are compared in one call of the store.
    pub max_ballots: usize,
    /// How many differences are listed; the others are counted.
    pub max_findings: usize,
    /// How long the log, the store and the counter may take for a call.
    pub deadline: Duration,
    /// How long the store may take to recount.
    pub recount_deadline: Duration,
    /// How often a tally that is too high is read again before it is reported,
    pub looks: usize,
    /// and how long to wait before each.
    pub pause: Duration,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self {
            max_ballots: 2_000,
            max_findings: 100,
            deadline: Duration::from_secs(30),
            recount_deadline: Duration::from_secs(600),
            looks: 3,
            pause: Duration::from_secs(1),
        }
    }
}

/// Compares log, store and counter; see the module.
pub struct Audit {
    clock: Arc<dyn Clock>,
    bus: Arc<dyn EventBus>,
    counter: Arc<dyn VoteCounter>,
    store: Arc<dyn VoteStore>,
    settings: AuditSettings,
    group: GroupName,
}

/// What an audit knows on its way.
struct Work {
    recount: Recount,
    /// What the store's ballots give.
    counted: BTreeMap<(Candidate, Partition), u64>,
    fold: Fold,
    reader: Reader,
    partitions: Vec<AuditedPartition>,
    /// Whether log and store belong together: else nobody knows what a tally should be.
    are_comparable: bool,
    report: AuditReport,
}

impl Audit {
    /// An audit over these ports; the ticket source is not asked anything.
    pub fn new(ports: &Ports, settings: AuditSettings) -> Self {
        let mut random = [0; 8];
        ports.entropy.fill(&mut random);
        Self {
            clock: Arc::clone(&ports.clock),
            bus: Arc::clone(&ports.bus),
            counter: Arc::clone(&ports.counter),
            store: Arc::clone(&ports.store),
            settings,
            // Its own: whoever folds is not disturbed.
            group: GroupName::new(format!("cast-audit-{}", hex::encode(random))),
        }
    }

    /// Compares everything once.
    ///
    /// # Errors
    ///
    /// Where something could not be read, and so nothing is known. A store that was put back to a
    /// backup meanwhile is told as unavailable: audit again.
    pub async fn run(&self) -> Result<AuditReport, PortError> {
        let mut work = self.begin().await?;
        self.compare_totals(&mut work);
        let suspects = self.look_at_counter(&mut work).await?;
        self.read_log(&mut work, &self.ends().await?).await?;
        self.compare_ballots(&mut work);
        if work.are_comparable {
            self.compare_prefixes(&mut work);
            self.compare_shown(&mut work, suspects).await?;
        }
        self.check_progress(&work.recount).await?;
        Ok(self.finish(work).await)
    }

    async fn begin(&self) -> Result<Work, PortError> {
        let places = self.lag().await?;
        let recount = self.store.recount();
        let limit = self.settings.recount_deadline;
        let recount = within(&*self.clock, limit, "recounting ballots", recount).await?;
        // Asked after the store: its progress is not beyond them, if it is this log's.
        let ends = self.ends().await?;
        let mut report = AuditReport::default();
        for (partition, progress) in &recount.progress {
            let (partition, progress) = (*partition, *progress);
            let end = ends.get(&partition).copied().unwrap_or_default();
            if progress > end {
                let beyond = Finding::ProgressBeyondLog {
                    partition,
                    progress,
                    end,
                };
                report.note(self.settings.max_findings, beyond);
            }
        }
        let fold = Fold::new(&recount);
        for place in &places {
            let (partition, start) = (place.partition, place.committed);
            let progress = fold.progress(partition);
            if progress < start {
                let gone = Finding::RecordsGone {
                    partition,
                    progress,
                    start,
                };
                report.note(self.settings.max_findings, gone);
            }
        }
        let partitions = places.iter().map(|place| AuditedPartition {
            partition: place.partition,
            start: place.committed,
            progress: fold.progress(place.partition),
            end: place.end,
        });
        let limits = (self.settings.max_ballots, self.settings.deadline);
        let counts = recount.counts.iter();
        Ok(Work {
            counted: counts
                .map(|c| ((c.candidate.clone(), c.partition), c.votes))
                .collect(),
            partitions: partitions.collect(),
            reader: Reader::start(&self.clock, &*self.bus, &self.group, limits, &places).await?,
            are_comparable: report.is_clean(),
            recount,
            fold,
            report,
        })
    }

    fn compare_totals(&self, work: &mut Work) {
        for count in work.recount.counts.iter().filter(|c| c.votes != c.total) {
            let differs = Finding::TotalDiffers {
                candidate: count.candidate.clone(),
                partition: count.partition,
                total: count.total,
                ballots: count.votes,
            };
            work.report.note(self.settings.max_findings, differs);
        }
    }

    /// Looks at what the counter shows and has reconciled. Before the log is read to its end: so the
    /// log has all of it.
    async fn look_at_counter(&self, work: &mut Work) -> Result<Vec<Reading>, PortError> {
        let candidates = work.fold.keys().map(|(candidate, _)| candidate.clone());
        let candidates: BTreeSet<Candidate> = candidates.collect();
        let candidates: Vec<_> = candidates.into_iter().collect();
        for some in candidates.chunks(CANDIDATES_A_CALL) {
            let reconciled = self.counter.applied_totals(some);
            let reconciled = self
                .within("reading what is reconciled", reconciled)
                .await?;
            for (candidate, applied_totals) in some.iter().zip(reconciled) {
                work.fold.mark(candidate, &applied_totals);
            }
        }
        let readings = self.shown(&candidates).await?;
        work.report.candidates = candidates.len();
        work.report.counter.compared = readings.len();
        let missed = readings.iter().filter(|reading| reading.age.is_none());
        work.report.counter.missed = missed.count();
        Ok(readings)
    }

    async fn shown(&self, candidates: &[Candidate]) -> Result<Vec<Reading>, PortError> {
        let mut readings = Vec::with_capacity(candidates.len());
        for some in candidates.chunks(CANDIDATES_A_CALL) {
            let read = self.counter.read(some);
            readings.extend(self.within("reading tallies", read).await?);
        }
        Ok(readings)
    }

    /// Reads the log on, and asks the store about each of its ballots.
    async fn read_log(&self, work: &mut Work, ends: &Ends) -> Result<(), PortError> {
        while let Some(batch) = work.reader.next_before(ends).await? {
            let ids = ids(&batch);
            let mut kept = HashMap::with_capacity(ids.len());
            if !ids.is_empty() {
                let answers = self
                    .within("reading ballots", self.store.stored_ballots(&ids))
                    .await?;
                let known = ids.into_iter().zip(answers);
                kept.extend(known.filter_map(|(id, kept)| Some((id, kept?))));
            }
            for finding in work.fold.take_in(&batch, &kept) {
                work.report.note(self.settings.max_findings, finding);
            }
        }
        Ok(())
    }

    fn compare_ballots(&self, work: &mut Work) {
        for (candidate, partition) in work.fold.keys() {
            let (candidate, partition) = (candidate.clone(), *partition);
            let log = work.fold.sum(&candidate, partition).shared;
            let key = (candidate, partition);
            let store = work.counted.get(&key).copied().unwrap_or(0);
            let is_whole = work.is_whole(partition);
            if (is_whole && log != store) || log > store {
                let differ = Finding::BallotsDiffer {
                    candidate: key.0,
                    partition,
                    progress: work.fold.progress(partition),
                    log,
                    store,
                };
                work.report.note(self.settings.max_findings, differ);
            }
        }
    }

    /// Each prefix that the counter has reconciled is a pure function of the log.
    fn compare_prefixes(&self, work: &mut Work) {
        for (candidate, partition) in work.fold.keys() {
            let sum = work.fold.sum(candidate, *partition);
            let Some(prefix) = sum.prefix else { continue };
            let place = work.partitions.iter().find(|p| p.partition == *partition);
            if place.is_some_and(|place| prefix.as_of < place.start) {
                // What it takes in, nobody can count again.
                continue;
            }
            let expected = sum.expected_prefix(work.base(candidate, *partition, sum));
            let end = work.reader.position(*partition);
            if prefix.votes != expected || prefix.as_of > end {
                let differs = Finding::PrefixDiffers {
                    candidate: candidate.clone(),
                    partition: *partition,
                    as_of: prefix.as_of,
                    end,
                    counter: prefix.votes,
                    log: expected,
                };
                work.report.note(self.settings.max_findings, differs);
            }
        }
    }

    /// What is shown is no more than what the log has. One that is more is looked at again: a tail
    /// that was recorded twice goes when it is reconciled.
    async fn compare_shown(
        &self,
        work: &mut Work,
        mut readings: Vec<Reading>,
    ) -> Result<(), PortError> {
        for look in 0.. {
            let bounds = work.bounds();
            let is_too_high =
                |reading: &Reading| reading.tally.votes > bounds[&reading.tally.candidate].1;
            if look == 0 {
                let is_behind = |reading: &&Reading| {
                    let least = bounds[&reading.tally.candidate].0;
                    reading.age.is_some() && reading.tally.votes < least
                };
                work.report.counter.behind = readings.iter().filter(is_behind).count();
            }
            readings.retain(is_too_high);
            if readings.is_empty() || look == self.settings.looks {
                for Reading { tally, .. } in readings {
                    let (least, most) = bounds[&tally.candidate];
                    let differs = Finding::ShownTooHigh {
                        candidate: tally.candidate,
                        shown: tally.votes,
                        least,
                        most,
                    };
                    work.report.note(self.settings.max_findings, differs);
                }
                return Ok(());
            }
            self.clock.sleep(self.settings.pause).await;
            let candidates: Vec<_> = readings.into_iter().map(|r| r.tally.candidate).collect();
            readings = self.shown(&candidates).await?;
            self.read_log(work, &self.ends().await?).await?;
        }
        Ok(())
    }

    /// A store that was put back meanwhile may have lost what was seen in it, and is in order.
    async fn check_progress(&self, recount: &Recount) -> Result<(), PortError> {
        for (partition, before) in &recount.progress {
            let progress = self.store.progress(*partition);
            if self
                .within("asking the store for its progress", progress)
                .await?
                .next
                < *before
            {
                let why = "the store was put back to a backup meanwhile: audit again";
                return Err(PortError::unavailable("auditing", why));
            }
        }
        Ok(())
    }

    async fn finish(&self, work: Work) -> AuditReport {
        let Work {
            fold,
            reader,
            mut partitions,
            report,
            ..
        } = work;
        for place in &mut partitions {
            place.end = reader.position(place.partition);
        }
        if let Err(error) = reader.close().await {
            // All was read; the group is gone as soon as the log notices.
            tracing::debug!(error = error.chain(), "the log was not left");
        }
        let tallied = fold.tallied;
        AuditReport {
            partitions,
            ballots: tallied.ballots,
            repeated: tallied.repeated,
            rejected: tallied.rejected,
            unreadable: tallied.unreadable,
            ..report
        }
    }

    async fn lag(&self) -> Result<Vec<PartitionLag>, PortError> {
        let lag = self.bus.lag(&self.group);
        self.within("asking the log how far it goes", lag).await
    }

    async fn ends(&self) -> Result<Ends, PortError> {
        let lag = self.lag().await?.into_iter();
        Ok(lag.map(|lag| (lag.partition, lag.end)).collect())
    }

    async fn within<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, PortError> {
        within(&*self.clock, self.settings.deadline, operation, call).await
    }
}

impl Work {
    /// Whether a partition of the log is there from its first record on.
    fn is_whole(&self, partition: Partition) -> bool {
        let place = self.partitions.iter().find(|p| p.partition == partition);
        place.is_none_or(|place| place.start == Offset::START)
    }

    /// The votes in the log before the store's progress.
    fn base(&self, candidate: &Candidate, partition: Partition, sum: Sum) -> u64 {
        let counted = self.counted.get(&(candidate.clone(), partition));
        sum.base(counted.copied().unwrap_or(0), self.is_whole(partition))
    }

    /// What a candidate's tally may be: what is folded, and what is logged.
    fn bounds(&self) -> HashMap<Candidate, (u64, u64)> {
        let mut bounds: HashMap<Candidate, (u64, u64)> = HashMap::new();
        for (candidate, partition) in self.fold.keys() {
            let sum = self.fold.sum(candidate, *partition);
            let base = self.base(candidate, *partition, sum);
            let (least, most) = bounds.entry(candidate.clone()).or_default();
            *least = least.saturating_add(base);
            *most = most.saturating_add(base).saturating_add(sum.tail);
        }
        bounds
    }
}

/// The ballots of a batch, each once.
fn ids(batch: &LogBatch) -> Vec<BallotId> {
    let readable = batch.entries.iter().flat_map(|entry| &entry.content);
    let ids = readable.flat_map(|ballots| ballots.iter().map(|ballot| ballot.id));
    ids.collect::<BTreeSet<_>>().into_iter().collect()
}
