//! The generator: sees to it that at every moment one ticket is good.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    deadline::within,
    domain::{KeyRing, PeriodTicket, Timestamp},
    outage::Outage,
    ports::{Clock, Entropy, PortError, Ports, TicketSource},
    settings::TicketSettings,
};

/// Publishes the ticket of this period and of the next, over and over.
///
/// Any number of generators may run: the ticket source keeps the first ticket of a period, and the
/// others adopt it. Because the next period's ticket is there before the period begins, a period
/// may pass without any generator before voters notice.
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
    /// A generator that issues with the newest of `keys`.
    pub fn new(ports: &Ports, keys: KeyRing, settings: TicketSettings) -> Self {
        Self {
            clock: Arc::clone(&ports.clock),
            entropy: Arc::clone(&ports.entropy),
            tickets: Arc::clone(&ports.tickets),
            keys,
            settings,
            publish_outage: Outage::new(&ports.clock, "no ticket could be published"),
            other_settings: Outage::new(
                &ports.clock,
                "another generator issues tickets with other settings",
            ),
        }
    }

    /// Publishes what is due: the ticket of the running period, unless it is there, and that of the
    /// next. Returns how long to wait before the next call.
    ///
    /// Which period it is, the ticket source's clock decides. Called twice a period, so that a
    /// source that forgot everything has a good ticket again after half of one.
    pub async fn tick(&self) -> Result<Duration, PortError> {
        let period = self.settings.period;
        let now = self
            .bounded("asking the ticket source for the time", self.tickets.now())
            .await?;
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
        let operation = "publishing a ticket";
        let kept = self.bounded(operation, self.tickets.publish(&ours)).await?;
        if self.keys.verify(&kept.ticket).is_none() {
            let why = format!(
                "another generator issues with key {}, which this one does not have or has with \
                 another secret: give all processes the same key ring",
                kept.ticket.key_id().get()
            );
            return Err(PortError::misconfigured(operation, why));
        }
        let is_alike = kept.use_limit == ours.use_limit && kept.valid_until == ours.valid_until;
        if is_alike {
            self.other_settings.worked();
        } else {
            let why = format!("this one would have issued {ours:?}, there is {kept:?}");
            self.other_settings
                .failed(&PortError::misconfigured(operation, why));
        }
        Ok(())
    }

    /// A call that takes longer than half a period is of no use: the next one is due.
    async fn bounded<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, PortError> {
        within(&*self.clock, self.settings.period / 2, operation, call).await
    }

    /// Ticks until it is told to stop. A failure is logged, and tried again after a pause.
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
                // Told to stop, it stops, even where the next tick is due; and no dice are thrown
                // that a test could not hold.
                biased;
                () = stop.cancelled() => return,
                () = self.clock.sleep(pause) => {}
            }
        }
    }
}
