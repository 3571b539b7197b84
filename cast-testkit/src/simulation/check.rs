//! Whether the promises were kept, once everything is calm and drained.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use cast_core::{
    Audit, AuditSettings, Ports,
    domain::{BallotId, LogPosition, LoggedBallot, Offset, Partition, Progress},
    ports::{GroupName, PortError, ResumeFrom},
};

use super::{
    coverage::RareState,
    process::Processes,
    truth::Votes,
    world::{Promise, World},
};

/// Compares log, store and counter with the ledger, by themselves and with each other.
pub(super) async fn check(world: &World, processes: &Processes) {
    let ports = processes.raw_ports();
    if let Err(error) = check_log(world, &ports).await {
        let how = || format!("the log cannot be read: {}", error.chain());
        world.breaks(Promise::ThingsGoOn, how);
    }
    check_ledger(world);
    if let Err(error) = check_store(world, &ports).await {
        let how = || format!("the store cannot be read: {}", error.chain());
        world.breaks(Promise::ThingsGoOn, how);
    }
    check_tallies(world, processes).await;
    match Audit::new(&ports, AuditSettings::default()).run().await {
        Ok(report) if report.is_clean() => {}
        Ok(report) => world.breaks(Promise::AuditIsClean, || format!("{:?}", report.findings)),
        Err(error) => world.breaks(Promise::AuditIsClean, || error.chain()),
    }
}

struct FromStart;

#[async_trait]
impl ResumeFrom for FromStart {
    async fn resume_from(&self, _: Partition) -> Result<Progress, PortError> {
        Ok(Progress::at(Offset::START))
    }
}

/// The log still has everything that it acknowledged, where it said, and nothing else.
async fn check_log(world: &World, ports: &Ports) -> Result<(), PortError> {
    let group = GroupName::new("simulation");
    let mut ends = BTreeMap::new();
    for lag in ports.bus.lag(&group).await? {
        if lag.end > Offset::START {
            ends.insert(lag.partition, lag.end);
        }
    }
    let mut log = ports
        .bus
        .subscribe(&group, 100, Arc::new(FromStart))
        .await?;
    let mut read: BTreeMap<LogPosition, Vec<LoggedBallot>> = BTreeMap::new();
    while !ends.is_empty() {
        let batch = log.next().await?;
        for entry in batch.entries {
            let position = LogPosition {
                partition: batch.partition,
                offset: entry.offset,
            };
            if let Ok(ballots) = entry.content {
                read.insert(position, ballots.to_vec());
            }
        }
        if ends
            .get(&batch.partition)
            .is_some_and(|end| batch.next >= *end)
        {
            ends.remove(&batch.partition);
        }
    }
    log.close().await?;
    let truth = world.truth();
    let is_same = truth.log == read;
    drop(truth);
    if !is_same {
        let how = || "the log does not have what it acknowledged".to_owned();
        world.breaks(Promise::AcknowledgedIsLogged, how);
    }
    Ok(())
}

/// Each ballot in the log is one that a voter sent and was not told to be refused; each one that was
/// acknowledged is there; and each voter has one.
fn check_ledger(world: &World) {
    let mut by_voter: BTreeMap<u32, Vec<(BallotId, usize)>> = BTreeMap::new();
    let mut wrong: Vec<(Promise, String)> = Vec::new();
    let (truth, ledger) = (world.truth(), world.ledger());
    for (position, ballot) in truth
        .log
        .iter()
        .flat_map(|(at, b)| b.iter().map(move |b| (at, b)))
    {
        let name = ballot
            .voter
            .as_ref()
            .and_then(|name| name.as_str().strip_prefix("voter "));
        let voter = name.and_then(|number| number.parse().ok());
        let sent = voter.and_then(|voter| ledger.find(voter));
        let variant = sent.and_then(|sent| sent.variant_of(ballot));
        let (Some(voter), Some(sent), Some(variant)) = (voter, sent, variant) else {
            let how = format!("nobody sent the ballot at {position:?}: {ballot:?}");
            wrong.push((Promise::RefusedIsNotCounted, how));
            continue;
        };
        if !sent.possible[variant] {
            let how = format!("voter {voter} was refused, and is in the log at {position:?}");
            wrong.push((Promise::RefusedIsNotCounted, how));
        }
        by_voter
            .entry(voter)
            .or_default()
            .push((ballot.id, variant));
    }
    for (voter, sent) in ledger.voters() {
        let logged = by_voter.get(&voter).map_or(&[][..], |logged| logged);
        let ids_differ = logged.iter().any(|(id, _)| *id != logged[0].0);
        let contents_differ = logged.iter().any(|(_, variant)| *variant != logged[0].1);
        if ids_differ || (contents_differ && !truth.ids_lost) {
            let how = format!("voter {voter} is in the log as two: {logged:?}");
            wrong.push((Promise::StoreIsExact, how));
        }
        let is_logged = |variant: usize| logged.iter().any(|(_, logged)| *logged == variant);
        let mut acknowledged = (0..).zip(&sent.acknowledged).filter(|(_, told)| **told);
        if acknowledged.any(|(variant, _)| !is_logged(variant)) {
            let how = format!("voter {voter} was acknowledged, and the log does not have them");
            wrong.push((Promise::AcknowledgedIsLogged, how));
        }
        if sent.hung_up {
            world.reached(if logged.is_empty() {
                RareState::HungUpAndWithdrawn
            } else {
                RareState::HungUpAndLogged
            });
        }
    }
    drop((truth, ledger));
    for (promise, how) in wrong {
        world.breaks(promise, || how);
    }
}

/// The store has each ballot of the log once: in its totals, and in its ballots.
async fn check_store(world: &World, ports: &Ports) -> Result<(), PortError> {
    let expected = expected(world);
    let ids: Vec<_> = world
        .truth()
        .counting()
        .map(|(_, ballot)| ballot.id)
        .collect();
    let kept = ports.store.stored_ballots(&ids).await?;
    if let Some((id, _)) = ids.iter().zip(&kept).find(|(_, kept)| kept.is_none()) {
        let how = || format!("the store does not have the ballot {id}");
        world.breaks(Promise::StoreIsExact, how);
    }
    let stored = ports.store.tallies(&world.candidates).await?;
    let stored = stored.iter().map(cast_core::domain::StoredTally::tally);
    let stored: Votes = stored.map(|tally| (tally.candidate, tally.votes)).collect();
    let recounted: Votes = ports.store.recount().await?.votes().into_iter().collect();
    let expected_counted = expected.iter().filter(|(_, votes)| **votes > 0);
    let is_recounted = expected_counted.eq(recounted.iter());
    if stored != expected || !is_recounted {
        let how =
            || format!("the log has {expected:?}, the store {stored:?}, recounted {recounted:?}");
        world.breaks(Promise::StoreIsExact, how);
    }
    Ok(())
}

/// What each candidate must have in the end.
fn expected(world: &World) -> Votes {
    let truth = world.truth();
    let of = |who| {
        (
            Clone::clone(who),
            truth.distinct().get(who).copied().unwrap_or(0),
        )
    };
    world.candidates.iter().map(of).collect()
}

/// Each door shows what the store has, once it had the time to heal.
async fn check_tallies(world: &World, processes: &Processes) {
    let refresh_after = Duration::from_millis(world.setup.refresh_after_ms);
    let expected = expected(world);
    for slot in 0..world.setup.doors() {
        let Some(cast) = processes.door(slot).and_then(|body| body.cast()) else {
            continue;
        };
        // Shown once, whatever is old is asked for; shown again, it has healed.
        world.clock.pause(refresh_after).await;
        let _ = cast.tallies(&world.candidates).await;
        world.clock.pause(Duration::from_secs(2)).await;
        let shown = cast.tallies(&world.candidates).await.map(|tallies| {
            let votes = tallies
                .into_iter()
                .map(|tally| (tally.candidate, tally.votes));
            votes.collect::<Votes>()
        });
        match shown {
            Ok(shown) if shown == expected => {}
            shown => world.breaks(Promise::TalliesHeal, || {
                format!("door {slot} shows {shown:?}, and the store has {expected:?}")
            }),
        }
    }
}
