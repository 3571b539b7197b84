//! Real servers for tests: Redis, `PostgreSQL`, Apache Kafka and Prometheus, without containers.
//!
//! `./test.sh` makes them: `.ci/install-test-servers` installs what is missing. No service has to
//! run; tests start their own servers on free loopback ports, in throw-away folders, and nothing is
//! left of them when the test ends, panics, or is killed. Linux only.
//!
//! # A server to share
//!
//! [`redis`], [`postgres`] and [`kafka`] give the one server that all tests of a process share, and
//! start it for the first that asks. The tests run in parallel, each in a corner of its own: a
//! random prefix of keys ([`random_name`]), a database ([`Postgres::create_database`]), a topic
//! ([`Kafka::create_topic`]).
//!
//! ```no_run
//! use cast_testkit::servers;
//!
//! # async fn connect(_: &str) {}
//! #[tokio::test]
//! async fn a_vote_reaches_the_table() {
//!     let Some(postgres) = servers::postgres().await else { return };
//!     let database = postgres.create_database().await;
//!     connect(database.url()).await;
//!     assert_eq!(database.sql("SELECT count(*) FROM votes").await, "1");
//! }
//! ```
//!
//! `CAST_TEST_REDIS_URL`, `CAST_TEST_POSTGRES_URL` and `CAST_TEST_KAFKA_URL` name servers to share
//! instead.
//!
//! # A server to break
//!
//! `Redis::start().await` and its like give a server that is yours alone: a [`Private`] can be
//! killed, frozen, thawed, emptied and restarted at its address. What is shared cannot: all that
//! takes `&mut`. [`Proxy`] breaks the link instead of the server.
//!
//! [`RedisCluster`] has a private server for each of its nodes, and hands slots from one to another.
//!
//! [`Prometheus`] is always private: it has the rules of its test, and scrapes what that starts.
//!
//! ```no_run
//! use cast_testkit::servers::Redis;
//!
//! # async fn connect(_: &str) {}
//! #[tokio::test]
//! async fn votes_outlive_redis() {
//!     let Some(mut redis) = Redis::start().await else { return };
//!     connect(&redis.url()).await;
//!     redis.kill().await;
//!     redis.restart_empty().await;
//! }
//! ```
//!
//! # A machine without them
//!
//! There, each way to a server gives `None`, and says so on standard error, past the test runner's
//! capture. With `CI=true` it panics: a skipped test must not look like a passed one. So does
//! [`has_program`] for any other program that a test runs.

mod blocking;
mod certificate;
mod cluster;
mod database;
mod instance;
mod kafka;
mod kafka_secure;
mod kafka_wire;
mod kind;
mod missing;
mod places;
mod postgres;
mod private;
mod process;
mod prometheus;
mod proxy;
mod redis;
mod url;

use tokio::sync::OnceCell;

pub use certificate::self_signed_certificate;
pub use cluster::RedisCluster;
pub use database::{Backup, Database};
pub use kafka::{Kafka, Topic};
pub use kafka_secure::SecureListeners;
pub use kind::{Mode, Server};
pub use missing::has_program;
pub use places::{free_address, random_name};
pub use postgres::Postgres;
pub use private::Private;
pub use prometheus::Prometheus;
pub use proxy::{Link, Proxy};
pub use redis::Redis;

use private::Shared;

/// The Redis that all tests of this process share; `None` if there is none on this machine.
pub async fn redis() -> Option<&'static Redis> {
    static SHARED: OnceCell<Option<Shared<Redis>>> = OnceCell::const_new();
    Shared::get(&SHARED).await
}

/// The `PostgreSQL` that all tests of this process share; `None` if there is none on this machine.
pub async fn postgres() -> Option<&'static Postgres> {
    static SHARED: OnceCell<Option<Shared<Postgres>>> = OnceCell::const_new();
    Shared::get(&SHARED).await
}

/// The Kafka that all tests of this process share; `None` if there is none on this machine.
pub async fn kafka() -> Option<&'static Kafka> {
    static SHARED: OnceCell<Option<Shared<Kafka>>> = OnceCell::const_new();
    Shared::get(&SHARED).await
}
