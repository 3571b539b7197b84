//! The reading thread of a member: the only one that touches its client.

use std::{sync::Arc, thread, time::Duration};

use cast_core::{
    domain::{LogEntry, Offset, Partition},
    ports::Clock as _,
};
use rdkafka::{
    Message, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, KafkaResult},
    message::BorrowedMessage,
};
use tokio::sync::oneshot;

use super::{
    super::{
        blocking,
        cluster::{offset, partition},
        error::Error,
        options::KafkaOptions,
        verdict,
    },
    held::{Ahead, Weight},
    holdings::{Begin, Holdings},
    member::Member,
};
use crate::{record, system::SystemClock};

const READING: &str = "reading the log";

/// How long the thread sleeps when nobody wakes it. Both the client and the subscription do; this is
/// for what they may have missed, for commits, and for the group, which wants a sign of life.
const NAP: Duration = Duration::from_millis(100);

/// How much is taken from the client in one go.
const BURST: usize = 256;

/// Reads for one member, from its joining the group to its leaving.
pub(super) struct Reader {
    client: BaseConsumer<Member>,
    topic: String,
    holdings: Arc<Holdings>,
    /// Whether the partitions are paused because too much was read ahead.
    is_paused: bool,
    /// When it last committed, by the monotonic clock.
    committed_at: Duration,
}

/// Starts the reading thread. It joins the group, and leaves it when the holdings are closed; the
/// receiver hears when it has.
pub(super) fn start(
    options: &KafkaOptions,
    group: &str,
    holdings: &Arc<Holdings>,
) -> Result<oneshot::Receiver<()>, Error> {
    let member = Member::new(options.topic.clone(), Arc::clone(holdings));
    let config = options.consumer(group);
    let client: BaseConsumer<Member> = config.create_with_context(member).map_err(Error::Client)?;
    client.subscribe(&[&options.topic]).map_err(Error::Read)?;
    let reader = Reader {
        client,
        topic: options.topic.clone(),
        holdings: Arc::clone(holdings),
        is_paused: false,
        committed_at: Duration::ZERO,
    };
    let (left, has_left) = oneshot::channel();
    blocking::leave("kafka-reader", move || {
        reader.run();
        // Nobody may be waiting any more.
        let _ = left.send(());
    })
    .map_err(|error| Error::Client(KafkaError::ClientCreation(error.to_string())))?;
    Ok(has_left)
}

impl Reader {
    fn run(mut self) {
        let _end = End(Arc::clone(&self.holdings));
        let this_thread = thread::current();
        self.holdings.begin(this_thread.clone());
        self.client
            .set_nonempty_callback(move || this_thread.unpark());
        while !self.holdings.is_closing() {
            self.begin();
            self.pace();
            let has_more = self.read();
            self.commit();
            if !has_more {
                thread::park_timeout(NAP);
            }
        }
        let last = self.holdings.to_commit();
        self.client.context().commit(&self.client, last);
        // Dropping the client leaves the group, and waits until that is done: here and nowhere else,
        // because it may take as long as the brokers do.
    }

    /// Begins to read where a place was told.
    fn begin(&self) {
        for Begin { partition, at } in self.holdings.to_begin() {
            let here = self.list([(partition, at)]);
            // What was being read of it, in a seek, ends first: with that, all of it that is still
            // on its way is outdated and never comes.
            let member = self.client.context();
            if member.has_stopped(partition) {
                self.told(
                    self.client.incremental_unassign(&here),
                    "stopping a partition",
                );
            }
            match self.client.incremental_assign(&here) {
                Ok(()) => member.has_started(partition),
                Err(error) => self.fail(Error::Read(error)),
            }
            // A pause belongs to the partition, and outlives its stopping.
            let paced = if self.is_paused {
                self.client.pause(&here)
            } else {
                self.client.resume(&here)
            };
            self.told(paced, "pacing a partition");
        }
    }

    /// Stops reading while enough was read ahead. The polling goes on: a group wants to know that
    /// its members live, and rebalances while they are busy.
    fn pace(&mut self) {
        let should_pause = if self.is_paused {
            !self.holdings.has_room()
        } else {
            self.holdings.is_full()
        };
        if should_pause == self.is_paused {
            return;
        }
        self.is_paused = should_pause;
        let all = self.client.context().started();
        // The client goes on where this thread is: behind the last record that it was given.
        let paced = if should_pause {
            self.client.pause(&all)
        } else {
            self.client.resume(&all)
        };
        self.told(paced, "pacing the reading");
    }

    /// Takes what the client has, as long as there is room for it. Returns whether there may be more:
    /// a log without an end must not keep this thread from everything else.
    fn read(&mut self) -> bool {
        for _ in 0..BURST {
            let events = self.client.context().events();
            match self.client.poll(Duration::ZERO) {
                Some(Ok(message)) => {
                    self.take_in(&message);
                    drop(message);
                    self.pace();
                }
                Some(Err(error)) => self.take_error(&error),
                // The client gives nothing for an event, as for nothing: only without an event there
                // is no more, and the next one will wake this thread.
                None if self.client.context().events() == events => return false,
                None => {}
            }
        }
        true
    }

    fn take_in(&self, message: &BorrowedMessage<'_>) {
        let (Some(partition), Some(offset)) =
            (partition(message.partition()), offset(message.offset()))
        else {
            return;
        };
        let bytes = message.payload().unwrap_or_default();
        let content = record::decode(bytes).map(|decoded| decoded.ballots);
        let weight = Weight {
            bytes: bytes.len(),
            ballots: content.as_ref().map_or(1, |ballots| ballots.len()),
        };
        let entry = LogEntry { offset, content };
        let pushed = self.holdings.push(partition, Ahead { entry, weight });
        if let Err(fingerprint) = pushed {
            self.fail(Error::AnotherLog {
                partition,
                fingerprint,
            });
        }
    }

    fn take_error(&self, error: &KafkaError) {
        if let Some(why) = verdict::of(error, self.client.context().last_reason()) {
            self.fail(why);
        } else {
            tracing::debug!(target: "kafka", %error, "reading goes on");
        }
    }

    /// Ends the reading. Whatever the client went on with would be taken in no more; and what it goes on
    /// failing at would be told over and over, sooner than a slow store says where to begin anew.
    fn fail(&self, why: Error) {
        let all = self.client.context().has_stopped_all();
        if all.count() > 0 {
            self.told(self.client.incremental_unassign(&all), "stopping all of it");
        }
        self.holdings.fail(why.while_(READING));
    }

    /// Commits what was noted, now and then: what gathers meanwhile becomes one commit.
    fn commit(&mut self) {
        let now = SystemClock.monotonic();
        if now.saturating_sub(self.committed_at) >= NAP {
            self.committed_at = now;
            let noted = self.holdings.to_commit();
            self.client.context().commit(&self.client, noted);
        }
    }

    fn list(&self, of: impl IntoIterator<Item = (Partition, Offset)>) -> TopicPartitionList {
        self.client.context().list(of)
    }

    /// Notes what failed and cannot be helped: the partition is about to be someone else's.
    fn told(&self, result: KafkaResult<()>, what: &str) {
        if let Err(error) = result {
            tracing::debug!(target: "kafka", %error, topic = self.topic, "{what}");
        }
    }
}

/// Tells the subscription when the thread ends, also by a panic.
struct End(Arc<Holdings>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.end(Error::ReaderDied.while_(READING));
    }
}
