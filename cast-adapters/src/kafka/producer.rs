//! The producer: a client that sends records, and its replacement after a fatal error.

use std::{sync::Arc, time::Duration};

use cast_core::{
    domain::{Clock, LogPosition, Offset, Partitions, Record},
    ports::{PortError, Published},
};
use parking_lot::Mutex;
use rdkafka::{
    ClientContext, Message, Statistics,
    client::Client,
    config::{FromClientConfigAndContext, RDKafkaLogLevel},
    error::KafkaError,
    producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer},
};
use tokio::sync::{oneshot, watch};

use super::{
    blocking,
    connection_error::{ConnectionErrors, is_unreachable},
    context,
    error::Error,
    numbers::number,
    options::KafkaOptions,
};
use crate::{record, system::SystemClock};

/// The time between two replacements: what caused one fatal error may cause the next.
const MIN_RECREATE_INTERVAL: Duration = Duration::from_secs(1);

/// Sends records with the current client, and replaces it after a fatal error.
pub(super) struct Producer {
    partitions: Partitions,
    current: Mutex<Arc<Sender>>,
    /// When the current client was created, by the monotonic clock. Locked while it is replaced.
    created_at: tokio::sync::Mutex<Duration>,
}

impl Producer {
    pub(super) fn new(partitions: Partitions, sender: Arc<Sender>) -> Self {
        Self {
            partitions,
            current: Mutex::new(sender),
            created_at: tokio::sync::Mutex::new(SystemClock.monotonic()),
        }
    }

    /// Hands all records to the client at once, and waits for the delivery report of each.
    pub(super) async fn publish(&self, records: &[Record]) -> Vec<Result<Published, PortError>> {
        // All are encoded before one is sent, so an invalid record does not delay the others.
        let encoded: Vec<_> = records.iter().map(|record| self.encode(record)).collect();
        let mut sender = self.live_sender().await;
        let sent: Vec<_> = records
            .iter()
            .zip(encoded)
            .map(|(record, bytes)| {
                let sender = sender
                    .as_mut()
                    .map_err(|error| Error::ProducerDied(error.clone()))?;
                sender.send(record, &bytes?)
            })
            .collect();
        let mut results = Vec::with_capacity(sent.len());
        for (record, delivery) in records.iter().zip(sent) {
            let delivered = match delivery {
                Ok(delivery) => delivered(record, delivery).await,
                Err(error) => Err(error),
            };
            results.push(delivered.map_err(|error| error.with_operation("publishing ballots")));
        }
        results
    }

    fn encode(&self, record: &Record) -> Result<Vec<u8>, Error> {
        let partition = record.partition();
        if partition.get() >= self.partitions.count() {
            return Err(Error::NoSuchPartition {
                partition,
                partitions: self.partitions.count(),
            });
        }
        Ok(record::encode(record, self.partitions)?)
    }

    /// The client, or its replacement after a fatal error; the error if there is no replacement yet.
    async fn live_sender(&self) -> Result<Arc<Sender>, String> {
        let sender = self.sender();
        if sender.fatal_error().is_none() {
            return Ok(sender);
        }
        let mut created_at = self.created_at.lock().await;
        // Another task may have replaced it while this one waited for the lock.
        let sender = self.sender();
        let Some(error) = sender.fatal_error() else {
            return Ok(sender);
        };
        if SystemClock.monotonic().saturating_sub(*created_at) < MIN_RECREATE_INTERVAL {
            return Err(error);
        }
        tracing::error!(
            error,
            "the producer had a fatal error and is replaced; records in flight have an unknown outcome"
        );
        let replacement = Sender::new(Arc::clone(&sender.options)).await;
        let replacement = replacement.map_err(|error| error.to_string())?;
        *created_at = SystemClock.monotonic();
        *self.current.lock() = Arc::clone(&replacement);
        Ok(replacement)
    }

    /// The current client, which may have had a fatal error.
    pub(super) fn sender(&self) -> Arc<Sender> {
        Arc::clone(&self.current.lock())
    }
}

/// One client that sends records.
pub(super) struct Sender {
    /// Taken out when it is dropped.
    client: Option<ThreadedProducer<ProducerCallbacks>>,
    callbacks: ProducerCallbacks,
    pub(super) options: Arc<KafkaOptions>,
}

/// The offset of a record, negative where the brokers did not return it; or why the record was not
/// acknowledged.
type DeliveryReport = Result<i64, KafkaError>;

impl Sender {
    /// A new client, which begins to connect.
    pub(super) async fn new(options: Arc<KafkaOptions>) -> Result<Arc<Self>, Error> {
        blocking::run(move || {
            let (config, callbacks) = (options.producer(), ProducerCallbacks::default());
            let client = ThreadedProducer::from_config_and_context(&config, callbacks.clone());
            Ok(Arc::new(Self {
                client: Some(client.map_err(Error::Client)?),
                callbacks,
                options,
            }))
        })
        .await
    }

    pub(super) fn client(&self) -> &Client<ProducerCallbacks> {
        self.producer().client()
    }

    /// The error of a query of this or another client. If no broker was reached, it says why.
    pub(super) fn query_error(&self, error: KafkaError) -> Error {
        let code = match &error {
            KafkaError::AdminOp(code) => Some(*code),
            other => other.rdkafka_error_code(),
        };
        match self.callbacks.connection.last_error() {
            Some(why) if code.is_some_and(is_unreachable) => Error::Unreachable(why),
            _ => Error::Ask(error),
        }
    }

    /// Forgets the last error of a connection: a broker was reached since.
    pub(super) fn was_reached(&self) {
        self.callbacks.connection.forget();
    }

    /// Waits until the client has its id from the cluster, and could send at once.
    pub(super) async fn ready(&self) {
        let mut ready = self.callbacks.ready.subscribe();
        // It fails only if the channel is closed, and `self` holds its sender.
        let _ = ready.wait_for(|ready| *ready).await;
    }

    /// The fatal error of the client, after which it cannot be used.
    pub(super) fn fatal_error(&self) -> Option<String> {
        let (code, reason) = self.client().fatal_error()?;
        Some(format!("{code:?}: {reason}"))
    }

    /// Blocks this thread until every record is acknowledged or has failed.
    pub(super) fn flush(&self) -> Result<(), Error> {
        let flushed = self.producer().flush(self.flush_timeout());
        flushed.map_err(Error::Delivery)
    }

    /// By then every record is acknowledged, or the client has given it up.
    fn flush_timeout(&self) -> Duration {
        self.options.delivery_timeout + Duration::from_secs(1)
    }

    fn send(
        &self,
        record: &Record,
        bytes: &[u8],
    ) -> Result<oneshot::Receiver<DeliveryReport>, Error> {
        let (report, reported) = oneshot::channel();
        let topic = &self.options.topic;
        let message = BaseRecord::<(), [u8], _>::with_opaque_to(topic, Box::new(report))
            .partition(number(record.partition()))
            .payload(bytes);
        // Never waits: a full queue fails at once.
        match self.producer().send(message) {
            Ok(()) => Ok(reported),
            Err((error, _)) => Err(Error::Enqueue(error)),
        }
    }

    const fn producer(&self) -> &ThreadedProducer<ProducerCallbacks> {
        self.client
            .as_ref()
            .expect("it is taken out only when it is dropped")
    }
}

impl Drop for Sender {
    /// Dropping the client would discard the records in flight, and wait for its thread. So a detached
    /// thread flushes it first.
    fn drop(&mut self) {
        let Some(client) = self.client.take() else {
            return;
        };
        let flush_timeout = self.flush_timeout();
        // If no thread could be started, the client was dropped on this one, with its records.
        let _ = blocking::detach("kafka-retire", move || {
            if let Err(error) = client.flush(flush_timeout) {
                tracing::warn!(
                    %error,
                    "a producer was closed with records in flight; their outcome is unknown"
                );
            }
        });
    }
}

async fn delivered(
    record: &Record,
    report: oneshot::Receiver<DeliveryReport>,
) -> Result<Published, Error> {
    let offset = report
        .await
        .map_err(|_| Error::Abandoned)?
        .map_err(Error::Delivery)?;
    // A record that was sent twice and stored once (DUPLICATE_SEQUENCE) is acknowledged without an
    // offset. It is in the log, and its ballots show in the tallies when they are reconciled.
    let position = u64::try_from(offset).ok().map(|offset| LogPosition {
        partition: record.partition(),
        offset: Offset::new(offset),
    });
    Ok(Published { position })
}

/// The callbacks of a client, which its own thread calls.
#[derive(Clone, Default)]
pub(super) struct ProducerCallbacks {
    /// Whether the client has its id from the cluster.
    ready: Arc<watch::Sender<bool>>,
    connection: ConnectionErrors,
}

impl ClientContext for ProducerCallbacks {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        context::log(level, facility, message);
        self.connection.note_log(facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        context::note(&error, reason);
        self.connection.note(&error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        let has_id = statistics
            .eos
            .is_some_and(|eos| eos.idemp_state == "Assigned");
        self.ready
            .send_if_modified(|ready| std::mem::replace(ready, has_id) != has_id);
    }
}

impl ProducerContext for ProducerCallbacks {
    type DeliveryOpaque = Box<oneshot::Sender<DeliveryReport>>;

    fn delivery(&self, result: &DeliveryResult<'_>, report: Self::DeliveryOpaque) {
        let outcome = match result {
            Ok(message) => Ok(message.offset()),
            Err((error, _)) => Err(error.clone()),
        };
        // It fails if the caller has stopped waiting.
        let _ = report.send(outcome);
    }
}
