//! One suite for each port, one test for each clause of its contract.
//!
//! A suite needs a harness: something that opens fresh handles to the adapter under test, lets time
//! pass for it, and cleans up. A clause takes the harness, and panics when the adapter breaks it.
//! Where a clause needs help that the harness cannot give, it is [skipped](Skipped), loudly.
//!
//! | port | harness | tests of all clauses |
//! |---|---|---|
//! | `TicketSource` | [`TicketSourceHarness`](ticket_source::TicketSourceHarness) | [`ticket_source_contract!`](crate::ticket_source_contract) |
//! | `EventBus` | [`EventBusHarness`](event_bus::EventBusHarness) | [`event_bus_contract!`](crate::event_bus_contract) |
//! | `VoteCounter` | [`VoteCounterHarness`](vote_counter::VoteCounterHarness) | [`vote_counter_contract!`](crate::vote_counter_contract) |
//! | `VoteStore` | [`VoteStoreHarness`](vote_store::VoteStoreHarness) | [`vote_store_contract!`](crate::vote_store_contract) |
//!
//! Clauses run on several threads, and their races are real ones.

use std::{
    borrow::Cow,
    fmt,
    future::poll_fn,
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use async_trait::async_trait;

use crate::waiting::{race, within};

pub mod event_bus;
pub mod ticket_source;
pub mod vote_counter;
pub mod vote_store;

#[macro_use]
mod macros;

/// No clause may take longer: one that hangs has failed.
const CLAUSE_DEADLINE: Duration = Duration::from_secs(120);

/// How many tasks take part in a race.
const RACERS: usize = 32;

/// What the harnesses of all ports have in common.
#[async_trait]
pub trait Harness: Send + Sync {
    /// How long something may take that should happen soon: a record to arrive, a group to rebalance.
    fn patience(&self) -> Duration {
        Duration::from_secs(15)
    }

    /// Cleans up. Called when the clause has ended, well or not.
    async fn close(&self);
}

/// One clause of a port's contract.
pub struct Clause<H: ?Sized> {
    /// Its name: that of the function and of the test.
    pub name: &'static str,
    /// What the port's doc says.
    pub text: &'static str,
    /// Tests it.
    pub test: for<'a> fn(&'a H) -> Verdict<'a>,
}

/// The test of a clause: done when the clause holds, and a panic when it does not.
pub type Verdict<'a> = Pin<Box<dyn Future<Output = Result<(), Skipped>> + 'a>>;

/// What a clause gives: nothing, or whether it was skipped where it asks the harness for help.
pub(crate) trait IntoVerdict {
    fn into_verdict(self) -> Result<(), Skipped>;
}

impl IntoVerdict for () {
    fn into_verdict(self) -> Result<(), Skipped> {
        Ok(())
    }
}

impl IntoVerdict for Result<(), Skipped> {
    fn into_verdict(self) -> Self {
        self
    }
}

/// A clause was not tested, because the harness cannot do what it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    reason: Cow<'static, str>,
    /// Whether standard error has a line about it already.
    is_reported: bool,
}

impl Skipped {
    /// Says what the harness cannot do, and why.
    pub fn because(reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            reason: reason.into(),
            is_reported: false,
        }
    }

    /// There is no server, and the module `servers` has said so.
    pub const fn without_server() -> Self {
        Self {
            reason: Cow::Borrowed("there is no server"),
            is_reported: true,
        }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// Runs one clause, cleans up, and only then panics if the clause did.
pub async fn check<H>(clause: &Clause<H>, harness: &H) -> Result<(), Skipped>
where
    H: Harness + ?Sized,
{
    let mut running = pin!(within(CLAUSE_DEADLINE, clause.name, (clause.test)(harness)));
    // Not in a task of its own, which would have to be `Send`; its races are.
    let end = poll_fn(|context| {
        let poll = catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(context)));
        match poll {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(verdict)) => Poll::Ready(Ok(verdict)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await;
    harness.close().await;
    end.unwrap_or_else(|panic| {
        tell_broken(clause.text);
        resume_unwind(panic)
    })
}

#[expect(
    clippy::print_stderr,
    reason = "a failed test shows which promise it is about"
)]
fn tell_broken(text: &str) {
    eprintln!("the clause that does not hold: {text}");
}

/// A race whose racers take turns with two handles to the same adapter.
async fn race_over_two_handles<P, T, F>(
    racers: usize,
    handles: [&Arc<P>; 2],
    mut run: impl FnMut(usize, Arc<P>) -> F,
) -> Vec<T>
where
    P: ?Sized,
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    race(racers, |racer| run(racer, Arc::clone(handles[racer % 2]))).await
}

/// Runs one clause as a test: on a runtime of its own, telling of what was skipped.
pub fn prove<H>(clause: &Clause<H>, make: impl AsyncFnOnce() -> Result<Box<H>, Skipped>)
where
    H: Harness + ?Sized,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a runtime starts");
    let verdict = runtime.block_on(async { check(clause, &*make().await?).await });
    if let Err(skipped) = verdict
        && !skipped.is_reported
    {
        // Past the test runner's capture, which would hide it: the test did not fail.
        let line = format!("SKIPPED {}: {skipped}\n", clause.name);
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

/// The clause of this name.
///
/// # Panics
///
/// When there is none.
pub fn find<H: ?Sized>(clauses: &'static [Clause<H>], name: &str) -> &'static Clause<H> {
    let found = clauses.iter().find(|clause| clause.name == name);
    found.unwrap_or_else(|| panic!("no clause is called {name}"))
}
