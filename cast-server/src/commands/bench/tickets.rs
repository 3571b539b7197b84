//! The ticket that is good now, for all connections.

use std::{sync::Arc, time::Duration};

use cast_core::domain::Clock;
use tokio::sync::{Notify, watch};

use crate::client::Cas;

/// How soon to ask again: for a ticket that is due, and for one that may come before its time.
const DUE: Duration = Duration::from_millis(20);
const SPENT: Duration = Duration::from_millis(100);
const AT_REST: Duration = Duration::from_secs(1);

/// A ticket of the run.
#[derive(Debug)]
pub(super) struct Ticket {
    /// Its number in the run, from 0.
    pub(super) number: usize,
    /// As a JSON text.
    pub(super) quoted: String,
    valid_until_ms: Option<u64>,
}

impl Ticket {
    /// How long it is still valid, by this machine's clock.
    pub(super) fn left(&self, now_ms: u64) -> Option<Duration> {
        let left = self.valid_until_ms?.saturating_sub(now_ms);
        Some(Duration::from_millis(left))
    }
}

#[derive(Clone, Debug, Default)]
struct Current {
    ticket: Option<Arc<Ticket>>,
    /// It is used up.
    is_spent: bool,
    /// Why there is none, as far as is known.
    trouble: Option<String>,
}

/// Shares out tickets.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    current: watch::Sender<Current>,
    is_wanted: Notify,
}

impl Tickets {
    /// Waits for a ticket that is not used up, and newer than the one that was refused.
    pub(super) async fn good(&self, refused: Option<usize>) -> Arc<Ticket> {
        let is_good = |current: &Current| {
            let is_new = |ticket: &Arc<Ticket>| refused.is_none_or(|it| ticket.number > it);
            !current.is_spent && current.ticket.as_ref().is_some_and(is_new)
        };
        {
            // The usual case: without a receiver of its own.
            let current = self.current.borrow();
            if is_good(&current)
                && let Some(ticket) = &current.ticket
            {
                return Arc::clone(ticket);
            }
        }
        let mut current = self.current.subscribe();
        let current = current.wait_for(is_good).await;
        let current = current.expect("the sender is in self");
        Arc::clone(current.ticket.as_ref().expect("a good one is there"))
    }

    /// A server refused this ticket.
    pub(super) fn refused(&self, number: usize, is_used_up: bool) {
        self.current.send_if_modified(|current| {
            let is_current = current
                .ticket
                .as_ref()
                .is_some_and(|it| it.number == number);
            let changes = is_used_up && is_current && !current.is_spent;
            current.is_spent |= changes;
            changes
        });
        self.is_wanted.notify_one();
    }

    /// Takes in an answer to `cas`. A ticket that was not there before gets its number from `number`,
    /// which is given its end.
    pub(super) fn seen(&self, cas: &Cas, number: impl FnOnce(Option<u64>) -> usize) {
        let quoted = serde_json::Value::from(&*cas.ticket).to_string();
        self.current.send_if_modified(|current| {
            current.trouble = None;
            if current
                .ticket
                .as_ref()
                .is_some_and(|it| it.quoted == quoted)
            {
                return false;
            }
            let valid_until: Option<jiff::Timestamp> = cas.valid_until.parse().ok();
            let valid_until_ms = valid_until.and_then(|it| it.as_millisecond().try_into().ok());
            let ticket = Ticket {
                number: number(valid_until_ms),
                quoted,
                valid_until_ms,
            };
            *current = Current {
                ticket: Some(Arc::new(ticket)),
                ..Current::default()
            };
            true
        });
    }

    /// `cas` failed.
    pub(super) fn not_seen(&self, why: String) {
        self.current
            .send_modify(|current| current.trouble = Some(why));
    }

    /// Why there is no ticket.
    pub(super) fn why_none(&self) -> String {
        let trouble = self.current.borrow().trouble.clone();
        trouble.unwrap_or_else(|| "there was no answer".into())
    }

    /// Waits until it is time to ask for the next ticket.
    pub(super) async fn until_due(&self, clock: &dyn Clock) {
        let pause = {
            let current = self.current.borrow();
            let until = current.ticket.as_ref().and_then(|it| it.valid_until_ms);
            pause(clock.now().as_unix_ms(), until, current.is_spent)
        };
        tokio::select! {
            () = clock.sleep(pause) => {}
            () = self.is_wanted.notified() => {}
        }
    }
}

/// A ticket's end says when the next one is due, if the server's clock is ours. If it is not, the
/// connections find out: an end in the past is no reason not to vote.
fn pause(now_ms: u64, valid_until_ms: Option<u64>, is_spent: bool) -> Duration {
    match valid_until_ms {
        Some(end) if end > now_ms => {
            let longest = if is_spent { SPENT } else { AT_REST };
            Duration::from_millis(end - now_ms).min(longest)
        }
        _ => DUE,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn cas(ticket: &str) -> Cas {
        Cas {
            ticket: ticket.into(),
            valid_until: "2026-11-22T10:00:00Z".into(),
            remaining_usage: 100,
        }
    }

    fn good(tickets: &Tickets, refused: Option<usize>) -> Option<usize> {
        let ticket = tickets.good(refused).now_or_never();
        ticket.map(|ticket| ticket.number)
    }

    #[test]
    fn a_ticket_is_numbered_once() {
        let tickets = Tickets::default();
        assert_eq!(good(&tickets, None), None);
        tickets.seen(&cas("a"), |_| 0);
        tickets.seen(&cas("a"), |_| panic!("it has a number"));
        assert_eq!(good(&tickets, None), Some(0));
    }

    #[test]
    fn a_refused_connection_waits_for_the_next_ticket_and_others_do_not() {
        let tickets = Tickets::default();
        tickets.seen(&cas("a"), |_| 0);
        tickets.refused(0, false);
        assert_eq!(good(&tickets, Some(0)), None);
        assert_eq!(good(&tickets, None), Some(0));
        tickets.seen(&cas("b"), |_| 1);
        assert_eq!(good(&tickets, Some(0)), Some(1));
    }

    #[test]
    fn a_used_up_ticket_is_given_to_no_connection_and_a_late_refusal_spoils_no_other() {
        let tickets = Tickets::default();
        tickets.seen(&cas("a"), |_| 0);
        tickets.refused(0, true);
        assert_eq!(good(&tickets, None), None);
        tickets.seen(&cas("a"), |_| 1);
        assert_eq!(good(&tickets, None), None, "it is the same one");
        tickets.seen(&cas("b"), |_| 1);
        tickets.refused(0, true);
        assert_eq!(good(&tickets, None), Some(1));
    }

    #[test]
    fn the_next_ticket_is_asked_for_when_it_is_due() {
        let ms = Duration::from_millis;
        assert_eq!(pause(1_000, Some(1_300), false), ms(300));
        assert_eq!(pause(1_000, Some(9_000), false), AT_REST);
        assert_eq!(pause(1_000, Some(9_000), true), SPENT);
        assert_eq!(pause(1_000, Some(1_000), false), DUE);
        assert_eq!(pause(1_000, Some(5), true), DUE);
        assert_eq!(pause(1_000, None, false), DUE);
    }
}
