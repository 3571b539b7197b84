//! Tickets and their use counters. Each call is one script, which reads the server's clock.

use std::sync::Arc;

use async_trait::async_trait;
use bb8_redis::redis::{FromRedisValue, Value, from_redis_value};
use cast_core::{
    domain::{
        Claim, CurrentTicket, GenuineTicket, PeriodTicket, Redemption, RedemptionRefusal, Ticket,
        Timestamp,
    },
    ports::{PortError, TicketSource},
};

use super::{
    error::Cause,
    script::{CURRENT, NOW, PUBLISH, REDEEM, ms},
    server::Server,
};

/// A [`TicketSource`] in Redis: exact for any number of processes.
///
/// Its clock is that of the server, or of the node of a cluster that has the tickets. A ticket is bound to
/// the Redis process and the replication epoch that it was published in. After a restart or a failover,
/// with or without the data, it is refused as unknown until the next ticket is published, because the
/// server may know of fewer uses than were granted.
#[derive(Clone)]
pub struct RedisTickets {
    pub(super) server: Arc<Server>,
}

impl RedisTickets {
    /// The keys of a script: the use counters, and the buckets of ballot ids.
    fn keys(&self) -> [&str; 5] {
        let keys = &self.server.keys;
        let [a, b, c, d] = &keys.ballots;
        [&keys.uses, a, b, c, d]
    }

    async fn publish_with_cause(&self, ticket: &PeriodTicket) -> Result<PeriodTicket, Cause> {
        let options = &self.server.options;
        let mut call = PUBLISH.call(&self.keys());
        call.arg(period(ticket.valid_from()))
            .arg(ticket.ticket.to_hex())
            .arg(ticket.valid_until.as_unix_ms())
            .arg(ticket.use_limit)
            .arg(ms(options.expired_kept))
            .arg(ms(options.retry_window));
        let answer = self.server.cluster.call(call).await?;
        let (ticket, valid_until, use_limit): (String, String, String) = decoded(answer)?;
        Ok(PeriodTicket {
            ticket: parsed_ticket(&ticket)?,
            valid_until: Timestamp::from_unix_ms(parsed(&valid_until)?),
            use_limit: parsed(&use_limit)?,
        })
    }

    async fn current_with_cause(&self) -> Result<Option<CurrentTicket>, Cause> {
        let call = CURRENT.call(&[&self.server.keys.uses]);
        let answer = self.server.cluster.call(call).await?;
        let current: Option<(String, String, String)> = decoded(answer)?;
        let Some((ticket, valid_until, uses_left)) = current else {
            return Ok(None);
        };
        Ok(Some(CurrentTicket {
            id: parsed_ticket(&ticket)?,
            valid_until: Timestamp::from_unix_ms(parsed(&valid_until)?),
            uses_left: parsed(&uses_left)?,
        }))
    }

    async fn redeem_with_cause(
        &self,
        ticket: &GenuineTicket,
        claims: &[Claim],
    ) -> Result<Vec<Redemption>, Cause> {
        if claims.is_empty() {
            return Ok(Vec::new());
        }
        let mut packed = Vec::with_capacity(claims.len() * 32);
        for claim in claims {
            packed.extend_from_slice(claim.ballot.as_uuid().as_bytes());
            packed.extend_from_slice(claim.contents.as_bytes());
        }
        let mut call = REDEEM.call(&self.keys());
        call.arg(period(ticket.issued_at()))
            .arg(ticket.ticket().to_hex())
            .arg(ms(self.server.options.retry_window))
            .arg(packed);
        let Value::BulkString(letters) = self.server.cluster.call(call).await? else {
            return Err(Cause::Answer("the redemptions are not a string"));
        };
        match letters.as_slice() {
            [letter @ (b'u' | b'e')] => Ok(vec![redemption(*letter)?; claims.len()]),
            letters if letters.len() == claims.len() => {
                letters.iter().map(|letter| redemption(*letter)).collect()
            }
            _ => Err(Cause::Answer("there is not one letter for each claim")),
        }
    }

    async fn now_with_cause(&self) -> Result<Timestamp, Cause> {
        let call = NOW.call(&[&self.server.keys.uses]);
        let now: String = decoded(self.server.cluster.call(call).await?)?;
        Ok(Timestamp::from_unix_ms(parsed(&now)?))
    }
}

#[async_trait]
impl TicketSource for RedisTickets {
    async fn now(&self) -> Result<Timestamp, PortError> {
        let now = self.now_with_cause().await;
        now.map_err(|cause| cause.with_operation("reading the time of Redis"))
    }

    async fn publish(&self, ticket: &PeriodTicket) -> Result<PeriodTicket, PortError> {
        let published = self.publish_with_cause(ticket).await;
        published.map_err(|cause| cause.with_operation("publishing a ticket in Redis"))
    }

    async fn current(&self) -> Result<Option<CurrentTicket>, PortError> {
        let current = self.current_with_cause().await;
        current.map_err(|cause| cause.with_operation("reading the current ticket from Redis"))
    }

    async fn redeem(
        &self,
        ticket: &GenuineTicket,
        claims: &[Claim],
    ) -> Result<Vec<Redemption>, PortError> {
        let redeemed = self.redeem_with_cause(ticket, claims).await;
        redeemed.map_err(|cause| cause.with_operation("redeeming a ticket in Redis"))
    }
}

/// The start of a period, by which the use counters are ordered. An issue time has 48 bits, which are at
/// most 15 digits.
fn period(valid_from: Timestamp) -> String {
    format!("{:016}", valid_from.as_unix_ms())
}

fn redemption(letter: u8) -> Result<Redemption, Cause> {
    Ok(match letter {
        b'g' => Redemption::Granted,
        b'r' => Redemption::Repeated,
        b'a' => Redemption::Refused(RedemptionRefusal::Altered),
        b'x' => Redemption::Refused(RedemptionRefusal::Exhausted),
        b'u' => Redemption::Refused(RedemptionRefusal::Unknown),
        b'e' => Redemption::Refused(RedemptionRefusal::Expired),
        _ => return Err(Cause::Answer("an unknown letter of a redemption")),
    })
}

fn decoded<T: FromRedisValue>(answer: Value) -> Result<T, Cause> {
    from_redis_value(answer).map_err(|_| Cause::Answer("it has other types than the script's"))
}

fn parsed<T: std::str::FromStr>(digits: &str) -> Result<T, Cause> {
    let number = digits.parse();
    number.map_err(|_| Cause::Answer("a number is invalid"))
}

fn parsed_ticket(hex: &str) -> Result<Ticket, Cause> {
    Ticket::from_hex(hex).map_err(|_| Cause::Answer("a ticket is invalid"))
}
