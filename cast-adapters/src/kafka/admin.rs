//! An administrator's client, for one request.

use rdkafka::admin::{AdminClient, AdminOptions};

use super::{blocking, context::LoggingContext, error::Error, options::KafkaOptions};

pub(super) struct Admin {
    pub(super) client: AdminClient<LoggingContext>,
    pub(super) limits: AdminOptions,
}

impl Admin {
    pub(super) async fn open(options: &KafkaOptions) -> Result<Self, Error> {
        let config = options.admin();
        let client = blocking::run(move || config.create_with_context(LoggingContext)).await;
        Ok(Self {
            client: client.map_err(Error::Client)?,
            limits: AdminOptions::new()
                .request_timeout(Some(options.request_timeout))
                .operation_timeout(Some(options.request_timeout)),
        })
    }

    /// Dropping the client waits for its thread.
    pub(super) async fn close(self) {
        blocking::run(move || drop(self)).await;
    }
}
