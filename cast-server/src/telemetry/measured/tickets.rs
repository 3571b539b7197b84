//! The ticket source, measured.

use async_trait::async_trait;
use cast_core::{
    domain::{Claim, CurrentTicket, GenuineTicket, PeriodTicket, Redemption, Timestamp},
    ports::{PortError, TicketSource},
};

use super::{Measured, Operation};

#[async_trait]
impl TicketSource for Measured<dyn TicketSource> {
    async fn now(&self) -> Result<Timestamp, PortError> {
        self.call(Operation::Now, self.port.now()).await
    }

    async fn publish(&self, ticket: &PeriodTicket) -> Result<PeriodTicket, PortError> {
        self.call(Operation::PublishTicket, self.port.publish(ticket))
            .await
    }

    async fn current(&self) -> Result<Option<CurrentTicket>, PortError> {
        self.call(Operation::CurrentTicket, self.port.current())
            .await
    }

    async fn redeem(
        &self,
        ticket: &GenuineTicket,
        claims: &[Claim],
    ) -> Result<Vec<Redemption>, PortError> {
        self.call(Operation::Redeem, self.port.redeem(ticket, claims))
            .await
    }
}
