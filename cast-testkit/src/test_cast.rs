//! A whole CAST for tests: in memory, on a clock that the test moves.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use cast_core::{
    Cast, Consumer, Generator, Ports, Roles, Settings,
    domain::{Ballot, Clock, Entropy, KeyRing, Ticket},
    ports::{GroupName, PortError},
};

use crate::{clock::ManualClock, entropy::SeededEntropy, fixtures::key_ring, seed::Seed};

/// How often a test's fold is tried again when a port fails, before the test fails.
const FOLD_ATTEMPTS: usize = 1_000;

/// How often other tasks get a turn when time has passed.
const TURNS: usize = 32;

/// The longest step of time while something is awaited.
const MOMENT: Duration = Duration::from_millis(100);

/// A generator's call, which says how long to wait before the next.
type Tick = Pin<Box<dyn Future<Output = Result<Duration, PortError>> + Send>>;

/// A whole CAST over ports of your choice, where nothing happens by itself: time passes, tickets are
/// issued and the log is folded when the test says so. No test needs to sleep.
///
/// ```
/// use std::time::Duration;
///
/// use cast_adapters::memory;
/// use cast_core::domain::{Outcome, Refusal};
/// use cast_testkit::TestCast;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let mut test = TestCast::start(memory::ports_on).await;
/// let ballot = test.ballot([("alice", 1)]).await;
/// test.advance(Duration::from_secs(2)).await;
/// let outcome = test.cast().vote(ballot).await.expect("an answer");
/// let why = Refusal::TicketExpired;
/// assert!(matches!(outcome, Outcome::Refused { why: refusal, .. } if refusal == why));
///
/// let ballot = test.ballot([("alice", 1)]).await;
/// test.cast().vote(ballot).await.expect("an answer");
/// test.drain().await;
/// assert_eq!(test.stored("alice").await, 1);
/// # }
/// ```
///
/// A port of your own goes beside those of memory:
///
/// ```
/// # use std::sync::Arc;
/// # use cast_adapters::memory::{self, MemoryCounter as MyCounter};
/// # use cast_core::Ports;
/// # use cast_testkit::TestCast;
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let test = TestCast::start(|clock, entropy| Ports {
///     counter: Arc::new(MyCounter::new(Arc::clone(&clock))),
///     ..memory::ports_on(clock, entropy)
/// });
/// # test.await;
/// # }
/// ```
pub struct TestCast {
    cast: Cast,
    ports: Ports,
    keys: KeyRing,
    settings: Settings,
    clock: Arc<ManualClock>,
    generator: Arc<Generator>,
    /// What the generator is doing.
    ticking: Option<Tick>,
    /// When the generator wants to be called again.
    next_tick: Duration,
}

impl TestCast {
    /// A CAST with the default settings, over the ports that `make` makes on the test's clock and
    /// entropy.
    pub async fn start(make: impl FnOnce(Arc<dyn Clock>, Arc<dyn Entropy>) -> Ports) -> Self {
        Self::start_with(Settings::default(), Seed::from_env_or_random(), make).await
    }

    /// A CAST with settings and a seed of your own.
    pub async fn start_with(
        settings: Settings,
        seed: Seed,
        make: impl FnOnce(Arc<dyn Clock>, Arc<dyn Entropy>) -> Ports,
    ) -> Self {
        let clock = Arc::new(ManualClock::new());
        let entropy: Arc<SeededEntropy> = Arc::new(seed.entropy());
        let keys = key_ring(&entropy);
        let ports = make(Arc::clone(&clock) as Arc<dyn Clock>, entropy);
        let generator = Generator::new(&ports, keys.clone(), settings.tickets.clone());
        let mut test = Self {
            cast: open_api(&ports, &keys, &settings).await,
            ports,
            keys,
            settings,
            clock,
            generator: Arc::new(generator),
            ticking: None,
            next_tick: Duration::ZERO,
        };
        test.advance(Duration::ZERO).await;
        test
    }

    /// The CAST. It accepts votes, and has neither generator nor consumer: [`advance`](Self::advance) and
    /// [`drain`](Self::drain) do their work.
    pub const fn cast(&self) -> &Cast {
        &self.cast
    }

    /// What it stands on.
    pub const fn ports(&self) -> &Ports {
        &self.ports
    }

    /// Its clock. A test that moves it instead of calling [`advance`](Self::advance) sees what happens
    /// when no generator is alive.
    pub const fn clock(&self) -> &Arc<ManualClock> {
        &self.clock
    }

    /// The keys of its tickets.
    pub const fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// Lets time pass: tickets expire, the next become current, and tasks that sleep wake.
    ///
    /// A generator whose ticket source fails tries again a period later, as a real one does.
    pub async fn advance(&mut self, duration: Duration) {
        let end = self.clock.monotonic() + duration;
        loop {
            for _ in 0..TURNS {
                self.take_turn().await;
            }
            let now = self.clock.monotonic();
            let left = end.saturating_sub(now);
            if left.is_zero() {
                return;
            }
            // In steps, so that who sleeps again and again wakes as often as in real time.
            let until_tick = self.next_tick.saturating_sub(now);
            let step = match self.ticking {
                None => until_tick.min(left),
                Some(_) => left,
            };
            if self.clock.advance_to_next_sleeper(step).is_none() {
                self.clock.advance(step);
            }
        }
    }

    /// Lets the generator do what is due, and all other tasks go on, as far as they come without
    /// time.
    async fn take_turn(&mut self) {
        let now = self.clock.monotonic();
        if self.ticking.is_none() && now >= self.next_tick {
            let generator = Arc::clone(&self.generator);
            self.ticking = Some(Box::pin(async move { generator.tick().await }));
        }
        if let Some(tick) = &mut self.ticking {
            // Not awaited: a tick that hangs ends by its deadline, which takes time.
            if let Poll::Ready(pause) = poll_once(tick.as_mut()).await {
                self.next_tick = now + pause.unwrap_or(self.settings.tickets.period);
                self.ticking = None;
            }
        }
        tokio::task::yield_now().await;
    }

    /// Awaits something that may take time: lets time pass until it is done.
    ///
    /// # Panics
    ///
    /// When it is not done after an hour of its clock.
    pub async fn patiently<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let end = self.clock.monotonic() + Duration::from_secs(3_600);
        while self.clock.monotonic() < end {
            for _ in 0..TURNS {
                if let Poll::Ready(done) = poll_once(future.as_mut()).await {
                    return done;
                }
                self.take_turn().await;
            }
            let until_tick = self.next_tick.saturating_sub(self.clock.monotonic());
            self.advance(until_tick.max(Duration::from_millis(1)).min(MOMENT))
                .await;
        }
        panic!("nothing came of it in an hour");
    }

    /// Folds the log into the store until nothing is left of it, while time passes.
    ///
    /// # Panics
    ///
    /// When the ports fail a thousand times in a row.
    pub async fn drain(&mut self) {
        let mut failures = 0;
        while let Err(error) = self.patiently(self.consume()).await {
            failures += 1;
            let why = error.chain();
            assert!(failures < FOLD_ATTEMPTS, "the log cannot be folded: {why}");
        }
    }

    /// One consumer's life: from joining the group to the end of the log, or to the first failure.
    pub fn consume(&self) -> impl Future<Output = Result<(), PortError>> + Send + use<> {
        let consumer = Consumer::new(&self.ports, self.settings.fold.clone());
        let (ports, group) = (self.ports.clone(), self.settings.fold.group.clone());
        async move {
            let mut log = consumer.subscribe().await?;
            while !is_drained(&ports, &group).await? {
                consumer.step(&mut *log).await?;
            }
            log.close().await
        }
    }

    /// Starts one more vote service over the same ports, as another server does.
    pub async fn another_api(&self) -> Cast {
        open_api(&self.ports, &self.keys, &self.settings).await
    }

    /// The ticket that is good now, as `Ballot::new` takes it (the `id` of [`Cast::current_ticket`]).
    pub async fn ticket(&self) -> Ticket {
        let current = self.cast.current_ticket().await;
        current.expect("a ticket is good at every moment").id
    }

    /// A ballot with the current ticket.
    pub async fn ballot<'a>(&self, votes: impl IntoIterator<Item = (&'a str, u32)>) -> Ballot {
        let ballot = Ballot::new(self.ticket().await).select_all(votes);
        ballot.expect("a test's ballot is a ballot")
    }

    /// The votes that are shown for a candidate.
    pub async fn shown(&self, name: &str) -> u64 {
        let tallies = self.cast.tallies(&[candidate(name)]).await;
        tallies.expect("the tallies are shown")[0].votes
    }

    /// The votes that the store has for a candidate.
    pub async fn stored(&self, name: &str) -> u64 {
        let tallies = self.ports.store.tallies(&[candidate(name)]).await;
        tallies.expect("the store reads tallies")[0].tally().votes
    }
}

/// Whether the store has folded everything that is in the log.
async fn is_drained(ports: &Ports, group: &GroupName) -> Result<bool, PortError> {
    for lag in ports.bus.lag(group).await? {
        if ports.store.progress(lag.partition).await?.next < lag.end {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

async fn open_api(ports: &Ports, keys: &KeyRing, settings: &Settings) -> Cast {
    let roles = Roles {
        api: true,
        generator: false,
        consumers: 0,
    };
    let builder = Cast::builder(ports.clone(), keys.clone());
    let cast = builder
        .settings(settings.clone())
        .roles(roles)
        .start()
        .await;
    cast.expect("a CAST starts over ports that answer")
}

fn candidate(name: &str) -> cast_core::domain::Candidate {
    cast_core::domain::Candidate::new(name).expect("a test's name is a name")
}
