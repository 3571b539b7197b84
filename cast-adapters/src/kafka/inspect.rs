//! The settings of a topic that was there before: what nobody can make good afterwards, and what puts
//! acknowledged votes at risk.

use std::{collections::HashMap, sync::Arc};

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};

use super::{
    blocking, context::Quiet, error::Error, options::KafkaOptions, producer::Sender,
    verdict::UNREADABLE_CODEC,
};
use crate::record::MAX_BYTES;

/// What a topic is set to, by name.
type Settings = HashMap<String, String>;

/// From how many replicas on a topic can lose a broker, and should not acknowledge on one alone.
const MANY_REPLICAS: usize = 3;

/// Refuses a topic whose settings lose records, and warns of those that may. Where the cluster does
/// not tell them, in time or at all, it is taken as it is: a right to read settings is not needed to
/// vote.
pub(super) async fn inspect(
    options: &Arc<KafkaOptions>,
    sender: &Arc<Sender>,
) -> Result<(), Error> {
    let topic = &options.topic;
    let (settings, replicas) = tokio::join!(settings(options), replicas(options, sender));
    let settings = match settings {
        Ok(settings) => settings,
        Err(why) => {
            tracing::info!(%why, topic, "the topic's settings are not told, and not checked");
            return Ok(());
        }
    };
    refuse(topic, &settings)?;
    for risk in risks(&settings, replicas.unwrap_or_default()) {
        tracing::warn!(topic, "{risk}");
    }
    Ok(())
}

async fn settings(options: &Arc<KafkaOptions>) -> Result<Settings, Error> {
    let config = options.admin();
    let admin: AdminClient<Quiet> = blocking::run(move || config.create_with_context(Quiet))
        .await
        .map_err(Error::Client)?;
    let limits = AdminOptions::new()
        .request_timeout(Some(options.request_timeout))
        .operation_timeout(Some(options.request_timeout));
    let asked = [ResourceSpecifier::Topic(&options.topic)];
    let told = admin.describe_configs(&asked, &limits).await;
    // Its thread is waited for.
    blocking::run(move || drop(admin)).await;
    let told = told.map_err(Error::Ask)?.pop().ok_or(Error::TimedOut)?;
    let entries = told.map_err(Error::DescribeTopic)?.entries.into_iter();
    Ok(entries
        .filter_map(|entry| Some((entry.name, entry.value?)))
        .collect())
}

/// On how many brokers the topic is.
async fn replicas(options: &Arc<KafkaOptions>, sender: &Arc<Sender>) -> Option<usize> {
    let (options, sender) = (Arc::clone(options), Arc::clone(sender));
    blocking::run(move || {
        let metadata = sender
            .client()
            .fetch_metadata(Some(&options.topic), options.request_timeout)
            .ok()?;
        let topic = metadata.topics().first()?;
        let each = topic.partitions().iter();
        each.map(|partition| partition.replicas().len()).min()
    })
    .await
}

/// What loses records whatever anybody does.
fn refuse(topic: &str, settings: &Settings) -> Result<(), Error> {
    let refusal = |setting, instead, why| Error::TopicSetting {
        topic: topic.to_owned(),
        setting,
        value: settings.get(setting).cloned().unwrap_or_default(),
        instead,
        why,
    };
    let is = |setting: &str, what: &str| {
        let value = settings.get(setting);
        value.is_some_and(|value| value.split(',').any(|one| one.trim() == what))
    };
    if is("cleanup.policy", "compact") {
        let why = "compaction removes records, and each of them is votes";
        return Err(refusal("cleanup.policy", "delete", why));
    }
    if is("compression.type", UNREADABLE_CODEC) {
        let why = "what is compressed so is not read here";
        return Err(refusal("compression.type", "producer", why));
    }
    Ok(())
}

/// What may lose acknowledged records, or refuse some, when something else goes wrong.
fn risks(settings: &Settings, replicas: usize) -> Vec<String> {
    let number = |setting: &str| settings.get(setting)?.parse::<usize>().ok();
    let mut risks = Vec::new();
    if replicas >= MANY_REPLICAS
        && let Some(enough @ ..2) = number("min.insync.replicas")
    {
        risks.push(format!(
            "min.insync.replicas={enough}: while others are behind, one broker alone acknowledges \
             votes, and they are lost with it; set it to 2"
        ));
    }
    let unclean = "unclean.leader.election.enable";
    if settings.get(unclean).is_some_and(|value| value == "true") {
        risks.push(format!(
            "{unclean}=true: a replica that lacks acknowledged votes may become the leader, and they \
             are lost; set it to false"
        ));
    }
    if let Some(bytes) = number("max.message.bytes")
        && bytes < MAX_BYTES
    {
        risks.push(format!(
            "max.message.bytes={bytes}: a record has up to {MAX_BYTES} bytes, and the largest are \
             refused; set it to its default, 1048588"
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
    fn what_loses_records_is_refused_and_the_way_out_is_named() {
        for (setting, value, way_out) in [
            ("cleanup.policy", "compact", "cleanup.policy=delete"),
            ("cleanup.policy", "delete,compact", "cleanup.policy=delete"),
            ("compression.type", "zstd", "compression.type=producer"),
        ] {
            let refused = refuse("votes", &set(&[(setting, value)])).expect_err(value);
            let told = refused.to_string();
            assert!(told.contains(way_out) && told.contains("votes"), "{told}");
        }
        let sound = [("cleanup.policy", "delete"), ("compression.type", "lz4")];
        refuse("votes", &set(&sound)).expect("nothing is lost");
    }

    #[test]
    fn what_may_lose_records_is_named() {
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
