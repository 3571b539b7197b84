//! Failpoints: where a process stops, for tests that kill it there.
//!
//! Compiled only with the feature `failpoints`, which no release has. The variable
//! `CAST_TEST_FAILPOINT` names the point: `before-` or `after-`, and an operation of a port, as in
//! `after-tickets.redeem` or `before-bus.publish`. A number behind it lets so many calls pass first:
//! `after-store.apply:3`. Several are separated by commas.
//!
//! The whole process stops (SIGSTOP), all its threads with it, so that no deadline passes and no
//! other task runs: killed, it has died at that very point; continued, it is a process that was
//! paused without noticing.

use std::{
    env,
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use cast_core::{
    Ports,
    domain::Clock,
    ports::{Call, Interceptor, Operation, Reply},
};
use rustix::process::{Signal, getpid, kill_process};

use crate::config::ConfigError;

/// The variable with the failpoints. The check of the environment ignores names that begin with
/// `CAST_TEST_`.
const VARIABLE: &str = "CAST_TEST_FAILPOINT";

/// Longer than the system takes to stop all threads.
const STOPPED_WITHIN: Duration = Duration::from_millis(100);

/// The ports, with the failpoints that the environment names around them.
pub(crate) fn around(mut ports: Ports) -> Result<Ports, ConfigError> {
    for name in env::var(VARIABLE).iter().flat_map(|names| names.split(',')) {
        let point = Failpoint::parse(name.into(), Arc::clone(&ports.clock))?;
        ports = ports.intercepted(&Arc::new(point));
    }
    Ok(ports)
}

struct Failpoint {
    name: String,
    /// `before` or `after`.
    moment: String,
    operation: Operation,
    /// How many calls pass first; below 0 once it was reached.
    passes: AtomicI64,
    clock: Arc<dyn Clock>,
}

impl Failpoint {
    fn parse(name: String, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let (point, passes) = name.split_once(':').unwrap_or((&name, "0"));
        let (moment, operation) = point.split_once('-').unwrap_or_default();
        let mut operations = Operation::ALL.iter();
        let operation = operations.find(|known| known.name() == operation);
        match (moment, operation, passes.parse::<u32>()) {
            ("before" | "after", Some(&operation), Ok(passes)) => Ok(Self {
                moment: moment.into(),
                operation,
                passes: AtomicI64::new(passes.into()),
                clock,
                name,
            }),
            _ => Err(ConfigError(format!("{VARIABLE}: there is no {name}"))),
        }
    }

    /// Stops the process, if this is the point.
    async fn pass(&self, moment: &str, operation: Operation) {
        let is_here = (moment, operation) == (&*self.moment, self.operation);
        if !is_here || self.passes.fetch_sub(1, Ordering::Relaxed) != 0 {
            return;
        }
        // The test may kill the process as soon as it reads this line.
        let _ = writeln!(std::io::stderr(), "failpoint {} reached", self.name);
        let _ = kill_process(getpid(), Signal::STOP);
        // A batch that was read must not be lost with a dropped future.
        if (moment, operation) != ("after", Operation::Next) {
            self.clock.sleep(STOPPED_WITHIN).await;
        }
    }
}

impl Interceptor for Failpoint {
    async fn around<R: Reply>(&self, call: Call<'_, R>, run: impl Future<Output = R> + Send) -> R {
        self.pass("before", call.operation).await;
        let reply = run.await;
        self.pass("after", call.operation).await;
        reply
    }
}
