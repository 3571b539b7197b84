//! What the adapters on one server share.

use std::sync::Arc;

use cast_core::ports::PortError;

use super::{cluster::Cluster, error::Failed, keys::Keys, options::RedisOptions};

pub(super) struct Server {
    pub(super) options: RedisOptions,
    pub(super) keys: Keys,
    pub(super) cluster: Arc<Cluster>,
}

impl Server {
    pub(super) fn open(options: RedisOptions) -> Result<Arc<Self>, PortError> {
        let open = || {
            options.check()?;
            Cluster::open(&options)
        };
        let cluster = open().map_err(|why| Failed::new("opening Redis", why))?;
        let keys = Keys::new(&options);
        Ok(Arc::new(Self {
            options,
            keys,
            cluster,
        }))
    }

    pub(super) async fn ping(&self) -> Result<(), PortError> {
        let answer = self.cluster.ping().await;
        answer.map_err(|why| Failed::new("checking the connection to Redis", why))?;
        Ok(())
    }
}
