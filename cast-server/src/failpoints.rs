//! Points at which a process stops, for tests that kill it there.
//!
//! Compiled only with the feature `failpoints`, which no release has. The variable
//! `CAST_TEST_FAILPOINT` names the point: `before-` or `after-`, and an operation of a port by its
//! [name](Operation::name), as in `after-tickets.redeem` or `before-bus.publish`. With a number behind
//! it, so many calls pass first: `after-store.apply:3`. There may be several, with commas between.
//!
//! The whole process stops there (SIGSTOP), all its threads with it, so that no deadline passes and
//! no other task goes on: killed, it has died at that very point; told to continue, it is a process
//! that stood still for a while and knows nothing of it.

use std::{
    env,
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use cast_core::ports::{Call, Clock, Interceptor, Operation, Ports, Reply};
use rustix::process::{Signal, getpid, kill_process};

use crate::config::ConfigError;

/// Says where to stop. The check of the environment leaves names that begin so to the tests.
const VARIABLE: &str = "CAST_TEST_FAILPOINT";

/// Longer than the system takes to stop the thread that asked for it.
const STOPPED_WITHIN: Duration = Duration::from_millis(100);

/// The ports, with the failpoints that the environment names between their callers and them.
pub(crate) fn around(mut ports: Ports) -> Result<Ports, ConfigError> {
    for name in env::var(VARIABLE).iter().flat_map(|names| names.split(',')) {
        let point = Failpoint::parse(name.into(), Arc::clone(&ports.clock))?;
        ports = ports.intercepted(&Arc::new(point));
    }
    Ok(ports)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    Before,
    After,
}

struct Failpoint {
    name: String,
    moment: Moment,
    operation: Operation,
    /// How many calls pass first; below 0 once it was reached.
    passes: AtomicI64,
    clock: Arc<dyn Clock>,
}

impl Failpoint {
    fn parse(name: String, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let (point, passes) = name.split_once(':').unwrap_or((&name, "0"));
        let (moment, operation) = point.split_once('-').unwrap_or_default();
        let moment = match moment {
            "before" => Some(Moment::Before),
            "after" => Some(Moment::After),
            _ => None,
        };
        let operation = Operation::ALL
            .iter()
            .find(|known| known.name() == operation);
        match (moment, operation, passes.parse::<u32>()) {
            (Some(moment), Some(&operation), Ok(passes)) => Ok(Self {
                moment,
                operation,
                passes: AtomicI64::new(passes.into()),
                clock,
                name,
            }),
            _ => Err(ConfigError(format!("{VARIABLE}: there is no {name}"))),
        }
    }

    async fn pass(&self, moment: Moment, operation: Operation) {
        let is_here = (moment, operation) == (self.moment, self.operation);
        if !is_here || self.passes.fetch_sub(1, Ordering::Relaxed) != 0 {
            return;
        }
        // Whoever waits for this line may kill the process as soon as it is there.
        let _ = writeln!(std::io::stderr(), "failpoint {} reached", self.name);
        let _ = kill_process(getpid(), Signal::STOP);
        self.clock.sleep(STOPPED_WITHIN).await;
    }
}

impl Interceptor for Failpoint {
    async fn around<R: Reply>(&self, call: Call<'_, R>, run: impl Future<Output = R> + Send) -> R {
        let operation = call.operation;
        self.pass(Moment::Before, operation).await;
        let reply = run.await;
        self.pass(Moment::After, operation).await;
        reply
    }
}
