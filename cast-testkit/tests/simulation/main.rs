//! The simulator: correct adapters keep every promise, each mechanism that is removed from them is
//! noticed, and a run depends on its seed alone.

#![expect(
    clippy::print_stdout,
    reason = "the number of histories that notice a removed mechanism is worth knowing"
)]

#[path = "../../examples/simulate/memory.rs"]
mod memory;
mod removed;

use std::sync::Arc;

use cast_testkit::{
    Seed,
    simulation::{
        Deployment, OpenAdapters, Opening, Options, Promise, RareState, Report, simulate,
    },
};

use self::{memory::InMemory, removed::Removed};

/// How many histories each removed mechanism is looked for in: some ten times as fast, optimised.
const HISTORIES: u64 = if cfg!(debug_assertions) { 100 } else { 300 };

fn sound(opening: &Opening) -> Arc<dyn Deployment> {
    Arc::new(InMemory::open(opening))
}

fn run(adapters: &OpenAdapters, seed: Seed, histories: u64) -> Report {
    let options = Options {
        seed,
        histories,
        jobs: 2,
        keep_going: true,
        shrink_tries: 200,
    };
    simulate(adapters, &options)
}

#[test]
fn sound_adapters_keep_every_promise() {
    let report = run(&sound, Seed::from_env_or_random(), HISTORIES);
    assert!(report.failure.is_none(), "{report}");
    assert_eq!(report.histories, HISTORIES);
    let reached = |state| report.coverage.reached(state);
    assert!(reached(RareState::FencedBehind) > 0, "{report}");
    assert!(report.coverage.faults() > HISTORIES, "{report}");
}

#[test]
fn a_seed_decides_everything() {
    let seed = Seed::from_env_or_random();
    let mut hashes = Vec::new();
    for number in 0..HISTORIES {
        let [one, other] = [(), ()].map(|()| run(&sound, seed.part(number), 1));
        assert_eq!(one.hash, other.hash, "seed {}", seed.part(number));
        assert_eq!(one.coverage, other.coverage, "seed {}", seed.part(number));
        hashes.push(one.hash);
    }
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), usize::try_from(HISTORIES).expect("a few"));
}

#[test]
fn the_thread_that_runs_a_history_does_not_matter() {
    let seed = Seed::from_env_or_random();
    let by = |jobs| {
        let options = Options {
            seed,
            histories: 40,
            jobs,
            keep_going: true,
            ..Options::default()
        };
        let report = simulate(&sound, &options);
        (report.hash, report.coverage)
    };
    assert_eq!(by(1), by(3));
}

/// Simulates adapters without a mechanism: in how many histories that is noticed, and as what.
fn noticed(removed: Removed) -> Report {
    let open = move |opening: &Opening| removed.from(opening);
    let report = run(&open, Seed::from_env_or_random(), HISTORIES);
    print(removed, &report);
    report
}

fn print(removed: Removed, report: &Report) {
    let failure = report.failure.as_ref().expect("it is noticed");
    let promise = failure.promise.expect("it fails again");
    let events = failure.history.lines().count() - 1;
    println!(
        "{removed:?}: noticed in {} of {} histories; the first, shrunk to {events} events, broke \
         \"{promise}\": {}",
        report.failed, report.histories, failure.how
    );
}

/// The promise that was broken in the first history.
fn promise(report: &Report) -> Promise {
    let failure = report.failure.as_ref().expect("it is noticed");
    failure.promise.expect("it fails again")
}

/// A tally was wrong, for a while or for good.
fn is_about_tallies(report: &Report) {
    let tallies = [Promise::TalliesAreTrue, Promise::TalliesRefresh];
    assert!(tallies.contains(&promise(report)), "{report}");
}

#[test]
fn a_store_without_the_fence_is_noticed() {
    noticed(Removed::Fence);
}

#[test]
fn a_store_without_dedup_is_noticed() {
    let report = noticed(Removed::Dedup);
    assert_eq!(promise(&report), Promise::StoreIsExact);
}

#[test]
fn a_counter_whose_pending_votes_have_no_positions_is_noticed() {
    is_about_tallies(&noticed(Removed::PositionsOfPendingVotes));
}

#[test]
fn a_consumer_that_resumes_from_its_groups_commit_is_noticed() {
    // Seldom: the fence and the check of the store's progress correct most of it.
    let open = |opening: &Opening| Removed::ProgressOfTheStore.from(opening);
    let options = Options {
        seed: Seed::from_env_or_random(),
        histories: 3_000,
        jobs: 2,
        keep_going: !cfg!(debug_assertions),
        shrink_tries: 200,
    };
    print(Removed::ProgressOfTheStore, &simulate(&open, &options));
}

#[test]
fn reconciling_what_is_older_is_noticed() {
    is_about_tallies(&noticed(Removed::ReconcilingOnlyIfNewer));
}

#[test]
fn a_ticket_source_that_forgets_a_ballot_is_noticed() {
    noticed(Removed::IdsOfBallots);
}

#[test]
fn a_ticket_that_buys_more_than_its_limit_is_noticed() {
    let report = noticed(Removed::LimitOfUses);
    assert_eq!(promise(&report), Promise::TicketLimit);
}

#[test]
fn a_log_that_acknowledges_what_it_may_lose_is_noticed() {
    let report = noticed(Removed::DurableLog);
    assert_eq!(promise(&report), Promise::AcknowledgedIsLogged);
}

#[test]
fn a_failure_is_shrunk_reported_and_reproduced_from_its_seed() {
    let open = |opening: &Opening| Removed::Dedup.from(opening);
    let report = run(&open, Seed::from_env_or_random(), 50);
    let first = report.failure.expect("without dedup a vote is doubled");
    let again = run(&open, first.seed, 1).failure.expect("it fails again");
    assert_eq!(first.promise, again.promise);
    assert_eq!((first.how, first.trace), (again.how, again.trace));
    let events = again.history.lines().count() - 1;
    assert!(
        events <= 6,
        "two votes of one ballot are enough:\n{}",
        again.history
    );
    let report = run(&open, first.seed, 1).to_string();
    for part in [
        &first.seed.to_string(),
        "BROKEN: the store is exact",
        "store.apply",
    ] {
        assert!(report.contains(part), "{part} is missing in\n{report}");
    }
}
