//! The newest record of a topic: how many partitions there were when it was written.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use cast_core::domain::{Partition, Partitions};
use rdkafka::{
    Message, Offset as KafkaOffset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    types::RDKafkaErrorCode,
};

use super::{
    blocking,
    cluster::{Ends, number, partition},
    context::Quiet,
    error::Error,
    options::KafkaOptions,
};
use crate::record;

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
    let mut awaited: BTreeSet<_> = elements
        .iter()
        .filter_map(|element| partition(element.partition()))
        .collect();
    let mut newest = None;
    let turns = options.request_timeout.as_millis() / TURN.as_millis() + 1;
    for _ in 0..turns {
        while let Some(polled) = client.poll(TURN) {
            let read = match polled {
                Ok(message) => {
                    let written_for = record::decode(message.payload().unwrap_or_default())
                        .ok()
                        .and_then(|record| record.partitions);
                    newest = newest.max(written_for.map(|count| {
                        (message.timestamp().to_millis(), count.count())
                    }));
                    message.partition()
                }
                Err(KafkaError::PartitionEOF(at)) => at,
                // Gone meanwhile, or a broker is away for a moment: the other partitions may do.
                Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) => {
                    break;
                }
                Err(_) => continue,
            };
            awaited.extract_if(.., |at| number(*at) == read).for_each(drop);
            if awaited.is_empty() {
                return Ok(newest.and_then(|(_, count)| Partitions::new(count)));
            }
        }
    }
    Err(Error::TimedOut)
}
