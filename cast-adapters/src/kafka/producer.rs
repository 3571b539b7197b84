//! The producer: one client that sends, and its successor when it dies.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use cast_core::{
    domain::{LogPosition, Offset, Partitions, Record},
    ports::{Clock, PortError, Published},
};
use rdkafka::{
    ClientContext, Message, Statistics,
    client::Client,
    config::{FromClientConfigAndContext, RDKafkaLogLevel},
    error::KafkaError,
    producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer},
};
use tokio::sync::{oneshot, watch};

use super::{blocking, context, error::Error, options::KafkaOptions};
use crate::{record, system::SystemClock};

const PUBLISHING: &str = "publishing ballots";

/// How long after one producer its successor may be made: what killed the first may kill it too.
const SUCCESSION_PAUSE: Duration = Duration::from_secs(1);

/// Sends records, with whichever client is alive.
pub(super) struct Producer {
    options: Arc<KafkaOptions>,
    partitions: Partitions,
    current: Mutex<Arc<Sender>>,
    /// When the last client was made, by the monotonic clock. Held while a successor is made.
    made_at: tokio::sync::Mutex<Duration>,
}

impl Producer {
    pub(super) fn new(
        options: Arc<KafkaOptions>,
        partitions: Partitions,
        sender: Arc<Sender>,
    ) -> Self {
        Self {
            options,
            partitions,
            current: Mutex::new(sender),
            made_at: tokio::sync::Mutex::new(SystemClock.monotonic()),
        }
    }

    /// Hands all records to the client at once, and waits for what becomes of each.
    pub(super) async fn publish(&self, records: &[Record]) -> Vec<Result<Published, PortError>> {
        // Encoded before anything is sent: what a record is refused for does not delay the others.
        let encoded: Vec<_> = records.iter().map(|record| self.encode(record)).collect();
        let mut sender = self.alive().await;
        let sent: Vec<_> = records
            .iter()
            .zip(encoded)
            .map(|(record, bytes)| {
                let sender = sender
                    .as_mut()
                    .map_err(|died| Error::ProducerDied(died.clone()))?;
                sender.send(&self.options.topic, record, &bytes?)
            })
            .collect();
        let mut results = Vec::with_capacity(sent.len());
        for (record, delivery) in records.iter().zip(sent) {
            let delivered = match delivery {
                Ok(delivery) => delivered(record, delivery).await,
                Err(error) => Err(error),
            };
            results.push(delivered.map_err(|error| error.while_(PUBLISHING)));
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

    /// The client, or its successor if it died; and if there is none yet, what it died of.
    async fn alive(&self) -> Result<Arc<Sender>, String> {
        let sender = self.sender();
        if sender.died_of().is_none() {
            return Ok(sender);
        }
        let mut made_at = self.made_at.lock().await;
        // Somebody else may have been here while this waited for the lock.
        let sender = self.sender();
        let Some(died_of) = sender.died_of() else {
            return Ok(sender);
        };
        if SystemClock.monotonic().saturating_sub(*made_at) < SUCCESSION_PAUSE {
            return Err(died_of);
        }
        tracing::error!(died_of, "the producer died; making another one");
        let successor = Sender::new(&self.options)
            .await
            .map_err(|error| error.to_string())?;
        *made_at = SystemClock.monotonic();
        *self.current() = Arc::clone(&successor);
        Ok(successor)
    }

    /// The client that is in use, dead or alive.
    pub(super) fn sender(&self) -> Arc<Sender> {
        Arc::clone(&self.current())
    }

    fn current(&self) -> MutexGuard<'_, Arc<Sender>> {
        self.current
            .lock()
            .expect("nothing panics while it holds this lock")
    }
}

/// One client that sends.
pub(super) struct Sender {
    /// Taken out when it is dropped.
    client: Option<ThreadedProducer<Told>>,
    told: Told,
    /// How long its last records may take when it is dropped.
    last_wait: Duration,
}

/// What becomes of a record: its offset, negative where the brokers did not say.
type Delivery = oneshot::Receiver<Result<i64, KafkaError>>;

impl Sender {
    /// A new client. It begins to connect by itself.
    pub(super) async fn new(options: &KafkaOptions) -> Result<Arc<Self>, Error> {
        let config = options.producer();
        let told = Told::default();
        // A record that was sent last is given up by the client after this time, one way or another.
        let last_wait = options.delivery_timeout + Duration::from_secs(1);
        blocking::run(move || {
            let client = ThreadedProducer::from_config_and_context(&config, told.clone());
            let client = Some(client.map_err(Error::Client)?);
            Ok(Arc::new(Self {
                client,
                told,
                last_wait,
            }))
        })
        .await
    }

    pub(super) fn client(&self) -> &Client<Told> {
        self.producer().client()
    }

    /// Waits until it could send at once, having an id from the cluster.
    pub(super) async fn ready(&self) {
        let mut ready = self.told.ready.subscribe();
        // The other end is in `self`: it cannot be gone.
        let _ = ready.wait_for(|ready| *ready).await;
    }

    /// What it died of, if it is dead.
    pub(super) fn died_of(&self) -> Option<String> {
        let (code, reason) = self.client().fatal_error()?;
        Some(format!("{code:?}: {reason}"))
    }

    /// Waits, on this thread, until all that was sent has an outcome.
    pub(super) fn flush(&self) -> Result<(), Error> {
        self.producer()
            .flush(self.last_wait)
            .map_err(Error::Delivery)
    }

    fn send(&self, topic: &str, record: &Record, bytes: &[u8]) -> Result<Delivery, Error> {
        let partition = i32::try_from(record.partition().get()).expect("it was compared");
        let (told, delivery) = oneshot::channel();
        let message = BaseRecord::<(), [u8], _>::with_opaque_to(topic, Box::new(told))
            .partition(partition)
            .payload(bytes);
        // Never waits: a full queue fails at once.
        match self.producer().send(message) {
            Ok(()) => Ok(delivery),
            Err((error, _)) => Err(Error::Enqueue(error)),
        }
    }

    const fn producer(&self) -> &ThreadedProducer<Told> {
        self.client
            .as_ref()
            .expect("it is taken out only when it is dropped")
    }
}

impl Drop for Sender {
    /// Dropping the client would throw away what is in flight, and wait for its thread: so the rest
    /// is sent by a thread that nobody waits for.
    fn drop(&mut self) {
        let Some(client) = self.client.take() else {
            return;
        };
        let last_wait = self.last_wait;
        // Without a thread for it the client was closed on this one, with what it still had.
        let _ = blocking::leave("kafka-retire", move || {
            if let Err(error) = client.flush(last_wait) {
                tracing::warn!(%error, "a producer was closed with records in flight");
            }
        });
    }
}

async fn delivered(record: &Record, delivery: Delivery) -> Result<Published, Error> {
    let offset = delivery
        .await
        .map_err(|_| Error::Abandoned)?
        .map_err(Error::Delivery)?;
    // A record that was sent twice and taken once (DUPLICATE_SEQUENCE) is acknowledged without an
    // offset: it is in the log, and its ballots show when they reconcile.
    let position = u64::try_from(offset).ok().map(|offset| LogPosition {
        partition: record.partition(),
        offset: Offset::new(offset),
    });
    Ok(Published { position })
}

/// What a client tells by itself. Shared with the client's own thread.
#[derive(Clone, Default)]
pub(super) struct Told {
    ready: Arc<watch::Sender<bool>>,
}

impl ClientContext for Told {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        context::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        context::note(&error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        let has_id = statistics
            .eos
            .is_some_and(|eos| eos.idemp_state == "Assigned");
        self.ready
            .send_if_modified(|ready| std::mem::replace(ready, has_id) != has_id);
    }
}

impl ProducerContext for Told {
    type DeliveryOpaque = Box<oneshot::Sender<Result<i64, KafkaError>>>;

    fn delivery(&self, result: &DeliveryResult<'_>, told: Self::DeliveryOpaque) {
        let outcome = match result {
            Ok(message) => Ok(message.offset()),
            Err((error, _)) => Err(error.clone()),
        };
        // Whoever asked may have gone.
        let _ = told.send(outcome);
    }
}
