//! Counts the uses that are granted.

use std::sync::Arc;

use async_trait::async_trait;
use cast_core::{
    domain::{
        Claim, CurrentTicket, GenuineTicket, PeriodTicket, Redemption, RedemptionRefusal, Timestamp,
    },
    ports::{PortError, TicketSource},
};

use super::Witness;
use crate::simulation::{coverage::RareState, world::Promise};

pub(super) struct Tickets {
    pub(super) inner: Arc<dyn TicketSource>,
    pub(super) witness: Witness,
}

#[async_trait]
impl TicketSource for Tickets {
    async fn now(&self) -> Result<Timestamp, PortError> {
        self.inner.now().await
    }

    async fn publish(&self, ticket: &PeriodTicket) -> Result<PeriodTicket, PortError> {
        let kept = self.inner.publish(ticket).await?;
        let world = &self.witness.world;
        world.truth().issued(&kept.ticket, kept.use_limit);
        if kept.ticket != ticket.ticket {
            world.reached(RareState::TicketAdopted);
        }
        Ok(kept)
    }

    async fn current(&self) -> Result<Option<CurrentTicket>, PortError> {
        self.inner.current().await
    }

    async fn redeem(
        &self,
        ticket: &GenuineTicket,
        claims: &[Claim],
    ) -> Result<Vec<Redemption>, PortError> {
        let redemptions = self.inner.redeem(ticket, claims).await?;
        let world = &self.witness.world;
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
                world.breaks(Promise::TicketLimit, how);
            }
        }
        if uses > limit {
            let how = || format!("a ticket of {limit} uses was granted {uses} times");
            world.breaks(Promise::TicketLimit, how);
        }
        Ok(redemptions)
    }
}
