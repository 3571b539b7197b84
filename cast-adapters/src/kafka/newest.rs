//! The newest record of a topic: how many partitions there were when it was written.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use cast_core::{
    domain::{Partition, Partitions},
    ports::Clock as _,
};
use rdkafka::{
    Message, Offset as KafkaOffset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    message::BorrowedMessage,
    topic_partition_list::TopicPartitionListElem,
};

use super::{
    blocking,
    cluster::{Ends, number},
    context::Quiet,
    error::Error,
    options::KafkaOptions,
    verdict,
};
use crate::{record, system::SystemClock};

/// One turn of waiting for an answer.
const TURN: Duration = Duration::from_millis(100);

/// How many partitions the newest record was written for. `None` if there is no record, or none
/// that says.
///
/// This is what tells a topic that grew under a running deployment, without anything else to be kept
/// anywhere. The last record of each partition is read, and the one with the latest time counts.
pub(super) async fn written_for(
    options: &Arc<KafkaOptions>,
    ends: &[Ends],
) -> Result<Option<Partitions>, Error> {
    let mut last = TopicPartitionList::new();
    for (at, ends) in (0..).map(Partition::new).zip(ends) {
        if ends.start < ends.end {
            let offset = i64::try_from(ends.end.get() - 1).unwrap_or(i64::MAX);
            last.add_partition_offset(&options.topic, number(at), KafkaOffset::Offset(offset))
                .map_err(Error::Ask)?;
        }
    }
    if last.count() == 0 {
        return Ok(None);
    }
    let options = Arc::clone(options);
    blocking::run(move || read_last(&options, &last)).await
}

fn read_last(
    options: &KafkaOptions,
    last: &TopicPartitionList,
) -> Result<Option<Partitions>, Error> {
    // A group is named because the client wants one; nothing joins it.
    let mut config = options.reader("cast-newest-record");
    // What is last may be no record of anybody's (a transaction's mark): then the end is told.
    config.set("enable.partition.eof", "true");
    let client: BaseConsumer<Quiet> = config.create_with_context(Quiet).map_err(Error::Client)?;
    client.assign(last).map_err(Error::Ask)?;
    let elements = last.elements();
    let partitions = elements.iter().map(TopicPartitionListElem::partition);
    let mut awaited: BTreeSet<i32> = partitions.collect();
    let mut newest = None;
    let began = SystemClock.monotonic();
    while SystemClock.monotonic().saturating_sub(began) < options.request_timeout {
        let partition = match client.poll(TURN) {
            Some(Ok(message)) => {
                newest = newest.max(timed(&message));
                message.partition()
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => partition,
            Some(Err(error)) => match verdict::of(&error, error.to_string()) {
                // It stays so, and whoever is to read the log cannot either.
                Some(why) if why.is_of_records() => return Err(why),
                // A broker may be away for a moment.
                _ => continue,
            },
            None => continue,
        };
        awaited.remove(&partition);
        if awaited.is_empty() {
            return Ok(newest.and_then(|(_, count)| Partitions::new(count)));
        }
    }
    Err(Error::TimedOut)
}

/// When a record was written, and for how many partitions.
fn timed(message: &BorrowedMessage<'_>) -> Option<(Option<i64>, u32)> {
    let record = record::decode(message.payload()?).ok()?;
    Some((message.timestamp().to_millis(), record.partitions?.count()))
}
