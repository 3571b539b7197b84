//! Whether the promises were kept, once everything is calm and drained.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use cast_core::{
    Audit, AuditSettings,
    domain::{BallotId, Clock as _, LogPosition, LoggedBallot, Offset},
    ports::{GroupName, PortError, Ports},
};

use super::{
    coverage::RareState,
    ledger::{Finding, Ledger, Variant, VoterBallot},
    processes::Processes,
    truth::{Truth, Votes},
    world::{Promise, World},
};
use crate::fixtures::Progress;

/// Compares log, store and counter with the ledger, by themselves and with each other.
pub(super) async fn check(world: &World, processes: &Processes) {
    let ports = processes.raw_ports();
    if let Err(error) = check_log(world, &ports).await {
        let how = || format!("the log cannot be read: {}", error.chain());
        world.violated(Promise::Liveness, how);
    }
    check_ledger(world);
    if let Err(error) = check_store(world, &ports).await {
        let how = || format!("the store cannot be read: {}", error.chain());
        world.violated(Promise::Liveness, how);
    }
    check_tallies(world, processes).await;
    match Audit::new(&ports, AuditSettings::default()).run().await {
        Ok(report) if report.is_clean() => {}
        Ok(report) => world.violated(Promise::AuditIsClean, || format!("{:?}", report.findings)),
        Err(error) => world.violated(Promise::AuditIsClean, || error.chain()),
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
        .subscribe(&group, 100, Arc::new(Progress::at_start()))
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
        world.violated(Promise::AcknowledgedIsLogged, how);
    }
    Ok(())
}

/// The ballots in the log are those that voters sent, that were not refused, and that include all that
/// were acknowledged; and each voter has one.
fn check_ledger(world: &World) {
    let mut wrong: Vec<(Promise, String)> = Vec::new();
    let (truth, ledger) = (world.truth(), world.ledger());
    let by_voter = logged_by_voter(&truth, &ledger, &mut wrong);
    let logged: BTreeSet<VoterBallot> = by_voter
        .iter()
        .flat_map(|(voter, logged)| logged.iter().map(|(_, variant)| (*voter, *variant)))
        .collect();
    for finding in ledger.check(logged) {
        let promise = match finding {
            Finding::Missing { .. } => Promise::AcknowledgedIsLogged,
            _ => Promise::RefusedIsNotCounted,
        };
        wrong.push((promise, format!("in the log, {finding}")));
    }
    for (voter, sent) in ledger.voters() {
        let logged = by_voter.get(&voter).map_or(&[][..], |logged| logged);
        let ids_differ = logged.iter().any(|(id, _)| *id != logged[0].0);
        let contents_differ = logged.iter().any(|(_, variant)| *variant != logged[0].1);
        if ids_differ || (contents_differ && !truth.ids_lost) {
            let how = format!("voter {voter} is in the log as two: {logged:?}");
            wrong.push((Promise::StoreIsExact, how));
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
        world.violated(promise, || how);
    }
}

/// The ballots in the log by voter: the id and the variant of each. One that no voter sent is wrong.
fn logged_by_voter(
    truth: &Truth,
    ledger: &Ledger,
    wrong: &mut Vec<(Promise, String)>,
) -> BTreeMap<u32, Vec<(BallotId, Variant)>> {
    let mut by_voter: BTreeMap<u32, Vec<(BallotId, Variant)>> = BTreeMap::new();
    let records = truth.log.iter();
    let ballots = records.flat_map(|(at, ballots)| ballots.iter().map(move |it| (at, it)));
    for (position, ballot) in ballots {
        let name = ballot.voter.as_ref();
        let number = name.and_then(|name| name.as_str().strip_prefix("voter "));
        let voter = number.and_then(|number| number.parse().ok());
        let sent = voter.and_then(|voter| ledger.find(voter));
        let variant = sent.and_then(|sent| sent.variant_of(ballot));
        if let (Some(voter), Some(variant)) = (voter, variant) {
            let logged = by_voter.entry(voter).or_default();
            logged.push((ballot.id, variant));
        } else {
            let how = format!("no voter sent the ballot at {position:?}: {ballot:?}");
            wrong.push((Promise::RefusedIsNotCounted, how));
        }
    }
    by_voter
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
        world.violated(Promise::StoreIsExact, how);
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
        world.violated(Promise::StoreIsExact, how);
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

/// Each API process shows what the store has, once it had the time to refresh.
async fn check_tallies(world: &World, processes: &Processes) {
    let refresh_after = Duration::from_millis(world.setup.refresh_after_ms);
    let expected = expected(world);
    for slot in 0..world.setup.apis() {
        let Some(cast) = processes.api(slot).and_then(|instance| instance.cast()) else {
            continue;
        };
        // The first read refreshes what is old; the second shows it.
        world.clock.sleep(refresh_after).await;
        let _ = cast.tallies(&world.candidates).await;
        world.clock.sleep(Duration::from_secs(2)).await;
        let shown = cast.tallies(&world.candidates).await.map(|tallies| {
            let votes = tallies
                .into_iter()
                .map(|tally| (tally.candidate, tally.votes));
            votes.collect::<Votes>()
        });
        match shown {
            Ok(shown) if shown == expected => {}
            shown => world.violated(Promise::TalliesRefresh, || {
                format!("API process {slot} shows {shown:?}, and the store has {expected:?}")
            }),
        }
    }
}
