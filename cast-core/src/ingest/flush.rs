//! One flush: redeem, publish and record, once for all its ballots.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use futures_util::future::join_all;

use super::{
    answer::{
        AcknowledgedBallot, AdmittedBallot, PendingBallot, RedeemedBallot, accept, answer,
        candidates, fail,
    },
    recent::RecentBallots,
};
use crate::{
    deadline::{in_time, passed},
    domain::{
        BallotId, Candidate, Claim, GenuineTicket, LogPosition, LoggedBallot, Outcome, Partition,
        Partitions, Record, Redemption, Refusal, Tally, sum_votes,
    },
    fault::{Fault, FaultKind},
    outage::Outage,
    ports::{Operation, PendingVotes, PortError, Ports, Published},
    settings::IngestSettings,
    tallies::{Shown, Tallies},
};

/// Runs flushes.
pub(super) struct Flusher {
    ports: Ports,
    tallies: Arc<Tallies>,
    recent: Arc<RecentBallots>,
    partitions: Partitions,
    settings: IngestSettings,
    redeem_outage: Outage,
    publish_outage: Outage,
    record_outage: Outage,
    /// The number of flushes: the minted ids of each belong to the next partition in turn.
    turn: AtomicU32,
}

impl Flusher {
    pub(super) fn new(
        ports: &Ports,
        partitions: Partitions,
        tallies: Arc<Tallies>,
        recent: Arc<RecentBallots>,
        settings: IngestSettings,
    ) -> Self {
        let outage = |meaning| Outage::new(&ports.clock, meaning);
        Self {
            ports: ports.clone(),
            tallies,
            recent,
            partitions,
            settings,
            redeem_outage: outage("votes are refused: tickets cannot be redeemed"),
            publish_outage: outage("votes are not acknowledged: the log cannot be written"),
            record_outage: outage(
                "votes are logged but not shown yet: the counter does not answer",
            ),
            turn: AtomicU32::new(0),
        }
    }

    /// Runs all steps and answers each ballot.
    pub(super) async fn flush(&self, pending: Vec<PendingBallot>) {
        let admitted = self.admit(pending);
        let redeemed = self.redeem(admitted).await;
        let acknowledged = self.publish(redeemed).await;
        if acknowledged.is_empty() {
            return;
        }
        self.remember(&acknowledged);
        let shown = self.record(&acknowledged).await;
        accept(acknowledged, shown);
    }

    /// Gives ballots their ids. Discards ballots whose voters have disconnected, and refuses ballots that
    /// waited for too long: nothing has happened with these yet.
    fn admit(&self, pending: Vec<PendingBallot>) -> Vec<AdmittedBallot> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let partition = Partition::new(turn % self.partitions.count());
        let (now, monotonic) = (self.ports.clock.now(), self.ports.clock.monotonic());
        let mut admitted = Vec::with_capacity(pending.len());
        for PendingBallot {
            ballot,
            ticket,
            since,
            reply,
        } in pending
        {
            if reply.is_closed() {
                continue;
            }
            let mint = || BallotId::mint(partition, self.partitions, now, &*self.ports.entropy);
            let id = ballot.id().unwrap_or_else(mint);
            if monotonic.saturating_sub(since) > self.settings.max_wait {
                answer(reply, Err(Fault::new(FaultKind::Overloaded).about(id)));
                continue;
            }
            admitted.push(AdmittedBallot {
                ballot: LoggedBallot::of(&ballot, id, ticket.stamp()),
                ticket,
                reply,
            });
        }
        admitted
    }

    /// Step 1. One call for each distinct ticket: one, or two where a period ends.
    async fn redeem(&self, admitted: Vec<AdmittedBallot>) -> Vec<RedeemedBallot> {
        let mut by_ticket: BTreeMap<GenuineTicket, Vec<AdmittedBallot>> = BTreeMap::new();
        for ballot in admitted {
            by_ticket.entry(ballot.ticket).or_default().push(ballot);
        }
        let calls = by_ticket
            .into_iter()
            .map(|(ticket, admitted)| self.redeem_one(ticket, admitted));
        join_all(calls).await.into_iter().flatten().collect()
    }

    async fn redeem_one(
        &self,
        ticket: GenuineTicket,
        admitted: Vec<AdmittedBallot>,
    ) -> Vec<RedeemedBallot> {
        let claims = admitted.iter().map(|admitted| Claim::of(&admitted.ballot));
        let claims: Vec<_> = claims.collect();
        let limit = self.settings.redeem_deadline;
        let call = self.ports.tickets.redeem(&ticket, &claims);
        let result = self.ports.within(limit, Operation::Redeem, call).await;
        self.redeem_outage.note(&result);
        let redemptions = match result {
            Ok(redemptions) => redemptions,
            Err(error) => {
                // Uses may be wasted. Nothing was published, so no ballot counts.
                let fault = Fault::from(error);
                for AdmittedBallot { ballot, reply, .. } in admitted {
                    answer(reply, Err(fault.clone().about(ballot.id)));
                }
                return Vec::new();
            }
        };
        assert_eq!(
            redemptions.len(),
            admitted.len(),
            "a ticket source answers each claim"
        );
        let mut redeemed = Vec::with_capacity(admitted.len());
        for (AdmittedBallot { ballot, reply, .. }, redemption) in
            admitted.into_iter().zip(redemptions)
        {
            let repeated = match redemption {
                Redemption::Granted => false,
                Redemption::Repeated => true,
                Redemption::Refused(why) => {
                    let (ballot, why) = (ballot.id, Refusal::from(why));
                    answer(reply, Ok(Outcome::Refused { ballot, why }));
                    continue;
                }
            };
            redeemed.push(RedeemedBallot {
                ballot,
                repeated,
                reply,
            });
        }
        redeemed
    }

    /// Step 2. One record for each partition. That is one record, unless clients choose the ids or the flush
    /// has more ballots than a record may have.
    async fn publish(&self, redeemed: Vec<RedeemedBallot>) -> Vec<AcknowledgedBallot> {
        let mut by_partition: BTreeMap<Partition, Vec<RedeemedBallot>> = BTreeMap::new();
        for redeemed in redeemed {
            let partition = self.partitions.partition_of(redeemed.ballot.id);
            by_partition.entry(partition).or_default().push(redeemed);
        }
        let parts: Vec<(Partition, Vec<RedeemedBallot>)> = by_partition
            .into_iter()
            .flat_map(|(partition, redeemed)| {
                in_records(redeemed).map(move |part| (partition, part))
            })
            .collect();
        if parts.is_empty() {
            return Vec::new();
        }
        let records: Vec<_> = parts
            .iter()
            .map(|(partition, redeemed)| {
                let ballots: Arc<[_]> = redeemed.iter().map(|r| r.ballot.clone()).collect();
                Record::new(*partition, ballots)
            })
            .collect();
        let results = self.publish_in_time(&records).await;
        assert_eq!(
            results.len(),
            records.len(),
            "a log answers for each record"
        );
        let mut acknowledged = Vec::new();
        for ((_, redeemed), result) in parts.into_iter().zip(results) {
            self.publish_outage.note(&result);
            match result {
                Ok(Published { position }) => acknowledged.extend(
                    redeemed
                        .into_iter()
                        .map(|redeemed| AcknowledgedBallot { redeemed, position }),
                ),
                Err(error) => fail(redeemed, error),
            }
        }
        acknowledged
    }

    async fn publish_in_time(&self, records: &[Record]) -> Vec<Result<Published, PortError>> {
        let limit = self.settings.publish_deadline;
        let results = in_time(&*self.ports.clock, limit, self.ports.bus.publish(records)).await;
        results.unwrap_or_else(|| {
            records
                .iter()
                .map(|_| Err(passed(Operation::Publish, limit)))
                .collect()
        })
    }

    fn remember(&self, acknowledged: &[AcknowledgedBallot]) {
        let logged = acknowledged.iter().filter_map(|ack| {
            ack.position
                .map(|position| (ack.redeemed.ballot.id, position))
        });
        self.recent.remember(logged);
    }

    /// Step 3. Records the votes of the new ballots, and reads the tallies of all candidates.
    async fn record(&self, acknowledged: &[AcknowledgedBallot]) -> Shown {
        let mut by_position: BTreeMap<LogPosition, Vec<&LoggedBallot>> = BTreeMap::new();
        for ack in acknowledged {
            if let Some(position) = ack.recorded_at() {
                by_position
                    .entry(position)
                    .or_default()
                    .push(&ack.redeemed.ballot);
            }
        }
        let pending: Vec<_> = by_position
            .into_iter()
            .map(|(position, ballots)| PendingVotes {
                position,
                votes: sum_votes(ballots).into_iter().collect(),
            })
            .collect();
        let candidates = candidates(&pending, acknowledged);
        let limit = self.settings.record_deadline;
        let record = self.ports.counter.record(&pending, &candidates);
        let result = self.ports.within(limit, Operation::Record, record).await;
        self.record_outage.note(&result);
        match result {
            Ok(readings) => self.tallies.refreshed(readings).await,
            Err(_) => self.shown_without_counter(&candidates, &pending).await,
        }
    }

    /// The tallies while the counter is down: those of the store, or else the votes of this flush alone.
    async fn shown_without_counter(
        &self,
        candidates: &[Candidate],
        pending: &[PendingVotes],
    ) -> Shown {
        if let Ok(shown) = self.tallies.of_store(candidates).await {
            return shown;
        }
        let mut tallies: Vec<_> = candidates.iter().cloned().map(Tally::none).collect();
        for (candidate, votes) in pending.iter().flat_map(|pending| &pending.votes) {
            let at = candidates
                .binary_search(candidate)
                .expect("the candidates are those of all votes, in order");
            tallies[at].votes += votes;
        }
        Shown {
            tallies,
            stale: true,
            missed: None,
        }
    }
}

/// Divides ballots into as many as a record may have, in their order.
fn in_records(mut redeemed: Vec<RedeemedBallot>) -> impl Iterator<Item = Vec<RedeemedBallot>> {
    std::iter::from_fn(move || {
        let rest = redeemed.split_off(redeemed.len().min(Record::MAX_BALLOTS));
        let part = std::mem::replace(&mut redeemed, rest);
        (!part.is_empty()).then_some(part)
    })
}
