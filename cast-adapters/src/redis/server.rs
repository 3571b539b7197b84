//! What the adapters on one server share.

use std::sync::Arc;

use cast_core::ports::PortError;

use super::{cluster::Cluster, keys::Keys, options::RedisOptions};

pub(super) struct Server {
    pub(super) options: Arc<RedisOptions>,
    pub(super) keys: Keys,
    pub(super) cluster: Arc<Cluster>,
}

impl Server {
    pub(super) fn open(options: RedisOptions) -> Result<Arc<Self>, PortError> {
        let options = Arc::new(options);
        let cluster = options.check().and_then(|()| Cluster::open(&options));
        Ok(Arc::new(Self {
            cluster: cluster.map_err(|cause| cause.with_operation("opening Redis"))?,
            keys: Keys::new(&options),
            options,
        }))
    }

    pub(super) async fn ping(&self) -> Result<(), PortError> {
        let answer = self.cluster.ping().await;
        answer.map_err(|cause| cause.with_operation("checking the connection to Redis"))
    }
}
