//! Connects once, with the first call that needs the topic.

use std::sync::{Arc, OnceLock};

use cast_core::ports::PortError;
use tokio::{sync::Mutex, task::JoinHandle};

use super::{options::KafkaOptions, topic::Topic};

/// The topic, once the connection is established.
pub(super) struct Connection {
    options: KafkaOptions,
    established: OnceLock<Arc<Topic>>,
    /// The current attempt. It outlives the caller that began it: callers with a timeout shorter than a
    /// slow cluster needs would otherwise start over for ever.
    attempt: Mutex<Option<JoinHandle<Result<Topic, PortError>>>>,
}

impl Connection {
    pub(super) fn new(options: KafkaOptions) -> Self {
        Self {
            options,
            established: OnceLock::new(),
            attempt: Mutex::new(None),
        }
    }

    /// The topic, if a connection was ever established.
    pub(super) fn established(&self) -> Option<&Arc<Topic>> {
        self.established.get()
    }

    /// The topic; connects first if necessary. The future may be dropped.
    pub(super) async fn topic(&self) -> Result<Arc<Topic>, PortError> {
        if let Some(topic) = self.established.get() {
            return Ok(Arc::clone(topic));
        }
        let mut attempt = self.attempt.lock().await;
        if let Some(topic) = self.established.get() {
            return Ok(Arc::clone(topic));
        }
        let connecting = || tokio::spawn(Topic::connect(self.options.clone()));
        let ended = attempt.get_or_insert_with(connecting).await;
        *attempt = None;
        let connected =
            ended.map_err(|error| PortError::unavailable("connecting to the log", error))?;
        let topic = Arc::new(connected?);
        Ok(Arc::clone(self.established.get_or_init(|| topic)))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(attempt) = self.attempt.get_mut() {
            attempt.abort();
        }
    }
}
