//! The audit itself: what it reads, and in which order.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use super::{
    compare::Comparison,
    finding::Finding,
    fold::Fold,
    report::{AuditReport, AuditedPartition},
};
use crate::{
    deadline::within,
    domain::{BallotId, Candidate, Clock, LogBatch},
    log_reader::{Ends, LogReader},
    ports::{
        EventBus, GroupName, Operation, PartitionLag, PortError, Ports, Reading, Recount,
        VoteCounter, VoteStore,
    },
};

/// How many candidates are read from the counter in one call.
const CANDIDATES_A_CALL: usize = 500;

/// Settings of an audit.
#[derive(Clone, Debug)]
pub struct AuditSettings {
    /// The most ballots of the log that are compared in one call of the store.
    pub max_ballots: usize,
    /// The most differences that are listed. Those above are only counted.
    pub max_findings: usize,
    /// The deadline of each call of the log, the store and the counter.
    pub deadline: Duration,
    /// The deadline of the store's recount.
    pub recount_deadline: Duration,
    /// How many times a tally that is too high is read again before it is reported.
    pub looks: usize,
    /// The pause before each of these reads.
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

/// Recounts the log and compares the store and the counter with it.
pub struct Audit {
    clock: Arc<dyn Clock>,
    bus: Arc<dyn EventBus>,
    counter: Arc<dyn VoteCounter>,
    store: Arc<dyn VoteStore>,
    settings: AuditSettings,
    group: GroupName,
}

impl Audit {
    /// An audit of these ports. It does not call the ticket source.
    pub fn new(ports: &Ports, settings: AuditSettings) -> Self {
        Self {
            clock: Arc::clone(&ports.clock),
            bus: Arc::clone(&ports.bus),
            counter: Arc::clone(&ports.counter),
            store: Arc::clone(&ports.store),
            settings,
            // A group of its own, so that the consumers keep their partitions.
            group: GroupName::unique("cast-audit", &*ports.entropy),
        }
    }

    /// Compares everything once.
    ///
    /// # Errors
    ///
    /// If something could not be read; the audit has then no result. A store that was restored from a
    /// backup during the audit is reported as unavailable: audit again.
    pub async fn run(&self) -> Result<AuditReport, PortError> {
        let mut comparison = self.begin().await?;
        comparison.totals();
        let readings = self.read_counter(&mut comparison).await?;
        self.read_log(&mut comparison, &self.ends().await?).await?;
        comparison.ballots();
        if comparison.are_comparable {
            comparison.applied_totals();
            self.compare_shown(&mut comparison, readings).await?;
        }
        self.check_progress(&comparison.recount).await?;
        Ok(self.finish(comparison).await)
    }

    async fn begin(&self) -> Result<Comparison, PortError> {
        let lag = self.lag().await?;
        let recount = self.store.recount();
        let limit = self.settings.recount_deadline;
        let recount = within(&*self.clock, limit, Operation::Recount, recount).await?;
        // Read after the store: its progress is not beyond these ends, if the log is the one it folded.
        let ends = self.ends().await?;
        let mut report = AuditReport::default();
        for &(partition, progress) in &recount.progress {
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
        for lag in &lag {
            let (partition, start) = (lag.partition, lag.committed);
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
        let partitions = lag.iter().map(|lag| AuditedPartition {
            partition: lag.partition,
            start: lag.committed,
            progress: fold.progress(lag.partition),
            end: lag.end,
        });
        let limits = (self.settings.max_ballots, self.settings.deadline);
        let counts = recount.counts.iter();
        Ok(Comparison {
            counted: counts
                .map(|c| ((c.candidate.clone(), c.partition), c.votes))
                .collect(),
            partitions: partitions.collect(),
            reader: LogReader::start(&self.clock, &*self.bus, &self.group, limits, &lag).await?,
            are_comparable: report.is_clean(),
            recount,
            fold,
            report,
            max_findings: self.settings.max_findings,
        })
    }

    /// Reads the tallies and the applied totals of the counter. This comes before the log is read to its
    /// end, so that the log has every vote that the counter shows.
    async fn read_counter(&self, comparison: &mut Comparison) -> Result<Vec<Reading>, PortError> {
        let candidates = comparison.fold.keys().map(|(candidate, _)| candidate);
        let candidates: BTreeSet<Candidate> = candidates.cloned().collect();
        let candidates: Vec<_> = candidates.into_iter().collect();
        for some in candidates.chunks(CANDIDATES_A_CALL) {
            let totals = self.counter.applied_totals(some);
            let totals = self.within(Operation::AppliedTotals, totals).await?;
            for (candidate, totals) in some.iter().zip(totals) {
                comparison.fold.mark(candidate, &totals);
            }
        }
        let readings = self.shown(&candidates).await?;
        let report = &mut comparison.report;
        report.candidates = candidates.len();
        report.counter.compared = readings.len();
        let missed = readings.iter().filter(|reading| reading.age.is_none());
        report.counter.missed = missed.count();
        Ok(readings)
    }

    async fn shown(&self, candidates: &[Candidate]) -> Result<Vec<Reading>, PortError> {
        let mut readings = Vec::with_capacity(candidates.len());
        for some in candidates.chunks(CANDIDATES_A_CALL) {
            let read = self.counter.read(some);
            readings.extend(self.within(Operation::Read, read).await?);
        }
        Ok(readings)
    }

    /// Reads the log up to `ends`, and looks up each of its ballots in the store.
    async fn read_log(&self, comparison: &mut Comparison, ends: &Ends) -> Result<(), PortError> {
        while let Some(batch) = comparison.reader.next_before(ends).await? {
            let ids = ids(&batch);
            let mut stored = HashMap::with_capacity(ids.len());
            if !ids.is_empty() {
                let answers = self.store.stored_ballots(&ids);
                let answers = self.within(Operation::StoredBallots, answers).await?;
                let known = ids.into_iter().zip(answers);
                stored.extend(known.filter_map(|(id, stored)| Some((id, stored?))));
            }
            let Comparison { fold, report, .. } = comparison;
            for finding in fold.add(&batch, &stored, report) {
                report.note(self.settings.max_findings, finding);
            }
        }
        Ok(())
    }

    /// Checks that no tally is higher than the log's votes. One that is too high is read again a few times:
    /// votes that were recorded twice disappear when the counter is reconciled.
    async fn compare_shown(
        &self,
        comparison: &mut Comparison,
        mut readings: Vec<Reading>,
    ) -> Result<(), PortError> {
        for look in 0.. {
            let bounds = comparison.bounds();
            let is_too_high =
                |reading: &Reading| reading.tally.votes > bounds[&reading.tally.candidate].1;
            if look == 0 {
                let is_behind = |reading: &&Reading| {
                    let least = bounds[&reading.tally.candidate].0;
                    reading.age.is_some() && reading.tally.votes < least
                };
                comparison.report.counter.behind = readings.iter().filter(is_behind).count();
            }
            readings.retain(is_too_high);
            if readings.is_empty() || look == self.settings.looks {
                for Reading { tally, .. } in readings {
                    let (least, most) = bounds[&tally.candidate];
                    comparison.note(Finding::ShownTooHigh {
                        candidate: tally.candidate,
                        shown: tally.votes,
                        least,
                        most,
                    });
                }
                return Ok(());
            }
            self.clock.sleep(self.settings.pause).await;
            let candidates: Vec<_> = readings.into_iter().map(|r| r.tally.candidate).collect();
            readings = self.shown(&candidates).await?;
            self.read_log(comparison, &self.ends().await?).await?;
        }
        Ok(())
    }

    /// Fails if the store was restored from a backup during the audit: it may then lack what was read from
    /// it, and be correct all the same.
    async fn check_progress(&self, recount: &Recount) -> Result<(), PortError> {
        for (partition, before) in &recount.progress {
            let progress = self.store.progress(*partition);
            let progress = self.within(Operation::Progress, progress).await?;
            if progress.next < *before {
                let why = "the store was restored from a backup during the audit: audit again";
                return Err(PortError::unavailable(Operation::Progress.name(), why));
            }
        }
        Ok(())
    }

    async fn finish(&self, comparison: Comparison) -> AuditReport {
        let Comparison {
            reader,
            mut partitions,
            report,
            ..
        } = comparison;
        for audited in &mut partitions {
            audited.end = reader.position(audited.partition);
        }
        if let Err(error) = reader.close().await {
            // Everything was read, and the log removes the group's member sooner or later.
            tracing::debug!(
                error = error.chain(),
                "the audit could not leave its consumer group"
            );
        }
        AuditReport {
            partitions,
            ..report
        }
    }

    async fn lag(&self) -> Result<Vec<PartitionLag>, PortError> {
        let lag = self.bus.lag(&self.group);
        self.within(Operation::Lag, lag).await
    }

    async fn ends(&self) -> Result<Ends, PortError> {
        let lag = self.lag().await?.into_iter();
        Ok(lag.map(|lag| (lag.partition, lag.end)).collect())
    }

    async fn within<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, PortError> {
        within(&*self.clock, self.settings.deadline, operation, call).await
    }
}

/// The ids of a batch's ballots, each once.
fn ids(batch: &LogBatch) -> Vec<BallotId> {
    let readable = batch.entries.iter().flat_map(|entry| &entry.content);
    let ids = readable.flat_map(|ballots| ballots.iter().map(|ballot| ballot.id));
    ids.collect::<BTreeSet<_>>().into_iter().collect()
}
