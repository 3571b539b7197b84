//! Why a client has no connection to a broker. The errors of its calls only say that there is none.

use std::{fmt, sync::Arc};

use parking_lot::Mutex;
use rdkafka::{error::KafkaError, types::RDKafkaErrorCode as Code};

/// Of the errors of a client's connections, the one that says most; of equal ones, the last.
#[derive(Clone, Default)]
pub(super) struct ConnectionErrors(Arc<Mutex<Option<ConnectionError>>>);

/// The error of a connection, with what an operator can do.
#[derive(Clone, Debug)]
pub(super) struct ConnectionError {
    code: Code,
    reason: String,
}

/// How much an error says. A host often has two addresses, and the client tries the second as soon as the
/// first has refused it: that nothing listens there must not hide why the first did.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    NotConnected,
    Disconnected,
    Refused,
}

impl ConnectionErrors {
    /// Remembers an error that belongs to no call.
    pub(super) fn note(&self, error: &KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        // That all brokers are down follows the error that says why.
        if let Some(code) = code.filter(|code| *code != Code::AllBrokersDown) {
            self.keep(code, reason, |new, kept| new >= kept);
        }
    }

    /// Remembers a connection that the broker closed: for some reasons this is only in the client's log.
    pub(super) fn note_log(&self, facility: &str, message: &str) {
        if facility == "FAIL" {
            let (_thread, reason) = message.split_once("]: ").unwrap_or_default();
            // The log has errors too, without their codes.
            self.keep(Code::BrokerTransportFailure, reason, |new, kept| new > kept);
        }
    }

    fn keep(&self, code: Code, reason: &str, replaces: impl FnOnce(Rank, Rank) -> bool) {
        let new = ConnectionError {
            code,
            reason: reason.to_owned(),
        };
        let mut kept = self.0.lock();
        if kept
            .as_ref()
            .is_none_or(|kept| replaces(new.rank(), kept.rank()))
        {
            *kept = Some(new);
        }
    }

    pub(super) fn last_error(&self) -> Option<ConnectionError> {
        self.0.lock().clone()
    }

    /// A connection works again.
    pub(super) fn forget(&self) {
        *self.0.lock() = None;
    }
}

impl ConnectionError {
    fn rank(&self) -> Rank {
        match self.code {
            Code::Authentication | Code::SSL => Rank::Refused,
            // The client has one code for both, and only its text tells them apart.
            _ if self.reason.contains("Connect to ") => Rank::NotConnected,
            _ => Rank::Disconnected,
        }
    }
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let check = match self.code {
            Code::Authentication => "user:password and sasl=",
            Code::SSL => "ca=, cert= and key=, and that the broker's certificate names the host",
            _ => {
                "the host, the port and the scheme (kafkas:// for TLS, kafka:// without), and whether \
                 the broker wants user:password, or cert= and key="
            }
        };
        write!(f, "{}. In the log's URL, check {check}", self.reason)
    }
}

/// Whether a call with this error got no answer from any broker.
pub(super) const fn is_unreachable(code: Code) -> bool {
    matches!(
        code,
        Code::OperationTimedOut | Code::BrokerTransportFailure | Code::AllBrokersDown
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_nothing_listens_at_another_address_does_not_hide_the_cause() {
        let errors = ConnectionErrors::default();
        let last = || errors.last_error().map(|error| error.to_string());
        let transport = KafkaError::Global(Code::BrokerTransportFailure);
        let elsewhere = "a:1/bootstrap: Connect to ipv6#[::1]:1 failed: Connection refused";
        errors.note(&transport, elsewhere);
        assert!(last().is_some_and(|last| last.contains("Connect to")));
        errors.note_log("FAIL", "[thrd:a:1/bootstrap]: a:1/bootstrap: Disconnected");
        errors.note(&transport, elsewhere);
        assert!(last().is_some_and(|last| last.contains("Disconnected")));
        for refusal in [Code::Authentication, Code::SSL] {
            errors.note(&KafkaError::Global(refusal), "refused");
            errors.note(&transport, elsewhere);
            errors.note_log("FAIL", "[thrd:a:1/bootstrap]: a:1/bootstrap: Disconnected");
            assert!(last().is_some_and(|last| last.starts_with("refused. ")));
        }
    }

    #[test]
    fn the_last_error_is_the_cause_and_not_its_consequence() {
        let errors = ConnectionErrors::default();
        let last = || errors.last_error().map(|error| error.to_string());
        errors.note_log("FAIL", "[thrd:a:1/bootstrap]: a:1/bootstrap: Disconnected");
        let closed = last().expect("the log has it");
        assert!(
            closed.starts_with("a:1/bootstrap: Disconnected. In the log's URL, check the host"),
            "{closed}"
        );
        errors.note(&KafkaError::Global(Code::Authentication), "wrong password");
        errors.note(&KafkaError::Global(Code::AllBrokersDown), "1/1 are down");
        errors.note_log("FAIL", "[thrd:a:1/bootstrap]: wrong password");
        let refused = last().expect("it was reported");
        assert!(
            refused.starts_with("wrong password. In the log's URL, check user:password"),
            "{refused}"
        );
        errors.forget();
        assert_eq!(last(), None);
    }
}
