//! A deterministic simulator: the whole of CAST over any adapters, on virtual time, with faults of every
//! kind, from one seed.
//!
//! Several processes (API processes, consumers, ticket generators) share the adapters. The seed decides
//! when each voter votes, how long each call takes, which calls fail and how, which process crashes,
//! freezes or restarts at which point, and what data the servers lose. A ledger, which shares no code with
//! CAST, records what was answered to the voters; observers right above the adapters record what
//! these did. The promises are checked all along, and at the end of each history, once all faults have ended.
//!
//! ```
//! use std::sync::Arc;
//!
//! use cast_adapters::memory::{BusOptions, MemoryBus, MemoryCounter, MemoryStore, MemoryTickets};
//! use cast_core::ports::Ports;
//! use cast_testkit::simulation::{Deployment, Opening, Options, ServerFault, simulate};
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
//!     fn inject(&self, fault: &ServerFault) -> bool {
//!         match fault {
//!             ServerFault::LoseCounter => self.counter.forget(),
//!             ServerFault::LoseCandidate { candidate } => self.counter.forget_candidate(candidate),
//!             _ => return false, // not possible here
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
//! They work in this process, take their time from the clock that they are given, do not wait for another
//! thread or a server, and use no other randomness. Their log keeps all records. Of an adapter of a
//! server, the logic that needs no server can be tested so; over the server it is tested by the
//! [contracts](crate::contract).
//!
//! # What it cannot find
//!
//! What happens inside one call of a port: a call is atomic here. Races of two threads. What takes longer
//! than some seconds of virtual time, or more than some dozens of ballots.

mod check;
mod clock;
mod coverage;
mod deployment;
mod fault_injector;
mod generate;
mod history;
mod instance;
mod ledger;
mod membership;
mod observer;
mod process_state;
mod processes;
mod report;
mod run;
mod sampler;
mod shrink;
mod truth;
mod voter;
mod world;

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

pub use self::{
    coverage::{Coverage, RareState},
    deployment::{Deployment, OpenAdapters, Opening, ServerFault},
    report::{Failure, Report},
    world::Promise,
};
use self::{generate::generate, run::run, shrink::shrink};
use crate::seed::Seed;
use parking_lot::Mutex;

/// How much is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The seed of the first history, from which the seeds of the others are derived.
    pub seed: Seed,
    /// How many histories are run.
    pub histories: u64,
    /// By how many threads.
    pub jobs: usize,
    /// Whether all histories are run; otherwise the first failure ends the simulation.
    pub keep_going: bool,
    /// How many smaller histories are tried, to make the first failure small.
    pub shrink_tries: usize,
}

impl Default for Options {
    /// 100 histories of a random seed, by one thread, up to the first failure, which is shrunk in up to 3,000
    /// tries.
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
pub fn simulate(adapters: &OpenAdapters, options: &Options) -> Report {
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let total = Mutex::new(Total::default());
    thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                let part = work(adapters, options, &next, &stop);
                let mut total = total.lock();
                total.add(&part);
            });
        }
    });
    let total = total.into_inner();
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

/// The results of some histories.
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
        // Commutative, so that it does not matter which thread ran which history.
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
fn work(adapters: &OpenAdapters, options: &Options, next: &AtomicU64, stop: &AtomicBool) -> Total {
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
        if ran.violation.is_some() {
            total.failed += 1;
            total.first_failed.get_or_insert(number);
            if !options.keep_going {
                stop.store(true, Ordering::Relaxed);
            }
        }
    }
    total
}
