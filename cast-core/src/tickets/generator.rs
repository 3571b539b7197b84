//! The generator: publishes tickets so that one is valid at every moment.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    deadline::within,
    domain::{Clock, Entropy, KeyRing, PeriodTicket, Timestamp},
    outage::Outage,
    ports::{Operation, PortError, Ports, TicketSource},
    settings::TicketSettings,
};

/// Publishes the tickets of the running and of the next period, again and again.
///
/// Any number of generators may run: the ticket source keeps the first ticket of a period, and the other
/// generators adopt it. Because each ticket is published a period ahead, no generator may run for a whole
/// period without effect on voters.
pub struct Generator {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    tickets: Arc<dyn TicketSource>,
    keys: KeyRing,
    settings: TicketSettings,
    publish_outage: Outage,
    other_settings: Outage,
}

impl Generator {
    /// A generator that issues tickets with the newest of `keys`.
    pub fn new(ports: &Ports, keys: KeyRing, settings: TicketSettings) -> Self {
        Self {
            clock: Arc::clone(&ports.clock),
            entropy: Arc::clone(&ports.entropy),
            tickets: Arc::clone(&ports.tickets),
            keys,
            settings,
            publish_outage: Outage::new(&ports.clock, "no tickets are published"),
            other_settings: Outage::new(
                &ports.clock,
                "another generator publishes tickets with other settings",
            ),
        }
    }

    /// Publishes the tickets of the running and of the next period, where they have none. Returns how long
    /// to wait before the next call.
    ///
    /// The ticket source's clock decides which period is running. It is called twice in each period, so that
    /// a source that lost its memory has a valid ticket again after half a period.
    pub async fn tick(&self) -> Result<Duration, PortError> {
        let period = self.settings.period;
        let now = self.within(Operation::Now, self.tickets.now()).await?;
        let running = now.period_start(period);
        self.publish(running).await?;
        self.publish(running.plus(period)).await?;
        let step = (period / 2).max(Duration::from_millis(1));
        Ok(now.period_start(step).plus(step).since(now))
    }

    async fn publish(&self, valid_from: Timestamp) -> Result<(), PortError> {
        let ours = PeriodTicket {
            ticket: *self.keys.issue(valid_from, &*self.entropy).ticket(),
            valid_until: valid_from.plus(self.settings.ttl),
            use_limit: self.settings.uses,
        };
        let operation = Operation::PublishTicket;
        let adopted = self.within(operation, self.tickets.publish(&ours)).await?;
        if self.keys.verify(&adopted.ticket).is_none() {
            let why = format!(
                "another generator issues tickets with key {}, which is not in the key ring here, or has \
                 another secret here: give all processes the same key ring",
                adopted.ticket.key_id().get()
            );
            return Err(PortError::misconfigured(operation.name(), why));
        }
        let is_alike =
            adopted.use_limit == ours.use_limit && adopted.valid_until == ours.valid_until;
        if is_alike {
            self.other_settings.worked();
        } else {
            let why =
                format!("this generator would publish {ours:?}, and the period has {adopted:?}");
            self.other_settings
                .failed(&PortError::misconfigured(operation.name(), why));
        }
        Ok(())
    }

    /// The deadline is half a period: the next call is due then.
    async fn within<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, PortError> {
        within(&*self.clock, self.settings.period / 2, operation, call).await
    }

    /// Publishes tickets until `stop` is cancelled. A failure is logged, and retried after a pause.
    pub async fn run(self, stop: CancellationToken) {
        let mut backoff = Backoff::new(self.settings.period / 40, self.settings.period / 4);
        loop {
            let pause = match self.tick().await {
                Ok(pause) => {
                    self.publish_outage.worked();
                    backoff.reset();
                    pause
                }
                Err(error) => {
                    self.publish_outage.failed(&error);
                    backoff.next_pause()
                }
            };
            tokio::select! {
                // It stops even where the next tick is due; and there is no unseeded randomness.
                biased;
                () = stop.cancelled() => return,
                () = self.clock.sleep(pause) => {}
            }
        }
    }
}
