//! As much of Kafka's protocol as it takes to look after topics, in versions that brokers of 2.1 to
//! 4.1 speak. A driver would do, but the testkit shall not choose one for the adapters it tests.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

/// How long a broker may take to answer.
const DEADLINE: Duration = Duration::from_secs(5);

/// How long the broker itself may take for a change of topics.
const CHANGE_TIMEOUT_MS: i32 = 4_000;

const METADATA: (i16, i16) = (3, 2);
const CREATE_TOPICS: (i16, i16) = (19, 2);
const DELETE_TOPICS: (i16, i16) = (20, 1);
const CREATE_PARTITIONS: (i16, i16) = (37, 1);

/// What a broker knows of its cluster.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) cluster_id: String,
    pub(super) has_brokers: bool,
    pub(super) topics: Vec<TopicMetadata>,
}

/// A topic of the cluster.
#[derive(Debug)]
pub(super) struct TopicMetadata {
    pub(super) name: String,
    pub(super) internal: bool,
    /// How many partitions have a leader.
    pub(super) partitions_led: usize,
}

pub(super) fn metadata(broker: &str) -> io::Result<Metadata> {
    // No list of topics: all of them.
    let mut answer = call(broker, METADATA, |request| request.int(-1))?;
    let brokers = answer.list(|broker| {
        broker.int()?;
        broker.text()?;
        broker.int()?;
        broker.text()
    })?;
    let cluster_id = answer.text()?;
    answer.int()?; // the controller
    let topics = answer.list(|topic| {
        topic.short()?;
        let name = topic.text()?;
        let internal = topic.take::<1>()? != [0];
        let errors = topic.list(|partition| {
            let error = partition.short()?;
            for _ in ["partition", "leader"] {
                partition.int()?;
            }
            for _ in ["replicas", "in sync"] {
                partition.list(Answer::int)?;
            }
            Ok(error)
        })?;
        let partitions_led = errors.into_iter().filter(|error| *error == 0).count();
        Ok(TopicMetadata {
            name,
            internal,
            partitions_led,
        })
    })?;
    Ok(Metadata {
        cluster_id,
        has_brokers: !brokers.is_empty(),
        topics,
    })
}

pub(super) fn create_topic(broker: &str, topic: &str, partitions: i32) -> io::Result<()> {
    change(broker, CREATE_TOPICS, true, |request| {
        request.int(1).text(topic).int(partitions).short(1);
        request.int(0).int(0); // neither assignments nor settings
        request.int(CHANGE_TIMEOUT_MS).bytes(&[0])
    })
}

/// Gives a topic more partitions: so many in all.
pub(super) fn create_partitions(broker: &str, topic: &str, partitions: i32) -> io::Result<()> {
    change(broker, CREATE_PARTITIONS, true, |request| {
        request.int(1).text(topic).int(partitions).int(-1);
        request.int(CHANGE_TIMEOUT_MS).bytes(&[0])
    })
}

pub(super) fn delete_topic(broker: &str, topic: &str) -> io::Result<()> {
    change(broker, DELETE_TOPICS, false, |request| {
        request.int(1).text(topic).int(CHANGE_TIMEOUT_MS)
    })
}

/// Asks for changes; what became of them is the first error.
fn change(
    broker: &str,
    api: (i16, i16),
    has_messages: bool,
    body: impl FnOnce(&mut Request) -> &mut Request,
) -> io::Result<()> {
    let mut answer = call(broker, api, body)?;
    answer.int()?; // throttled for
    let errors = answer.list(|change| {
        let (topic, error) = (change.text()?, change.short()?);
        let message = if has_messages {
            change.text()?
        } else {
            String::new()
        };
        Ok((error != 0).then(|| format!("{topic}: error {error} {message}")))
    })?;
    match errors.into_iter().flatten().next() {
        Some(error) => Err(io::Error::other(error)),
        None => Ok(()),
    }
}

fn call(
    broker: &str,
    (api, version): (i16, i16),
    body: impl FnOnce(&mut Request) -> &mut Request,
) -> io::Result<Answer> {
    let mut request = Request(Vec::new());
    // The header: a number that comes back with the answer, and the client's name.
    body(
        request
            .short(api)
            .short(version)
            .int(1)
            .text("cast-testkit"),
    );

    let address = std::net::ToSocketAddrs::to_socket_addrs(broker)?.next();
    let address = address.ok_or_else(|| io::Error::other(format!("no address: {broker}")))?;
    let mut link = TcpStream::connect_timeout(&address, DEADLINE)?;
    link.set_read_timeout(Some(DEADLINE))?;
    link.set_nodelay(true)?;
    link.write_all(&Request(Vec::new()).sized(&request.0).0)?;

    let mut length = [0; 4];
    link.read_exact(&mut length)?;
    let length = u64::from(u32::from_be_bytes(length));
    let mut bytes = Vec::new();
    link.take(length).read_to_end(&mut bytes)?;
    let mut answer = Answer { bytes, read: 0 };
    answer.int()?; // the number
    Ok(answer)
}

struct Request(Vec<u8>);

impl Request {
    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend(bytes);
        self
    }

    fn short(&mut self, number: i16) -> &mut Self {
        self.bytes(&number.to_be_bytes())
    }

    fn int(&mut self, number: i32) -> &mut Self {
        self.bytes(&number.to_be_bytes())
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.short(i16::try_from(text.len()).expect("names are short"))
            .bytes(text.as_bytes())
    }

    fn sized(&mut self, bytes: &[u8]) -> &mut Self {
        self.int(i32::try_from(bytes.len()).expect("requests are small"))
            .bytes(bytes)
    }
}

struct Answer {
    bytes: Vec<u8>,
    read: usize,
}

impl Answer {
    fn slice(&mut self, length: usize) -> io::Result<&[u8]> {
        let slice = self.bytes.get(self.read..self.read + length);
        self.read += length;
        slice.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
    }

    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        Ok(self.slice(N)?.try_into().expect("as long as asked for"))
    }

    fn short(&mut self) -> io::Result<i16> {
        Ok(i16::from_be_bytes(self.take()?))
    }

    fn int(&mut self) -> io::Result<i32> {
        Ok(i32::from_be_bytes(self.take()?))
    }

    /// A text; none is an empty one.
    fn text(&mut self) -> io::Result<String> {
        let length = usize::try_from(self.short()?).unwrap_or(0);
        Ok(String::from_utf8_lossy(self.slice(length)?).into_owned())
    }

    fn list<T>(&mut self, mut one: impl FnMut(&mut Self) -> io::Result<T>) -> io::Result<Vec<T>> {
        (0..self.int()?).map(|_| one(self)).collect()
    }
}
