//! A deterministic simulator: the whole of CAST over any adapters, on virtual time, with everything
//! that can go wrong, from one seed.
//!
//! Several processes (doors, consumers, generators) share the adapters. The seed decides who votes
//! when, how long each call takes, which calls fail and how, who dies, freezes or drains at which
//! point, and what the servers lose. A ledger that knows nothing of CAST's path has what voters
//! were told; witnesses right before the adapters have what was done. The promises are checked all
//! along, and at the end of each history, when all has come to rest.
//!
//! ```
//! use std::sync::Arc;
//!
//! use cast_adapters::memory::{BusOptions, MemoryBus, MemoryCounter, MemoryStore, MemoryTickets};
//! use cast_core::Ports;
//! use cast_testkit::simulation::{Deployment, Mishap, Opening, Options, simulate};
//!
//! struct InMemory {
//!     ports: Ports,
//!     counter: Arc<MemoryCounter>,
//! }
//!
//! impl Deployment for InMemory {
//!     fn ports(&self) -> Ports {
//!         self.ports.clone()
//!     }
//!
//!     fn suffer(&self, mishap: &Mishap) -> bool {
//!         match mishap {
//!             Mishap::ForgetCounter => self.counter.forget(),
//!             Mishap::ForgetCandidate { candidate } => self.counter.forget_candidate(candidate),
//!             _ => return false, // cannot happen to these
//!         }
//!         true
//!     }
//! }
//!
//! fn open(opening: &Opening) -> Arc<dyn Deployment> {
//!     let Opening { clock, entropy, partitions } = opening.clone();
//!     let counter = Arc::new(MemoryCounter::new(Arc::clone(&clock)));
//!     let retaining = BusOptions::default().retain_all();
//!     let ports = Ports {
//!         tickets: Arc::new(MemoryTickets::new(Arc::clone(&clock))), // or yours
//!         bus: Arc::new(MemoryBus::with_options(partitions, retaining)),
//!         counter: Arc::clone(&counter) as _,
//!         store: Arc::new(MemoryStore::new()),
//!         clock,
//!         entropy,
//!     };
//!     Arc::new(InMemory { ports, counter })
//! }
//!
//! let report = simulate(&open, &Options::default());
//! assert!(report.failure.is_none(), "{report}");
//! ```
//!
//! # What it asks of adapters
//!
//! They work in this process, take their time from the clock that they are given, wait for nothing
//! that another thread or a server does, and depend on no other randomness. Their log keeps all
//! records. An adapter of a server has its logic tested so where that can be had without the server,
//! and is proven over the server by the [contracts](crate::contract).
//!
//! # What it cannot see
//!
//! What happens inside one call of a port: a call is atomic here, except that it happens or not, and
//! is told or not. What two threads do at once. What takes longer than some seconds of virtual time,
//! or more than some dozens of ballots.

mod check;
mod clock;
mod coverage;
mod generate;
mod gremlin;
mod history;
mod ledger;
mod life;
mod look;
mod process;
mod report;
mod run;
mod seat;
mod shrink;
mod truth;
mod voter;
mod witness;
mod world;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use cast_core::{
    Ports,
    domain::{Candidate, Partition, Partitions},
    ports::{Clock, Entropy},
};

pub use self::{
    coverage::{Coverage, RareState},
    report::{Failure, Report},
    world::Promise,
};
use self::{generate::generate, run::run, shrink::shrink};
use crate::seed::Seed;

/// Opens fresh and empty adapters for each history.
pub trait Adapters: Sync {
    /// Opens them.
    fn open(&self, opening: &Opening) -> Arc<dyn Deployment>;
}

impl<F: Fn(&Opening) -> Arc<dyn Deployment> + Sync> Adapters for F {
    fn open(&self, opening: &Opening) -> Arc<dyn Deployment> {
        self(opening)
    }
}

/// What adapters are opened with.
#[derive(Clone)]
pub struct Opening {
    /// The only time that there is.
    pub clock: Arc<dyn Clock>,
    /// The only randomness that there is.
    pub entropy: Arc<dyn Entropy>,
    /// How many partitions the log is to have.
    pub partitions: Partitions,
}

/// The adapters of one history.
pub trait Deployment: Send + Sync {
    /// The ports, as one more process uses them. It brings a clock and a randomness of its own.
    fn ports(&self) -> Ports;

    /// Has something happen to the servers, at once. Returns false if that cannot happen to them.
    fn suffer(&self, mishap: &Mishap) -> bool;
}

/// What happens to servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// The counter forgets everything.
    ForgetCounter,
    /// The counter forgets a candidate.
    ForgetCandidate {
        /// Whom.
        candidate: Candidate,
    },
    /// The ticket source forgets its tickets with their meters, and keeps the ids of ballots.
    ForgetTickets,
    /// The ticket source forgets everything.
    ForgetTicketsAndIds,
    /// The store is backed up.
    BackUp,
    /// The store is put back to a backup.
    PutBack {
        /// Which: counted from the first, beginning again behind the last. Where there is none, it
        /// is put back to when it was empty.
        which: usize,
    },
    /// The log is given a record that no reader can understand.
    AppendUnreadable {
        /// Where.
        partition: Partition,
    },
}

/// How much is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What everything follows from: the first history has this very seed, the others seeds that
    /// follow from it.
    pub seed: Seed,
    /// How many histories are run.
    pub histories: u64,
    /// By how many threads.
    pub jobs: usize,
    /// Whether all histories are run, whatever fails; otherwise the first failure ends it.
    pub keep_going: bool,
    /// How many smaller histories are tried, to make the first failure small.
    pub shrink_tries: usize,
}

impl Default for Options {
    /// A hundred histories of a random seed, by one thread, up to the first failure; and 3,000 tries to
    /// make that small.
    fn default() -> Self {
        Self {
            seed: Seed::random(),
            histories: 100,
            jobs: 1,
            keep_going: false,
            shrink_tries: 3_000,
        }
    }
}

/// Runs histories over adapters, and shrinks the first that breaks a promise.
pub fn simulate(adapters: &dyn Adapters, options: &Options) -> Report {
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let total = Mutex::new(Total::default());
    thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                let part = work(adapters, options, &next, &stop);
                let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
                total.add(&part);
            });
        }
    });
    let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    let failure = total.first_failed.map(|number| {
        let seed = seed_of(options, number);
        let (history, ran) = shrink(adapters, generate(seed), options.shrink_tries);
        Failure::new(seed, &history, ran)
    });
    Report {
        seed: options.seed,
        histories: total.histories,
        failed: total.failed,
        failure,
        coverage: total.coverage,
        hash: total.hash,
    }
}

/// What came of some histories.
#[derive(Default)]
struct Total {
    histories: u64,
    failed: u64,
    first_failed: Option<u64>,
    coverage: Coverage,
    hash: u64,
}

impl Total {
    fn add(&mut self, other: &Self) {
        self.histories += other.histories;
        self.failed += other.failed;
        let failed = self.first_failed.iter().chain(&other.first_failed);
        self.first_failed = failed.min().copied();
        self.coverage.add(&other.coverage);
        // In any order, so that it does not matter who ran which.
        self.hash = self.hash.wrapping_add(other.hash);
    }
}

fn seed_of(options: &Options, number: u64) -> Seed {
    match number {
        0 => options.seed,
        number => options.seed.part(number),
    }
}

/// Runs histories until there are no more.
fn work(adapters: &dyn Adapters, options: &Options, next: &AtomicU64, stop: &AtomicBool) -> Total {
    let mut total = Total::default();
    while !stop.load(Ordering::Relaxed) {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= options.histories {
            break;
        }
        let history = generate(seed_of(options, number));
        let ran = run(adapters, &history, false);
        total.histories += 1;
        total.hash = total.hash.wrapping_add(ran.hash);
        total.coverage.add(&ran.coverage);
        if ran.broken.is_some() {
            total.failed += 1;
            total.first_failed.get_or_insert(number);
            if !options.keep_going {
                stop.store(true, Ordering::Relaxed);
            }
        }
    }
    total
}
