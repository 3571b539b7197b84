//! The counter in Redis beyond its port's contract: exact sums of any size, and memory
//! that is bounded by the lag.

mod redis;

use std::{sync::Arc, time::Duration};

use cast_adapters::{
    memory::MemoryCounter,
    redis::{Redis, RedisCounter},
};
use cast_core::{
    domain::{AppliedTotal, Candidate, Clock, LogPosition, Offset, Partition},
    ports::{Checkpoint, PendingVotes, Reading, VoteCounter},
};
use cast_testkit::{
    ManualClock, Seed, SeededEntropy, eventually, fixtures::Fixtures, race, servers,
};

use self::redis::{Namespace, PATIENCE};

fn pending_votes(partition: u32, offset: u64, votes: &[(&Candidate, u64)]) -> PendingVotes {
    PendingVotes {
        position: LogPosition {
            partition: Partition::new(partition),
            offset: Offset::new(offset),
        },
        votes: votes
            .iter()
            .map(|(candidate, n)| ((*candidate).clone(), *n))
            .collect(),
    }
}

fn checkpoint(
    candidate: &Candidate,
    applied_totals: &[(u32, u64, u64)],
    whole: bool,
) -> Checkpoint {
    let total = |(partition, votes, as_of): &(u32, u64, u64)| AppliedTotal {
        partition: Partition::new(*partition),
        votes: *votes,
        as_of: Offset::new(*as_of),
    };
    Checkpoint {
        candidate: candidate.clone(),
        applied_totals: applied_totals.iter().map(total).collect(),
        whole,
    }
}

async fn record(
    counter: &dyn VoteCounter,
    pending: &[PendingVotes],
    show: &[Candidate],
) -> Vec<Reading> {
    let recorded = counter.record(pending, show).await;
    recorded.expect("the counter records")
}

async fn reconcile(counter: &dyn VoteCounter, checkpoints: &[Checkpoint]) {
    let reconciled = counter.reconcile(checkpoints).await;
    reconciled.expect("the counter reconciles");
}

/// Votes, version, and whether it is a hit.
async fn shown(counter: &dyn VoteCounter, candidate: &Candidate) -> (u64, u64, bool) {
    let readings = counter.read(std::slice::from_ref(candidate)).await;
    let readings = readings.expect("the counter reads");
    let Reading { tally, age } = &readings[0];
    (tally.votes, tally.version.get(), age.is_some())
}

async fn namespace_and_counter() -> Option<(Namespace, RedisCounter)> {
    let namespace = Namespace::on(servers::redis().await?).await;
    let counter = namespace.open().counter();
    Some((namespace, counter))
}

#[tokio::test]
async fn it_returns_the_same_readings_as_the_counter_in_memory() {
    let Some((_, counter)) = namespace_and_counter().await else {
        return;
    };
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new());
    let model = MemoryCounter::new(clock);
    let seed = Seed::from_env_or_random();
    let (entropy, fixtures) = (seed.entropy(), Fixtures::of(seed.part(1)));
    let candidates: Vec<Candidate> = ["a", "{b}", "c %7B"]
        .into_iter()
        .map(|name| fixtures.candidate(name))
        .collect();
    for step in 0..1_500 {
        if entropy.below(3) == 0 {
            let checkpoints = some(&entropy, 3, |e| any_checkpoint(e, &candidates));
            reconcile(&counter, &checkpoints).await;
            reconcile(&model, &checkpoints).await;
        } else {
            let pending = some(&entropy, 4, |e| any_pending(e, &candidates));
            let ours = record(&counter, &pending, &candidates).await;
            let theirs = record(&model, &pending, &candidates).await;
            let tallies = |all: &[Reading]| all.iter().map(|r| r.tally.clone()).collect::<Vec<_>>();
            assert_eq!(tallies(&ours), tallies(&theirs), "in step {step}");
        }
        for candidate in &candidates {
            let (ours, theirs) = (
                shown(&counter, candidate).await,
                shown(&model, candidate).await,
            );
            assert_eq!(ours, theirs, "of {candidate} after step {step}");
        }
    }
}

fn some<T>(entropy: &SeededEntropy, most: u64, make: impl Fn(&SeededEntropy) -> T) -> Vec<T> {
    (0..=entropy.below(most)).map(|_| make(entropy)).collect()
}

fn any_pending(entropy: &SeededEntropy, candidates: &[Candidate]) -> PendingVotes {
    let candidate = &candidates[entropy.index(candidates.len())];
    pending_votes(
        any_partition(entropy),
        any_offset(entropy),
        &[(candidate, any_votes(entropy))],
    )
}

fn any_checkpoint(entropy: &SeededEntropy, candidates: &[Candidate]) -> Checkpoint {
    let candidate = &candidates[entropy.index(candidates.len())];
    let total = (
        any_partition(entropy),
        any_votes(entropy),
        any_offset(entropy),
    );
    let applied_totals = if entropy.below(4) == 0 {
        vec![]
    } else {
        vec![total]
    };
    checkpoint(candidate, &applied_totals, entropy.below(2) == 0)
}

/// Numbers of one digit and of ten, which must not be ordered as strings.
fn any_partition(entropy: &SeededEntropy) -> u32 {
    [0, 7, u32::MAX][entropy.index(3)]
}

/// Mostly small, so that they coincide; the others are where a double is no longer exact.
fn any_offset(entropy: &SeededEntropy) -> u64 {
    match entropy.below(40) {
        0 => (1 << 53) + entropy.below(4),
        1 => u64::MAX - 5 + entropy.below(4),
        _ => entropy.below(200),
    }
}

fn any_votes(entropy: &SeededEntropy) -> u64 {
    let votes = [
        1,
        9_999_999_999,
        10_000_000_000,
        (1 << 53) + 1,
        u64::MAX / 2,
        u64::MAX,
    ];
    match entropy.below(8) {
        0 => votes[entropy.index(votes.len())],
        _ => 1 + entropy.below(1_000),
    }
}

#[tokio::test]
async fn sums_beyond_the_precision_of_a_double_are_exact() {
    const ODD: u64 = (1 << 53) + 1;
    let Some((_, counter)) = namespace_and_counter().await else {
        return;
    };
    let alice = Fixtures::new().candidate("alice");
    reconcile(&counter, &[checkpoint(&alice, &[(0, ODD, 10)], true)]).await;
    for offset in 10..20 {
        record(&counter, &[pending_votes(0, offset, &[(&alice, ODD)])], &[]).await;
    }
    assert_eq!(shown(&counter, &alice).await, (11 * ODD, 20, true));
    reconcile(&counter, &[checkpoint(&alice, &[(0, 1, 17)], false)]).await;
    assert_eq!(shown(&counter, &alice).await, (1 + 3 * ODD, 20, true));
}

/// Records for more candidates than one pipeline holds, and more pending records of one of them
/// than one command has.
#[tokio::test]
async fn large_calls_are_split() {
    let Some((_, counter)) = namespace_and_counter().await else {
        return;
    };
    let fixtures = Fixtures::new();
    let candidates: Vec<Candidate> = (0..2_300)
        .map(|n| fixtures.candidate(&n.to_string()))
        .collect();
    let votes: Vec<(&Candidate, u64)> = candidates.iter().map(|candidate| (candidate, 3)).collect();
    let mut pending = vec![pending_votes(0, 0, &votes)];
    pending.extend((1..5_000).map(|offset| pending_votes(0, offset, &[(&candidates[7], 1)])));
    let readings = record(&counter, &pending, &candidates).await;
    for (at, reading) in readings.iter().enumerate() {
        let expected = if at == 7 { 3 + 4_999 } else { 3 };
        assert_eq!(reading.tally.candidate, candidates[at]);
        assert_eq!(reading.tally.votes, expected);
    }
    // A part of many pages of pending records is reconciled, and then all of them.
    let seventh = &candidates[7];
    reconcile(&counter, &[checkpoint(seventh, &[(0, 100, 4_100)], false)]).await;
    assert_eq!(shown(&counter, seventh).await, (1_000, 5_000, false));
    reconcile(&counter, &[checkpoint(seventh, &[(0, 9, 5_000)], true)]).await;
    assert_eq!(shown(&counter, seventh).await, (9, 5_000, true));
}

#[tokio::test]
async fn a_candidate_lost_under_use_is_a_miss_and_recovers() {
    let Some((namespace, counter)) = namespace_and_counter().await else {
        return;
    };
    let alice = Fixtures::new().candidate("alice");
    reconcile(&counter, &[checkpoint(&alice, &[(0, 30, 10)], true)]).await;
    record(&counter, &[pending_votes(0, 10, &[(&alice, 5)])], &[]).await;
    assert_eq!(
        namespace.keys().await,
        [namespace.tally(&alice)],
        "there is nothing to lose but this key"
    );

    let _: i64 = namespace.ask(&["DEL", &namespace.tally(&alice)]).await;
    let after = record(
        &counter,
        &[pending_votes(0, 11, &[(&alice, 2)])],
        std::slice::from_ref(&alice),
    )
    .await;
    assert_eq!((after[0].tally.votes, after[0].age), (2, None));
    // The store has not folded the lost vote yet: it is missed for a while, and never counted twice.
    reconcile(&counter, &[checkpoint(&alice, &[(0, 30, 10)], true)]).await;
    assert_eq!(shown(&counter, &alice).await, (32, 12, true));
    reconcile(&counter, &[checkpoint(&alice, &[(0, 35, 11)], false)]).await;
    assert_eq!(shown(&counter, &alice).await, (37, 12, true));
}

#[tokio::test]
async fn a_count_that_makes_no_sense_is_as_good_as_lost() {
    let Some((namespace, counter)) = namespace_and_counter().await else {
        return;
    };
    let alice = Fixtures::new().candidate("alice");
    let key = namespace.tally(&alice);
    for garbage in ["b:0:1", "a:yesterday", "b:0:1:2:3:4:-5"] {
        reconcile(&counter, &[checkpoint(&alice, &[(0, 30, 10)], true)]).await;
        let _: i64 = namespace.ask(&["ZADD", &key, "0", garbage]).await;
        assert!(!shown(&counter, &alice).await.2, "{garbage} is a miss");
        reconcile(&counter, &[checkpoint(&alice, &[(0, 40, 10)], true)]).await;
        assert_eq!(shown(&counter, &alice).await, (40, 10, true), "{garbage}");
        let _: i64 = namespace.ask(&["DEL", &key]).await;
    }
}

#[tokio::test]
async fn only_a_count_without_pending_votes_has_a_time_to_live() {
    let Some((mut namespace, _)) = namespace_and_counter().await else {
        return;
    };
    namespace.options.idle_kept = Duration::from_secs(1_000);
    let counter = namespace.open().counter();
    let alice = Fixtures::new().candidate("alice");
    let key = namespace.tally(&alice);
    let idle = async || namespace.time_to_live(&key).await.is_some();

    record(&counter, &[pending_votes(0, 5, &[(&alice, 1)])], &[]).await;
    assert!(!idle().await, "pending votes of a new candidate");
    reconcile(&counter, &[checkpoint(&alice, &[(1, 9, 9)], true)]).await;
    assert!(!idle().await, "another partition is reconciled");
    reconcile(&counter, &[checkpoint(&alice, &[(0, 1, 6)], false)]).await;
    assert!(idle().await, "all is reconciled");
    record(&counter, &[pending_votes(0, 5, &[(&alice, 1)])], &[]).await;
    assert!(idle().await, "what is recorded is reconciled already");
    record(
        &counter,
        &[
            pending_votes(1, 9, &[(&alice, 1)]),
            pending_votes(0, 9, &[(&alice, 1)]),
        ],
        &[],
    )
    .await;
    assert!(!idle().await, "pending votes in two partitions");
    reconcile(&counter, &[checkpoint(&alice, &[(0, 2, 10)], false)]).await;
    assert!(!idle().await, "pending votes in one partition");
    reconcile(&counter, &[checkpoint(&alice, &[(1, 10, 10)], false)]).await;
    assert!(idle().await);

    // Reading extends its time to live, once half of it is over.
    let _: i64 = namespace.ask(&["PEXPIRE", &key, "400000"]).await;
    shown(&counter, &alice).await;
    let left = namespace.time_to_live(&key).await.expect("it is idle");
    assert!(left > Duration::from_secs(900), "{left:?}");
}

#[tokio::test]
async fn memory_follows_the_lag_and_not_the_number_of_candidates() {
    let Some((mut namespace, _)) = namespace_and_counter().await else {
        return;
    };
    namespace.options.idle_kept = Duration::from_millis(200);
    let counter = namespace.open().counter();
    let fixtures = Fixtures::new();
    let candidates: Vec<Candidate> = (0..400)
        .map(|n| fixtures.candidate(&n.to_string()))
        .collect();
    let votes: Vec<(&Candidate, u64)> = candidates.iter().map(|candidate| (candidate, 1)).collect();
    let pending: Vec<PendingVotes> = (0..10)
        .map(|offset| pending_votes(0, offset, &votes))
        .collect();
    record(&counter, &pending, &[]).await;
    assert_eq!(namespace.keys().await.len(), 400);

    // The consumers catch up, but for five candidates of the last record.
    let checkpoints: Vec<Checkpoint> = candidates[5..]
        .iter()
        .map(|candidate| checkpoint(candidate, &[(0, 10, 10)], false))
        .collect();
    reconcile(&counter, &checkpoints).await;
    let behind: Vec<Checkpoint> = candidates[..5]
        .iter()
        .map(|candidate| checkpoint(candidate, &[(0, 9, 9)], true))
        .collect();
    reconcile(&counter, &behind).await;
    let left = eventually(PATIENCE, "idle candidates are forgotten", async || {
        let keys = namespace.keys().await;
        (keys.len() <= 5).then_some(keys)
    })
    .await;
    let mut expected: Vec<String> = candidates[..5]
        .iter()
        .map(|candidate| namespace.tally(candidate))
        .collect();
    expected.sort();
    assert_eq!(left, expected);
    for key in &left {
        let members: i64 = namespace.ask(&["ZCARD", key]).await;
        assert_eq!(members, 3, "the mark, the count, and one record: {key}");
    }
    assert_eq!(shown(&counter, &candidates[0]).await, (10, 10, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_servers_and_consumers_end_with_the_exact_count() {
    const RECORDS: u64 = 300;
    let Some((namespace, counter)) = namespace_and_counter().await else {
        return;
    };
    let alice = Fixtures::new().candidate("alice");
    let handles: Vec<Redis> = (0..4).map(|_| namespace.open()).collect();
    // Three clients record a third each; a consumer reconciles what it may have read, in steps.
    race(4, |racer| {
        let (counter, alice) = (handles[racer].counter(), alice.clone());
        async move {
            if racer == 3 {
                for as_of in (0..RECORDS).step_by(7) {
                    reconcile(&counter, &[checkpoint(&alice, &[(0, as_of, as_of)], true)]).await;
                }
            } else {
                for offset in (racer as u64..RECORDS).step_by(3) {
                    record(&counter, &[pending_votes(0, offset, &[(&alice, 1)])], &[]).await;
                }
            }
        }
    })
    .await;
    assert_eq!(shown(&counter, &alice).await, (RECORDS, RECORDS, true));
}
