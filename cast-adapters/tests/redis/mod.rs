//! Adapters with a key prefix of their own on a Redis server, for the contract suites and other tests.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bb8_redis::redis::{
    AsyncConnectionConfig, Client, FromRedisValue, ServerErrorKind, aio::MultiplexedConnection, cmd,
};
use cast_adapters::redis::{Redis, RedisOptions};
use cast_core::{
    domain::Candidate,
    ports::{TicketSource, VoteCounter},
};
use cast_testkit::{
    contract::{
        Harness, Skipped, ticket_source::TicketSourceHarness, vote_counter::VoteCounterHarness,
    },
    eventually, pause,
    servers::{self, random_name},
};

/// Nothing here takes long, but the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A key prefix on a server or a cluster, and plain connections to inspect and remove its keys.
pub(crate) struct Namespace {
    /// The options of the adapters; a test may change them.
    pub(crate) options: RedisOptions,
    /// One to the server, or to each master.
    raw: Vec<MultiplexedConnection>,
}

impl Namespace {
    /// A new namespace on a server.
    pub(crate) async fn on(server: &servers::Redis) -> Self {
        Self::at(&[server.url()]).await
    }

    /// A new namespace on the nodes of a cluster; the adapters get the URL of the first.
    pub(crate) async fn at(urls: &[&str]) -> Self {
        let mut options = RedisOptions::at(urls[0]);
        options.prefix = random_name();
        // A busy machine must not make the tests fail.
        options.connect_timeout = PATIENCE;
        options.response_timeout = PATIENCE;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let mut raw = Vec::new();
        for url in urls {
            let client = Client::open(*url).expect("a URL");
            let connecting = client.get_multiplexed_async_connection_with_config(&config);
            raw.push(connecting.await.expect("the server is there"));
        }
        Self { options, raw }
    }

    /// Adapters with their own connections.
    pub(crate) fn open(&self) -> Redis {
        Redis::open(self.options.clone()).expect("the options make sense")
    }

    /// The key of the tickets and their use counters.
    pub(crate) fn uses(&self) -> String {
        format!("{{{}:tickets}}:uses", self.options.prefix)
    }

    /// The key of a candidate whose name contains no brace.
    pub(crate) fn tally(&self, candidate: &Candidate) -> String {
        format!("{{{}:tally:{candidate}}}", self.options.prefix)
    }

    /// Sends a command without the adapters.
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &[&str]) -> T {
        let mut sent = cmd(command[0]);
        sent.arg(&command[1..]);
        for raw in &self.raw {
            match sent.query_async(&mut raw.clone()).await {
                Err(error) if error.kind() == ServerErrorKind::Moved.into() => {}
                answer => return answer.unwrap_or_else(|error| panic!("{command:?}: {error}")),
            }
        }
        panic!("{command:?}: no node has the key")
    }

    /// All keys of this namespace.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let all = format!("{{{}:*", self.options.prefix);
        let mut keys: Vec<String> = Vec::new();
        for raw in &self.raw {
            let mut list = cmd("KEYS");
            let listed = list.arg(&all).query_async(&mut raw.clone()).await;
            keys.extend::<Vec<String>>(listed.expect("the server lists its keys"));
        }
        keys.sort();
        keys
    }

    /// The time to live of a key; `None` if it has none.
    pub(crate) async fn time_to_live(&self, key: &str) -> Option<Duration> {
        let left_ms: i64 = self.ask(&["PTTL", key]).await;
        assert_ne!(left_ms, -2, "there is no {key}");
        u64::try_from(left_ms).ok().map(Duration::from_millis)
    }

    async fn remove(&self, keys: &[String]) {
        for key in keys {
            let _: i64 = self.ask(&["DEL", key]).await;
        }
    }
}

#[async_trait]
impl Harness for Namespace {
    fn patience(&self) -> Duration {
        PATIENCE
    }

    async fn close(&self) {
        let keys = self.keys().await;
        self.remove(&keys).await;
    }
}

#[async_trait]
impl TicketSourceHarness for Namespace {
    async fn open(&self) -> Arc<dyn TicketSource> {
        Arc::new(self.open().tickets())
    }

    fn period(&self) -> Duration {
        Duration::from_millis(500)
    }

    fn time_stands_still(&self) -> bool {
        false
    }

    async fn pass(&self, duration: Duration) {
        pause(duration).await;
    }

    async fn lose_use_counters(&self) -> Result<(), Skipped> {
        self.remove(&[self.uses()]).await;
        Ok(())
    }
}

#[async_trait]
impl VoteCounterHarness for Namespace {
    async fn open(&self) -> Arc<dyn VoteCounter> {
        Arc::new(self.open().counter())
    }

    fn while_passing(&self) -> Duration {
        Duration::from_millis(200)
    }

    async fn pass(&self, duration: Duration) {
        pause(duration).await;
    }

    async fn forget(&self, candidate: &Candidate) -> Result<(), Skipped> {
        self.remove(&[self.tally(candidate)]).await;
        Ok(())
    }

    /// Expires all keys that have a time to live.
    async fn save_memory(&self) -> Result<(), Skipped> {
        let mut mortal = Vec::new();
        for key in self.keys().await {
            if self.time_to_live(&key).await.is_some() {
                let _: i64 = self.ask(&["PEXPIRE", &key, "1"]).await;
                mortal.push(key);
            }
        }
        eventually(PATIENCE, "keys with a time to live expire", async || {
            let keys = self.keys().await;
            (!mortal.iter().any(|key| keys.contains(key))).then_some(())
        })
        .await;
        Ok(())
    }
}
