//! How far the store is behind the log.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use cast_core::{
    Ports,
    deadline::within,
    domain::{Clock, Offset, Partition},
    ports::{EventBus, GroupName, Operation, PortError, VoteStore},
};

use super::age::Age;
use crate::telemetry::metrics::{Metrics, PartitionGauges, as_f64, unix_seconds};

/// How long a server may take to answer. It is polled again later.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);

/// Polls log and store.
pub(super) struct StoreWatch {
    clock: Arc<dyn Clock>,
    bus: Arc<dyn EventBus>,
    store: Arc<dyn VoteStore>,
    group: GroupName,
    metrics: Arc<Metrics>,
    partitions: BTreeMap<Partition, Watched>,
}

/// The last known state of a partition.
struct Watched {
    gauges: PartitionGauges,
    end: Offset,
    /// The offset committed to the log until the store has answered.
    progress: Offset,
    age: Age,
}

impl StoreWatch {
    pub(super) fn new(ports: &Ports, group: GroupName, metrics: Arc<Metrics>) -> Self {
        Self {
            clock: Arc::clone(&ports.clock),
            bus: Arc::clone(&ports.bus),
            store: Arc::clone(&ports.store),
            group,
            metrics,
            partitions: BTreeMap::new(),
        }
    }

    /// Polls every `interval`.
    pub(super) async fn run(mut self, interval: Duration) {
        let read = self.metrics.store_read();
        loop {
            // A port that fails is counted and logged where it is called.
            if self.ask().await.is_ok() {
                read.set(unix_seconds(self.clock.now()));
            }
            self.show();
            self.clock.sleep(interval).await;
        }
    }

    /// Polls the log, then the store; the values of one are kept if the other does not answer.
    async fn ask(&mut self) -> Result<(), PortError> {
        let lag = self.bus.lag(&self.group);
        for lag in within(&*self.clock, DEADLINE, Operation::Lag, lag).await? {
            let metrics = &self.metrics;
            let watched = self
                .partitions
                .entry(lag.partition)
                .or_insert_with(|| Watched {
                    gauges: metrics.partition(lag.partition.get()),
                    end: lag.end,
                    progress: lag.committed,
                    age: Age::default(),
                });
            watched.end = lag.end;
            watched.gauges.lag.set(as_f64(lag.behind()));
        }
        let store = &*self.store;
        let partitions = &mut self.partitions;
        let progress = async move {
            for (partition, watched) in partitions {
                watched.progress = store.progress(*partition).await?.next;
            }
            Ok(())
        };
        within(&*self.clock, DEADLINE, Operation::Progress, progress).await
    }

    /// Sets the gauges: while the store does not answer, the age grows.
    fn show(&mut self) {
        let now = self.clock.monotonic();
        for watched in self.partitions.values_mut() {
            let Watched {
                gauges,
                end,
                progress,
                age,
            } = watched;
            gauges.log_end.set(as_f64(end.get()));
            gauges.progress.set(as_f64(progress.get()));
            let age = age.observe(now, *end, *progress);
            gauges.age.set(age.as_secs_f64());
        }
    }
}
