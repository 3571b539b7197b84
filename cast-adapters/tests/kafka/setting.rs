//! The settings of a topic.

use std::time::Duration;

use cast_testkit::{eventually, servers::Topic};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier},
    client::DefaultClientContext,
};

/// How long a broker may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(45);

/// Sets it, resets all others, and waits until the broker applies it, a moment after it
/// has acknowledged the change.
pub(crate) async fn set(brokers: &str, topic: &Topic, setting: &str, value: &str) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    let admin: AdminClient<DefaultClientContext> = config.create().expect("a client");
    let (topic, options) = (ResourceSpecifier::Topic(topic.name()), AdminOptions::new());
    let change = AlterConfig::new(topic).set(setting, value);
    let changed = admin.alter_configs([&change], &options).await;
    changed.expect("an answer")[0].as_ref().expect("a topic");
    eventually(PATIENCE, format!("{setting}={value}"), async || {
        let reported = admin.describe_configs([&topic], &options).await;
        let reported = reported.expect("an answer").pop()?.ok()?;
        (reported.get(setting)?.value.as_deref() == Some(value)).then_some(())
    })
    .await;
}
