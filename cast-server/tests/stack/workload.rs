//! What the voters of a test share: the ledger and the servers; and what they vote.

use std::{
    sync::{Arc, Mutex, MutexGuard, atomic::AtomicUsize},
    time::Duration,
};

use cast_core::domain::Entropy as _;
use cast_testkit::{Seed, SeededEntropy};
use uuid::Uuid;

use crate::{ledger::Ledger, program::Client};

/// The candidates.
const CANDIDATES: [&str; 8] = ["ada", "bo", "cy", "dee", "eve", "fay", "gus", "zoë"];

/// What the voters of a test share.
#[derive(Clone)]
pub(crate) struct Workload {
    ledger: Arc<Mutex<Ledger>>,
    /// The API servers that are there; a test may change them at any time.
    pub(crate) apis: Arc<Mutex<Vec<Client>>>,
    /// How many voters were started so far.
    pub(crate) voters: Arc<AtomicUsize>,
    /// For how long a voter rests after a burst of ballots, at most.
    pub(crate) rest: Duration,
}

impl Workload {
    pub(crate) fn new(apis: Vec<Client>) -> Self {
        Self {
            ledger: Arc::default(),
            apis: Arc::new(Mutex::new(apis)),
            voters: Arc::default(),
            rest: Duration::ZERO,
        }
    }

    pub(crate) fn ledger(&self) -> Ledger {
        self.locked().clone()
    }

    /// Looks at the ledger where it is.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        look(&self.locked())
    }

    /// Leaves these servers alone from now on, and goes to those.
    pub(crate) fn set_apis(&self, apis: Vec<Client>) {
        *self.apis.lock().unwrap() = apis;
    }

    pub(crate) fn locked(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap()
    }

    pub(crate) fn enter(&self, name: &str, ballot: &VoteInput) {
        self.locked().enter(name, ballot.id, &ballot.selections);
    }
}

/// A ballot, without the ticket.
#[derive(Clone, Debug)]
pub(crate) struct VoteInput {
    pub(crate) id: Option<Uuid>,
    pub(crate) selections: Vec<(String, u64)>,
}

impl VoteInput {
    /// One vote for a candidate, with a random id.
    pub(crate) fn one(candidate: &str) -> Self {
        Self::numbered(candidate, Seed::random().get())
    }

    /// One vote for a candidate; the id follows from a number.
    pub(crate) fn numbered(candidate: &str, number: u64) -> Self {
        Self {
            id: Some(uuid_of(&Seed::new(number).entropy())),
            selections: vec![(candidate.into(), 1)],
        }
    }

    /// One to three candidates with some votes; with an id most of the time.
    pub(crate) fn random(random: &SeededEntropy) -> Self {
        let count = 1 + random.index(3);
        let select = |_| {
            let name = CANDIDATES[random.index(CANDIDATES.len())];
            (name.to_owned(), 1 + random.below(5))
        };
        Self {
            id: (random.below(4) > 0).then(|| uuid_of(random)),
            selections: (0..count).map(select).collect(),
        }
    }
}

fn uuid_of(random: &SeededEntropy) -> Uuid {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}
