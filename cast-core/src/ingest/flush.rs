//! One flush: redeem, publish, record and reply, once for all its ballots.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use futures_util::future::join_all;
use tokio::sync::oneshot;

use super::{recent::Recent, service::Pending};
use crate::{
    deadline::{in_time, passed, within},
    domain::{
        BallotId, Candidate, Claim, GenuineTicket, LogPosition, LoggedBallot, Outcome, Partition,
        Partitions, Receipt, Record, Redemption, Refusal, Tally, sum_votes,
    },
    fault::{Fault, FaultKind},
    outage::Outage,
    ports::{
        Clock, Entropy, EventBus, PendingVotes, PortError, Ports, Published, TicketSource,
        VoteCounter,
    },
    settings::IngestSettings,
    tallies::{Shown, Tallies},
};

/// Carries out flushes.
pub(super) struct Flusher {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    tickets: Arc<dyn TicketSource>,
    bus: Arc<dyn EventBus>,
    counter: Arc<dyn VoteCounter>,
    tallies: Arc<Tallies>,
    recent: Arc<Recent>,
    partitions: Partitions,
    settings: IngestSettings,
    outages: Outages,
    /// Counts the flushes, to give each the next partition in turn.
    turn: AtomicU32,
}

/// What may be down.
struct Outages {
    redeem: Outage,
    publish: Outage,
    record: Outage,
}

type Reply = oneshot::Sender<Result<Outcome, Fault>>;

/// A ballot on its way through a flush.
struct Entry {
    ballot: LoggedBallot,
    ticket: GenuineTicket,
    reply: Reply,
}

/// A ballot that is to be published: new, or sent again.
struct Redeemed {
    ballot: LoggedBallot,
    repeated: bool,
    reply: Reply,
}

/// A ballot that the log has.
struct Acknowledged {
    redeemed: Redeemed,
    position: Option<LogPosition>,
}

impl Acknowledged {
    /// Where its votes are to be recorded: nowhere if an earlier sending of it was.
    fn recorded_at(&self) -> Option<LogPosition> {
        if self.redeemed.repeated {
            None
        } else {
            self.position
        }
    }
}

impl Flusher {
    pub(super) fn new(
        ports: &Ports,
        partitions: Partitions,
        tallies: Arc<Tallies>,
        recent: Arc<Recent>,
        settings: IngestSettings,
    ) -> Self {
        Self {
            clock: Arc::clone(&ports.clock),
            entropy: Arc::clone(&ports.entropy),
            tickets: Arc::clone(&ports.tickets),
            bus: Arc::clone(&ports.bus),
            counter: Arc::clone(&ports.counter),
            tallies,
            recent,
            partitions,
            settings,
            outages: Outages {
                redeem: Outage::new(&ports.clock, "ballots are not redeemed"),
                publish: Outage::new(&ports.clock, "ballots are not acknowledged"),
                record: Outage::new(&ports.clock, "votes are logged, but not shown yet"),
            },
            turn: AtomicU32::new(0),
        }
    }

    /// Takes ballots all the way, and answers each.
    pub(super) async fn flush(&self, pending: Vec<Pending>) {
        let entries = self.admit(pending);
        let redeemed = self.redeem(entries).await;
        let acknowledged = self.publish(redeemed).await;
        if acknowledged.is_empty() {
            return;
        }
        self.remember(&acknowledged);
        let shown = self.record(&acknowledged).await;
        reply(acknowledged, shown);
    }

    /// Leaves out the ballots whose voters have gone, and sends away those that waited too long:
    /// nothing has happened with them yet. Gives the others their ids.
    fn admit(&self, pending: Vec<Pending>) -> Vec<Entry> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let home = Partition::new(turn % self.partitions.count());
        let (now, monotonic) = (self.clock.now(), self.clock.monotonic());
        let mut entries = Vec::with_capacity(pending.len());
        for Pending {
            ballot,
            ticket,
            since,
            reply,
        } in pending
        {
            if reply.is_closed() {
                continue;
            }
            let mint = || BallotId::mint(home, self.partitions, now, &*self.entropy);
            let id = ballot.id().unwrap_or_else(mint);
            if monotonic.saturating_sub(since) > self.settings.max_wait {
                answer(reply, Err(Fault::new(FaultKind::Overloaded).about(id)));
                continue;
            }
            entries.push(Entry {
                ballot: ballot.logged(id, ticket.stamp()),
                ticket,
                reply,
            });
        }
        entries
    }

    /// Step 1. One call for each distinct ticket: one, and two where a period ends.
    async fn redeem(&self, entries: Vec<Entry>) -> Vec<Redeemed> {
        let mut by_ticket: BTreeMap<GenuineTicket, Vec<Entry>> = BTreeMap::new();
        for entry in entries {
            by_ticket.entry(entry.ticket).or_default().push(entry);
        }
        let calls = by_ticket
            .into_iter()
            .map(|(ticket, entries)| self.redeem_one(ticket, entries));
        join_all(calls).await.into_iter().flatten().collect()
    }

    async fn redeem_one(&self, ticket: GenuineTicket, entries: Vec<Entry>) -> Vec<Redeemed> {
        let claims: Vec<_> = entries
            .iter()
            .map(|entry| Claim::of(&entry.ballot))
            .collect();
        let limit = self.settings.redeem_deadline;
        let call = self.tickets.redeem(&ticket, &claims);
        let result = within(&*self.clock, limit, "redeeming a ticket", call).await;
        self.outages.redeem.note(&result);
        let redemptions = match result {
            Ok(redemptions) => redemptions,
            Err(error) => {
                // Uses may be wasted, votes are not cast: nothing was published.
                let fault = Fault::from(error);
                for Entry { ballot, reply, .. } in entries {
                    answer(reply, Err(fault.clone().about(ballot.id)));
                }
                return Vec::new();
            }
        };
        assert_eq!(
            redemptions.len(),
            entries.len(),
            "a ticket source answers each claim"
        );
        let mut redeemed = Vec::with_capacity(entries.len());
        for (Entry { ballot, reply, .. }, redemption) in entries.into_iter().zip(redemptions) {
            let repeated = match redemption {
                Redemption::Granted => false,
                Redemption::Repeated => true,
                Redemption::Refused(why) => {
                    let (ballot, why) = (ballot.id, Refusal::from(why));
                    answer(reply, Ok(Outcome::Refused { ballot, why }));
                    continue;
                }
            };
            redeemed.push(Redeemed {
                ballot,
                repeated,
                reply,
            });
        }
        redeemed
    }

    /// Step 2. One record for each partition: one, unless voters bring their own ids, or a flush takes
    /// more ballots than a record does.
    async fn publish(&self, redeemed: Vec<Redeemed>) -> Vec<Acknowledged> {
        let mut by_home: BTreeMap<Partition, Vec<Redeemed>> = BTreeMap::new();
        for redeemed in redeemed {
            let home = self.partitions.partition_of(redeemed.ballot.id);
            by_home.entry(home).or_default().push(redeemed);
        }
        let parts: Vec<(Partition, Vec<Redeemed>)> = by_home
            .into_iter()
            .flat_map(|(home, redeemed)| in_records(redeemed).map(move |part| (home, part)))
            .collect();
        if parts.is_empty() {
            return Vec::new();
        }
        let records: Vec<_> = parts
            .iter()
            .map(|(home, redeemed)| {
                let ballots: Arc<[_]> = redeemed.iter().map(|r| r.ballot.clone()).collect();
                Record::new(*home, ballots)
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
            self.outages.publish.note(&result);
            match result {
                Ok(Published { position }) => acknowledged.extend(
                    redeemed
                        .into_iter()
                        .map(|redeemed| Acknowledged { redeemed, position }),
                ),
                Err(error) => answer_unpublished(redeemed, error),
            }
        }
        acknowledged
    }

    async fn publish_in_time(&self, records: &[Record]) -> Vec<Result<Published, PortError>> {
        let limit = self.settings.publish_deadline;
        let results = in_time(&*self.clock, limit, self.bus.publish(records)).await;
        results.unwrap_or_else(|| {
            records
                .iter()
                .map(|_| Err(passed("publishing ballots", limit)))
                .collect()
        })
    }

    fn remember(&self, acknowledged: &[Acknowledged]) {
        let logged = acknowledged.iter().filter_map(|ack| {
            ack.position
                .map(|position| (ack.redeemed.ballot.id, position))
        });
        self.recent.remember(logged);
    }

    /// Step 3. Records the votes that are new, and reads the tallies of everybody voted for.
    async fn record(&self, acknowledged: &[Acknowledged]) -> Shown {
        let mut by_position: BTreeMap<LogPosition, Vec<&LoggedBallot>> = BTreeMap::new();
        for ack in acknowledged {
            if let Some(position) = ack.recorded_at() {
                by_position
                    .entry(position)
                    .or_default()
                    .push(&ack.redeemed.ballot);
            }
        }
        let tails: Vec<_> = by_position
            .into_iter()
            .map(|(position, ballots)| PendingVotes {
                position,
                votes: sum_votes(ballots).into_iter().collect(),
            })
            .collect();
        let everybody = everybody(&tails, acknowledged);
        let limit = self.settings.record_deadline;
        let record = self.counter.record(&tails, &everybody);
        let result = within(&*self.clock, limit, "recording votes", record).await;
        self.outages.record.note(&result);
        match result {
            Ok(readings) => self.tallies.healed(readings).await,
            Err(_) => self.known_without_counter(&everybody, &tails).await,
        }
    }

    /// What can be shown while the counter is down: what the store has, or else just this flush.
    async fn known_without_counter(
        &self,
        everybody: &[Candidate],
        tails: &[PendingVotes],
    ) -> Shown {
        if let Ok(shown) = self.tallies.of_store(everybody).await {
            return shown;
        }
        let mut tallies: Vec<_> = everybody.iter().cloned().map(Tally::none).collect();
        for (candidate, votes) in tails.iter().flat_map(|tail| &tail.votes) {
            let at = everybody
                .binary_search(candidate)
                .expect("everybody is in it, sorted");
            tallies[at].votes += votes;
        }
        Shown {
            tallies,
            stale: true,
            missed: None,
        }
    }
}

/// Ballots cut into what a record takes, in their order.
fn in_records(mut redeemed: Vec<Redeemed>) -> impl Iterator<Item = Vec<Redeemed>> {
    std::iter::from_fn(move || {
        let rest = redeemed.split_off(redeemed.len().min(Record::MAX_BALLOTS));
        let part = std::mem::replace(&mut redeemed, rest);
        (!part.is_empty()).then_some(part)
    })
}

/// Everybody voted for, each once, in order.
fn everybody(tails: &[PendingVotes], acknowledged: &[Acknowledged]) -> Vec<Candidate> {
    let recorded = tails.iter().flat_map(|tail| &tail.votes);
    let unrecorded = acknowledged
        .iter()
        .filter(|ack| ack.recorded_at().is_none())
        .flat_map(|ack| ack.redeemed.ballot.selections.iter());
    let mut everybody: Vec<_> = recorded
        .map(|(candidate, _)| candidate)
        .chain(unrecorded.map(|selection| &selection.candidate))
        .cloned()
        .collect();
    everybody.sort_unstable();
    everybody.dedup();
    everybody
}

/// Step 4. Tells each voter the tallies after their own ballot, as if the ballots of the flush had
/// come one after the other.
///
/// What is shown is everybody's, in order.
fn reply(acknowledged: Vec<Acknowledged>, shown: Shown) {
    let mut after = shown.tallies;
    let place = |after: &[Tally], candidate: &Candidate| {
        after
            .binary_search_by(|tally| tally.candidate.cmp(candidate))
            .expect("everybody is in it, sorted")
    };
    // From the last ballot back: each is shown what stands, and then taken out again.
    for ack in acknowledged.into_iter().rev() {
        // Stale tallies may lack the flush, as a whole or in part: nothing can be taken out again.
        let recorded = ack.recorded_at().is_some() && !shown.stale;
        let Acknowledged {
            redeemed:
                Redeemed {
                    ballot,
                    repeated,
                    reply,
                },
            position,
        } = ack;
        let selections = &ballot.selections;
        let places: Vec<_> = selections
            .iter()
            .map(|s| place(&after, &s.candidate))
            .collect();
        let tallies = places.iter().map(|at| after[*at].clone()).collect();
        if recorded {
            for (at, selection) in places.into_iter().zip(selections.iter()) {
                let votes = &mut after[at].votes;
                *votes = votes.saturating_sub(u64::from(selection.votes.get()));
            }
        }
        let receipt = Receipt {
            ballot: ballot.id,
            position,
            repeated,
            tallies,
            stale: shown.stale,
        };
        answer(reply, Ok(Outcome::Accepted(receipt)));
    }
}

/// Answers the ballots of a record that the log did not acknowledge.
fn answer_unpublished(redeemed: Vec<Redeemed>, error: PortError) {
    let fault = Fault::of_publish(error);
    for Redeemed {
        ballot,
        repeated,
        reply,
    } in redeemed
    {
        // Of a ballot that was granted before, an earlier sending may be in the log all the same.
        let fault = if repeated {
            fault.clone().unknown()
        } else {
            fault.clone()
        };
        answer(reply, Err(fault.about(ballot.id)));
    }
}

/// The voter may be gone; then there is nobody to tell.
fn answer(reply: Reply, result: Result<Outcome, Fault>) {
    let _ = reply.send(result);
}
