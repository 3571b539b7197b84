//! How far the store is behind the log.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use cast_core::{
    Ports,
    deadline::within,
    domain::{Offset, Partition},
    ports::{GroupName, Operation, PartitionLag, PortError},
};
use metrics::Gauge;

use super::age::Age;
use crate::telemetry::metrics::{Metrics, as_f64, catalog, unix_seconds};

/// How long a server may take to answer. It is polled again later.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);

/// Polls log and store.
pub(super) struct StoreWatch {
    ports: Ports,
    group: GroupName,
    metrics: Arc<Metrics>,
    partitions: BTreeMap<Partition, Watched>,
}

/// The last known state of a partition.
struct Watched {
    log_end_gauge: Gauge,
    lag_gauge: Gauge,
    progress_gauge: Gauge,
    age_gauge: Gauge,
    end: Offset,
    /// The offset committed to the log until the store has answered.
    progress: Offset,
    age: Age,
}

impl Watched {
    fn new(metrics: &Metrics, lag: &PartitionLag) -> Self {
        let number = lag.partition.get().to_string();
        let gauge = |metric| metrics.gauge(metric, &[&number]);
        Self {
            log_end_gauge: gauge(&catalog::LOG_END),
            lag_gauge: gauge(&catalog::LOG_LAG),
            progress_gauge: gauge(&catalog::STORE_PROGRESS),
            age_gauge: gauge(&catalog::STORE_AGE),
            end: lag.end,
            progress: lag.committed,
            age: Age::default(),
        }
    }
}

impl StoreWatch {
    pub(super) fn new(ports: Ports, group: GroupName, metrics: Arc<Metrics>) -> Self {
        Self {
            ports,
            group,
            metrics,
            partitions: BTreeMap::new(),
        }
    }

    /// Polls every `interval`.
    pub(super) async fn run(mut self, interval: Duration) {
        let read = self.metrics.gauge(&catalog::STORE_READ, &[]);
        loop {
            // A port that fails is counted and logged where it is called.
            if self.ask().await.is_ok() {
                read.set(unix_seconds(self.ports.clock.now()));
            }
            self.show();
            self.ports.clock.sleep(interval).await;
        }
    }

    /// Polls the log, then the store; the values of one are kept if the other does not answer.
    async fn ask(&mut self) -> Result<(), PortError> {
        let lag = self.ports.bus.lag(&self.group);
        for lag in within(&*self.ports.clock, DEADLINE, Operation::Lag, lag).await? {
            let watched = self
                .partitions
                .entry(lag.partition)
                .or_insert_with(|| Watched::new(&self.metrics, &lag));
            watched.end = lag.end;
            watched.lag_gauge.set(as_f64(lag.behind()));
        }
        let store = &*self.ports.store;
        let partitions = &mut self.partitions;
        let progress = async move {
            for (partition, watched) in partitions {
                watched.progress = store.progress(*partition).await?.next;
            }
            Ok(())
        };
        within(&*self.ports.clock, DEADLINE, Operation::Progress, progress).await
    }

    /// Sets the gauges: while the store does not answer, the age grows.
    fn show(&mut self) {
        let now = self.ports.clock.monotonic();
        for watched in self.partitions.values_mut() {
            let (end, progress) = (watched.end, watched.progress);
            watched.log_end_gauge.set(as_f64(end.get()));
            watched.progress_gauge.set(as_f64(progress.get()));
            let age = watched.age.observe(now, end, progress);
            watched.age_gauge.set(age.as_secs_f64());
        }
    }
}
