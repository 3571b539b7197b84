//! The gauges that have to be polled: the ticket, the log and the store.
//!
//! | task | in a process that | polls |
//! |---|---|---|
//! | `ticket` | accepts votes or issues tickets | the current ticket |
//! | `store` | folds | the log's ends, and how far the store is |
//! | `upkeep` | any | nothing: it sums the values of histograms |

mod age;
mod store;

use std::{sync::Arc, time::Duration};

use cast_core::{
    Ports, Roles,
    deadline::within,
    domain::Clock,
    ports::{GroupName, Operation, TicketSource},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::metrics::{Metrics, as_f64, catalog};
use store::{DEADLINE, StoreWatch};

/// How often histograms are summed. They keep each value until then: 16 bytes a request.
const UPKEEP: Duration = Duration::from_secs(1);

/// Starts to poll, every `interval`, until the guard is dropped.
pub(crate) fn watch(
    ports: &Ports,
    roles: Roles,
    group: &GroupName,
    interval: Duration,
    metrics: &Arc<Metrics>,
) -> DropGuard {
    let stop = CancellationToken::new();
    let spawn = |task: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
        let stop = stop.clone();
        tokio::spawn(async move { stop.run_until_cancelled(task).await });
    };
    let clock = || Arc::clone(&ports.clock);
    let metrics = || Arc::clone(metrics);
    spawn(Box::pin(upkeep(clock(), metrics())));
    if roles.api || roles.generator {
        let tickets = Arc::clone(&ports.tickets);
        spawn(Box::pin(ticket(clock(), tickets, interval, metrics())));
    }
    if roles.consumers > 0 {
        let watch = StoreWatch::new(ports.clone(), group.clone(), metrics());
        spawn(Box::pin(watch.run(interval)));
    }
    stop.drop_guard()
}

async fn upkeep(clock: Arc<dyn Clock>, metrics: Arc<Metrics>) {
    loop {
        clock.sleep(UPKEEP).await;
        metrics.add_up();
    }
}

async fn ticket(
    clock: Arc<dyn Clock>,
    tickets: Arc<dyn TicketSource>,
    interval: Duration,
    metrics: Arc<Metrics>,
) {
    let is_current = metrics.gauge(&catalog::TICKET_CURRENT, &[]);
    let uses = metrics.gauge(&catalog::TICKET_USES_LEFT, &[]);
    loop {
        let asked = tickets.current();
        let current = within(&*clock, DEADLINE, Operation::CurrentTicket, asked).await;
        // Without an answer there is no ticket: voters cannot get one either.
        let uses_left = current.ok().flatten().map(|ticket| ticket.uses_left);
        is_current.set(if uses_left.is_some() { 1.0 } else { 0.0 });
        uses.set(uses_left.map_or(0.0, |uses| as_f64(uses.into())));
        clock.sleep(interval).await;
    }
}
