//! What is in the log, read by `docs/record.md` and by nothing of the code that wrote it.

use std::{collections::BTreeMap, time::Duration};

use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
};
use uuid::Uuid;

use crate::stack::{PARTITIONS, Stack};

/// How long the broker may take for an answer.
const DEADLINE: Duration = Duration::from_secs(30);

/// All that is in the log.
#[derive(Debug, Default)]
pub(crate) struct Logged {
    /// By partition, in their order there.
    pub(crate) ballots: Vec<LoggedBallot>,
    /// By partition: the offset behind the last record.
    pub(crate) ends: BTreeMap<u32, u64>,
    /// How many records are no records.
    pub(crate) unreadable: usize,
}

/// A ballot in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoggedBallot {
    pub(crate) partition: u32,
    pub(crate) offset: u64,
    pub(crate) id: Uuid,
    pub(crate) voter: String,
    pub(crate) selections: Vec<(String, u64)>,
}

impl Logged {
    /// What is in a stack's log now.
    pub(crate) async fn read(stack: &Stack) -> Self {
        let (brokers, topic) = (stack.kafka.brokers().to_owned(), stack.topic().to_owned());
        let reading = tokio::task::spawn_blocking(move || read(&brokers, &topic));
        reading.await.expect("the log can be read")
    }
}

fn read(brokers: &str, topic: &str) -> Logged {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "checker of the stack tests")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .create()
        .unwrap();
    let mut all = Logged::default();
    let mut places = TopicPartitionList::new();
    for partition in 0..i32::from(PARTITIONS) {
        let (start, end) = consumer
            .fetch_watermarks(topic, partition, DEADLINE)
            .unwrap();
        all.ends.insert(number(partition), offset(end));
        if start < end {
            let place = places.add_partition_offset(topic, partition, Offset::Offset(start));
            place.unwrap();
        }
    }
    consumer.assign(&places).unwrap();
    let mut unread = places.count();
    while unread > 0 {
        let message = consumer.poll(DEADLINE).expect("the log goes on").unwrap();
        let (partition, at) = (number(message.partition()), offset(message.offset()));
        match ballots(message.payload().unwrap_or_default(), partition, at) {
            Some(ballots) => all.ballots.extend(ballots),
            None => all.unreadable += 1,
        }
        unread -= usize::from(at + 1 == all.ends[&partition]);
    }
    all.ballots
        .sort_by_key(|ballot| (ballot.partition, ballot.offset));
    all
}

fn number(partition: i32) -> u32 {
    partition.try_into().expect("partitions are counted from 0")
}

fn offset(offset: i64) -> u64 {
    offset.try_into().expect("offsets are counted from 0")
}

/// The ballots of a record; `None` if it is none of version 1.
fn ballots(record: &[u8], partition: u32, offset: u64) -> Option<Vec<LoggedBallot>> {
    let fields = fields(record)?;
    let version = fields.iter().find(|(number, _)| *number == 1)?;
    let ballots = fields.iter().filter(|(number, _)| *number == 3);
    let ballots = ballots.map(|(_, field)| {
        let mut ballot = ballot(field.bytes()?)?;
        (ballot.partition, ballot.offset) = (partition, offset);
        Some(ballot)
    });
    matches!(version.1, Field::Number(1)).then(|| ballots.collect())?
}

/// A ballot, wherever it is.
fn ballot(bytes: &[u8]) -> Option<LoggedBallot> {
    let (mut id, mut voter, mut selections) = (None, String::new(), Vec::new());
    for (number, field) in fields(bytes)? {
        match number {
            1 => id = Uuid::from_slice(field.bytes()?).ok(),
            4 => voter = field.text()?,
            5 => selections.push(selection(field.bytes()?)?),
            _ => {}
        }
    }
    Some(LoggedBallot {
        partition: 0,
        offset: 0,
        id: id?,
        voter,
        selections,
    })
}

fn selection(bytes: &[u8]) -> Option<(String, u64)> {
    let (mut candidate, mut votes) = (None, None);
    for (number, field) in fields(bytes)? {
        match (number, field) {
            (1, field) => candidate = Some(field.text()?),
            (2, Field::Number(count)) => votes = Some(count),
            _ => {}
        }
    }
    Some((candidate?, votes?))
}

/// A field of a message of Protobuf, of the two wire types that a record has.
#[derive(Clone, Copy)]
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    const fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Number(_) => None,
        }
    }

    fn text(self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }
}

fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, Field<'_>)>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut bytes)?),
            2 => {
                let length = varint(&mut bytes)?.try_into().ok()?;
                let (field, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                Field::Bytes(field)
            }
            _ => return None,
        };
        fields.push((tag >> 3, field));
    }
    Some(fields)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
