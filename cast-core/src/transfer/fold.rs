//! The fold of a log, up to its end.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{
    log_reader::Ends,
    ports::{Operation, PortError, Ports},
    projection::Consumer,
    settings::FoldSettings,
};

/// How often the progress is looked at.
const PAUSE: Duration = Duration::from_millis(100);

/// Folds the log into the store up to its present end, beside other consumers of the group if there are
/// any. `behind` is called with the number of records that are left.
///
/// # Errors
///
/// If the store has not progressed for as long as `patience`.
pub async fn fold_to_end(
    ports: &Ports,
    settings: &FoldSettings,
    patience: Duration,
    behind: &(dyn Fn(u64) + Sync),
) -> Result<(), PortError> {
    let lag = ports.bus.lag(&settings.group);
    let lag = ports.within(settings.join_deadline, Operation::Lag, lag);
    let ends: Ends = lag
        .await?
        .iter()
        .map(|lag| (lag.partition, lag.end))
        .collect();
    let stop = CancellationToken::new();
    let consumer = Consumer::new(ports, settings.clone());
    let reaching = async {
        let reached = reach(ports, settings, &ends, patience, behind).await;
        stop.cancel();
        reached
    };
    let ((), reached) = tokio::join!(consumer.run(stop.clone()), reaching);
    reached
}

/// Waits until the store has folded everything before `ends`.
async fn reach(
    ports: &Ports,
    settings: &FoldSettings,
    ends: &Ends,
    patience: Duration,
    behind: &(dyn Fn(u64) + Sync),
) -> Result<(), PortError> {
    let (mut least, mut moved_at) = (u64::MAX, ports.clock.monotonic());
    loop {
        let mut left = 0;
        for (&partition, end) in ends {
            let progress = ports.store.progress(partition);
            let limit = settings.join_deadline;
            let progress = ports.within(limit, Operation::Progress, progress).await?;
            left += end.get().saturating_sub(progress.next.get());
        }
        behind(left);
        if left == 0 {
            return Ok(());
        }
        let now = ports.clock.monotonic();
        if left < least {
            (least, moved_at) = (left, now);
        } else if now.saturating_sub(moved_at) > patience {
            return Err(PortError::unavailable(
                "folding the log to its end",
                format!("the store has stayed {left} records behind: see the warnings above"),
            ));
        }
        ports.clock.sleep(PAUSE).await;
    }
}
