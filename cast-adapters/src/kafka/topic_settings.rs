//! Checks the settings of an existing topic: those that lose records are refused, those that put
//! acknowledged votes at risk are warned about.

use std::{collections::HashMap, sync::Arc};

use rdkafka::admin::ResourceSpecifier;

use super::{
    admin::Admin, blocking, error::Error, options::KafkaOptions, producer::Sender,
    read_error::UNSUPPORTED_CODEC,
};
use crate::record::MAX_BYTES;

/// The settings of a topic, by name.
type Settings = HashMap<String, String>;

/// With this many replicas a topic can lose a broker, and should not acknowledge on one replica alone.
const MANY_REPLICAS: usize = 3;

/// Refuses a topic whose settings lose records, and warns about settings that may. If the cluster does
/// not return the settings, the topic is used as it is: the permission to read settings is not needed
/// to vote.
pub(super) async fn check_settings(sender: &Arc<Sender>) -> Result<(), Error> {
    let topic = &sender.options.topic;
    let (settings, replicas) = tokio::join!(settings(&sender.options), replicas(sender));
    let settings = match settings {
        Ok(settings) => settings,
        Err(why) => {
            tracing::info!(%why, topic, "could not read the topic's settings; they are not checked");
            return Ok(());
        }
    };
    refuse(topic, &settings)?;
    for risk in risks(&settings, replicas.unwrap_or_default()) {
        tracing::warn!(topic, "{risk}");
    }
    Ok(())
}

async fn settings(options: &KafkaOptions) -> Result<Settings, Error> {
    let admin = Admin::open(options).await?;
    let asked = [ResourceSpecifier::Topic(&options.topic)];
    let answer = admin.client.describe_configs(&asked, &admin.limits).await;
    admin.close().await;
    let topic = answer.map_err(Error::Ask)?.pop().ok_or(Error::TimedOut)?;
    let entries = topic.map_err(Error::DescribeTopic)?.entries.into_iter();
    Ok(entries
        .filter_map(|entry| Some((entry.name, entry.value?)))
        .collect())
}

/// The smallest number of replicas of a partition.
async fn replicas(sender: &Arc<Sender>) -> Option<usize> {
    let sender = Arc::clone(sender);
    blocking::run(move || {
        let (topic, timeout) = (&sender.options.topic, sender.options.request_timeout);
        let metadata = sender.client().fetch_metadata(Some(topic), timeout).ok()?;
        let topic = metadata.topics().first()?;
        let each = topic.partitions().iter();
        each.map(|partition| partition.replicas().len()).min()
    })
    .await
}

/// Refuses settings that lose records for certain.
fn refuse(topic: &str, settings: &Settings) -> Result<(), Error> {
    let compacted = "compaction removes records, and with them votes";
    let unreadable = "this program cannot read records that are compressed like that";
    for (setting, refused, instead, why) in [
        ("cleanup.policy", "compact", "delete", compacted),
        (
            "compression.type",
            UNSUPPORTED_CODEC,
            "producer",
            unreadable,
        ),
    ] {
        let value = settings.get(setting).cloned().unwrap_or_default();
        if value.split(',').any(|one| one.trim() == refused) {
            return Err(Error::TopicSetting {
                topic: topic.to_owned(),
                setting,
                value,
                instead,
                why,
            });
        }
    }
    Ok(())
}

/// Warnings about settings that lose acknowledged records, or refuse records, when a broker fails.
fn risks(settings: &Settings, replicas: usize) -> Vec<String> {
    let number = |setting: &str| settings.get(setting)?.parse::<usize>().ok();
    let mut risks = Vec::new();
    if replicas >= MANY_REPLICAS
        && let Some(enough @ ..2) = number("min.insync.replicas")
    {
        risks.push(format!(
            "min.insync.replicas={enough}: while the other replicas lag, one broker alone acknowledges \
             votes, and they are lost with that broker; set it to 2"
        ));
    }
    let unclean = "unclean.leader.election.enable";
    if settings.get(unclean).is_some_and(|value| value == "true") {
        risks.push(format!(
            "{unclean}=true: a replica that lacks acknowledged votes may become the leader, and those \
             votes are lost; set it to false"
        ));
    }
    if let Some(bytes) = number("max.message.bytes")
        && bytes < MAX_BYTES
    {
        risks.push(format!(
            "max.message.bytes={bytes}: a record has up to {MAX_BYTES} bytes, and the brokers refuse \
             the largest; set it to its default, 1048588"
        ));
    }
    risks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(&str, &str)]) -> Settings {
        let pairs = pairs.iter();
        pairs
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn a_setting_that_loses_records_is_refused_with_the_value_to_set_instead() {
        for (setting, value, way_out) in [
            ("cleanup.policy", "compact", "cleanup.policy=delete"),
            ("cleanup.policy", "delete,compact", "cleanup.policy=delete"),
            ("compression.type", "zstd", "compression.type=producer"),
        ] {
            let refused = refuse("votes", &set(&[(setting, value)])).expect_err(value);
            let message = refused.to_string();
            assert!(
                message.contains(way_out) && message.contains("votes"),
                "{message}"
            );
        }
        let sound = [("cleanup.policy", "delete"), ("compression.type", "lz4")];
        refuse("votes", &set(&sound)).expect("nothing is lost");
    }

    #[test]
    fn settings_that_may_lose_records_are_named() {
        let alone = set(&[("min.insync.replicas", "1")]);
        assert_eq!(risks(&alone, 1), [] as [&str; 0], "a single broker is one");
        assert!(risks(&alone, 3)[0].contains("min.insync.replicas=1"));
        let unclean = set(&[("unclean.leader.election.enable", "true")]);
        assert!(risks(&unclean, 3)[0].contains("unclean.leader.election.enable=true"));
        let small = set(&[("max.message.bytes", "100000")]);
        assert!(risks(&small, 1)[0].contains("max.message.bytes=100000"));
        let sound = [
            ("min.insync.replicas", "2"),
            ("unclean.leader.election.enable", "false"),
            ("max.message.bytes", "1048588"),
        ];
        assert_eq!(risks(&set(&sound), 3), [] as [&str; 0]);
    }
}
