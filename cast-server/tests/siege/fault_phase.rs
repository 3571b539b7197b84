//! A phase of a siege in which faults are injected: when it is over, and what happened.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cast_testkit::{SeededEntropy, pause};
use tokio::{sync::watch, time::timeout};

/// How often each kind of thing happened.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<BTreeMap<String, usize>>);

impl Counts {
    pub(crate) fn add(&self, what: impl Into<String>) {
        *self.0.lock().unwrap().entry(what.into()).or_default() += 1;
    }

    pub(crate) fn all(&self) -> BTreeMap<String, usize> {
        self.0.lock().unwrap().clone()
    }
}

/// A while in which everything breaks. It is over when each injector has injected each of
/// its faults at least once.
#[derive(Debug)]
pub(crate) struct FaultPhase<'a> {
    unfinished: AtomicUsize,
    over: watch::Sender<bool>,
    pub(crate) counts: &'a Counts,
}

impl<'a> FaultPhase<'a> {
    /// One with so many injectors.
    pub(crate) fn of(injectors: usize, counts: &'a Counts) -> Self {
        Self {
            unfinished: AtomicUsize::new(injectors),
            over: watch::Sender::new(false),
            counts,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    /// Waits for a random while up to `longest`, or until it is over.
    pub(crate) async fn rest(&self, random: &SeededEntropy, longest: Duration) {
        let ms = u64::try_from(longest.as_millis()).expect("a while");
        self.wait(Duration::from_millis(random.below(ms))).await;
    }

    /// Waits for so long, or until it is over.
    pub(crate) async fn wait(&self, duration: Duration) {
        let mut over = self.over.subscribe();
        let _ = timeout(duration, over.wait_for(|over| *over)).await;
    }

    /// Injects each kind of fault in random order, again and again until it is over.
    pub(crate) async fn inject_all<T: Copy>(
        &self,
        random: &SeededEntropy,
        kinds: &[T],
        mut inject: impl AsyncFnMut(T),
    ) {
        for round in 0.. {
            let mut kinds = kinds.to_vec();
            random.shuffle(&mut kinds);
            for fault in kinds {
                if self.is_over() {
                    return;
                }
                inject(fault).await;
            }
            if round == 0 && self.unfinished.fetch_sub(1, Ordering::Relaxed) == 1 {
                self.over.send_replace(true);
            }
        }
    }
}

/// Holds on for a random while up to `longest`, whatever else happens.
pub(crate) async fn hold(random: &SeededEntropy, longest: Duration) {
    let ms = u64::try_from(longest.as_millis()).expect("a while");
    pause(Duration::from_millis(random.below(ms))).await;
}
