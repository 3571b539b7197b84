//! How a clause is run: a skipped one is reported, a harness is closed.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use cast_adapters::memory::MemoryStore;
use cast_core::{
    domain::{LogPosition, LoggedBallot},
    ports::VoteStore,
};
use cast_testkit::{
    contract::{
        self, Harness, Skipped,
        vote_store::{self, VoteStoreHarness},
    },
    fixtures::Fixtures,
};

/// A store that keeps nothing between handles, so that most clauses fail; and a harness that can do
/// nothing to it.
#[derive(Default)]
struct Forgetful {
    opened: AtomicUsize,
    closed: AtomicUsize,
}

#[async_trait]
impl Harness for Forgetful {
    async fn close(&self) {
        self.closed.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl VoteStoreHarness for Forgetful {
    async fn open(&self) -> Arc<dyn VoteStore> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        Arc::new(MemoryStore::new())
    }

    async fn unholdable(&self, _: &Fixtures) -> Result<LoggedBallot, Skipped> {
        Err(Skipped::because("it holds everything"))
    }

    async fn rejections(&self) -> Result<Vec<LogPosition>, Skipped> {
        Err(Skipped::because("the harness cannot look"))
    }
}

async fn run(clause: &str) -> (Result<(), Skipped>, usize) {
    let harness = Forgetful::default();
    let clause = contract::find(vote_store::CLAUSES, clause);
    let verdict = contract::check(clause, &harness as &dyn VoteStoreHarness).await;
    (verdict, harness.closed.into_inner())
}

#[tokio::test]
async fn a_clause_that_holds_is_closed() {
    assert_eq!(
        run("an_unknown_candidate_has_totals_of_no_votes").await,
        (Ok(()), 1)
    );
}

#[tokio::test]
async fn a_clause_whose_hook_is_missing_is_skipped_and_closed() {
    let (verdict, closed) = run("rejections_are_kept").await;
    assert_eq!(verdict, Err(Skipped::because("the harness cannot look")));
    assert_eq!(closed, 1);
}

#[tokio::test]
async fn a_clause_that_fails_is_closed_before_it_panics() {
    let harness = Arc::new(Forgetful::default());
    let failing = {
        let harness = Arc::clone(&harness);
        // A clause is not `Send`, so this one has a thread and a runtime of its own.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
            let clause = contract::find(vote_store::CLAUSES, "a_step_at_the_progress_is_applied");
            let harness = &*harness as &dyn VoteStoreHarness;
            runtime.block_on(contract::check(clause, harness))
        })
    };
    assert!(
        failing.join().is_err(),
        "the second handle knows nothing of the first"
    );
    assert_eq!(harness.opened.load(Ordering::SeqCst), 2);
    assert_eq!(harness.closed.load(Ordering::SeqCst), 1);
}

#[test]
fn a_harness_that_cannot_be_opened_skips_the_clause() {
    let absent = async || Err::<Forgetful, _>(Skipped::because("no server on this machine"));
    vote_store::prove("recounting_gives_the_totals", absent);
}

#[test]
#[should_panic(expected = "no clause is called")]
fn a_clause_that_does_not_exist_is_a_mistake() {
    contract::find(vote_store::CLAUSES, "anything_goes");
}
