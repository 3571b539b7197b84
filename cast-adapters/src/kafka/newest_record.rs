//! Reads from the newest record of a topic how many partitions the topic had when it was written.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use cast_core::domain::{Clock as _, Partition, Partitions};
use rdkafka::{
    Message, Offset as KafkaOffset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    message::BorrowedMessage,
    topic_partition_list::TopicPartitionListElem,
};

use super::{
    blocking, cluster::Ends, context::LoggingContext, error::Error, numbers::number,
    options::KafkaOptions, read_error,
};
use crate::{record, system::SystemClock};

/// How long one poll waits for a record.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);

/// How many partitions the newest record was written for. `None` if there is no record, or it does not
/// say.
///
/// This detects a topic that grew under a running deployment, without any other state. The last record
/// of each partition is read, and the one with the latest timestamp counts.
pub(super) async fn partitions_when_written(
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
    // The client requires the name of a group; it joins none.
    let mut config = options.reader("cast-newest-record");
    // The last offset may be a transaction marker instead of a record: then the end is reported.
    config.set("enable.partition.eof", "true");
    let client: BaseConsumer<LoggingContext> = config
        .create_with_context(LoggingContext)
        .map_err(Error::Client)?;
    client.assign(last).map_err(Error::Ask)?;
    let elements = last.elements();
    let partitions = elements.iter().map(TopicPartitionListElem::partition);
    let mut awaited: BTreeSet<i32> = partitions.collect();
    let mut newest = None;
    let began = SystemClock.monotonic();
    while SystemClock.monotonic().saturating_sub(began) < options.request_timeout {
        let partition = match client.poll(POLL_TIMEOUT) {
            Some(Ok(message)) => {
                newest = newest.max(timed(&message));
                message.partition()
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => partition,
            Some(Err(error)) => match read_error::classify(&error, error.to_string()) {
                // It persists, and a consumer could not read the log either.
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

/// The timestamp of a record, and the number of partitions that it was written for.
fn timed(message: &BorrowedMessage<'_>) -> Option<(Option<i64>, u32)> {
    let record = record::decode(message.payload()?).ok()?;
    Some((message.timestamp().to_millis(), record.partitions?.count()))
}
