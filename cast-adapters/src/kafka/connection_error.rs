//! Why a client has no connection to a broker. The errors of its calls only say that there is none.

use std::{fmt, sync::Arc};

use parking_lot::Mutex;
use rdkafka::{error::KafkaError, types::RDKafkaErrorCode as Code};

/// The last error of a client's connections.
#[derive(Clone, Default)]
pub(super) struct ConnectionErrors(Arc<Mutex<Option<ConnectionError>>>);

/// The error of a connection, with what an operator can do.
#[derive(Clone, Debug)]
pub(super) struct ConnectionError {
    code: Code,
    reason: String,
}

impl ConnectionErrors {
    /// Remembers an error that belongs to no call.
    pub(super) fn note(&self, error: &KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        // That all brokers are down follows the error that says why.
        if let Some(code) = code.filter(|code| *code != Code::AllBrokersDown) {
            let reason = reason.to_owned();
            *self.0.lock() = Some(ConnectionError { code, reason });
        }
    }

    /// Remembers a connection that the broker closed: for some reasons this is only in the client's log.
    pub(super) fn note_log(&self, facility: &str, message: &str) {
        if facility == "FAIL" {
            let (_thread, reason) = message.split_once("]: ").unwrap_or_default();
            // The log has errors too, without their codes.
            self.0.lock().get_or_insert_with(|| ConnectionError {
                code: Code::BrokerTransportFailure,
                reason: reason.to_owned(),
            });
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
