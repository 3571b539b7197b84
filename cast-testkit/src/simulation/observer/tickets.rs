//! Counts the uses that the ticket source grants.

use async_trait::async_trait;
use cast_core::{
    domain::{Claim, GenuineTicket, PeriodTicket, Redemption, RedemptionRefusal},
    ports::{ForwardingTicketSource, PortError, TicketSource},
};

use super::Observed;
use crate::simulation::{coverage::RareState, world::Promise};

#[async_trait]
impl ForwardingTicketSource for Observed<dyn TicketSource> {
    fn inner(&self) -> &dyn TicketSource {
        &*self.inner
    }

    async fn publish(&self, ticket: &PeriodTicket) -> Result<PeriodTicket, PortError> {
        let stored = self.inner.publish(ticket).await?;
        self.world.truth().issued(&stored.ticket, stored.use_limit);
        if stored.ticket != ticket.ticket {
            self.world.reached(RareState::TicketAdopted);
        }
        Ok(stored)
    }

    async fn redeem(
        &self,
        ticket: &GenuineTicket,
        claims: &[Claim],
    ) -> Result<Vec<Redemption>, PortError> {
        let redemptions = self.inner.redeem(ticket, claims).await?;
        let world = &self.world;
        let mut granted = Vec::new();
        for (claim, redemption) in claims.iter().zip(&redemptions) {
            match redemption {
                Redemption::Granted => granted.push(claim.ballot),
                Redemption::Repeated => {}
                Redemption::Refused(why) => match why {
                    RedemptionRefusal::Unknown => world.reached(RareState::TicketUnknown),
                    RedemptionRefusal::Expired => world.reached(RareState::TicketExpired),
                    RedemptionRefusal::Exhausted => world.reached(RareState::TicketExhausted),
                    RedemptionRefusal::Altered => {}
                },
            }
        }
        let mut truth = world.truth();
        let again = granted.iter().filter(|id| truth.was_granted(**id)).count();
        let ids_lost = truth.ids_lost;
        let (uses, limit) = truth.granted(ticket.ticket(), &granted);
        drop(truth);
        if again > 0 {
            world.reached(RareState::GrantedTwice);
            if !ids_lost {
                let how = || format!("{claims:?} were granted before: {redemptions:?}");
                world.violated(Promise::TicketLimit, how);
            }
        }
        if uses > limit {
            let how = || format!("a ticket of {limit} uses was granted {uses} times");
            world.violated(Promise::TicketLimit, how);
        }
        Ok(redemptions)
    }
}
