//! The reading thread of a member: the only one that touches its client.

use std::{sync::Arc, thread, time::Duration};

use cast_core::domain::{Clock as _, LogEntry};
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
        error::Error,
        numbers::{offset, partition},
        options::KafkaOptions,
        read_error,
    },
    assignments::Assignments,
    context::MemberContext,
    partition::{BufferSize, PrefetchedRecord},
};
use crate::{record, system::SystemClock};

const READING: &str = "reading the log";

/// How long the thread sleeps at most. The client and the subscription wake it; the timeout is for
/// commits, for a wake-up that was missed, and because the group expects a poll.
const PARK_TIMEOUT: Duration = Duration::from_millis(100);

/// The most polls before the thread does its other work.
const MAX_POLLS: usize = 256;

/// Reads for one member, from its joining the group to its leaving.
pub(super) struct Reader {
    client: BaseConsumer<MemberContext>,
    topic: String,
    assignments: Arc<Assignments>,
    /// Whether the partitions are paused because the prefetch buffer is full.
    is_paused: bool,
    /// When it last committed, by the monotonic clock.
    committed_at: Duration,
}

/// Starts the reading thread. It joins the group, and leaves it when the assignments are closed; then it
/// sends a message.
pub(super) fn start(
    options: &KafkaOptions,
    group: &str,
    assignments: Arc<Assignments>,
    left: oneshot::Sender<()>,
) -> Result<(), Error> {
    let member = MemberContext::new(options.topic.clone(), Arc::clone(&assignments));
    let config = options.consumer(group);
    let client: BaseConsumer<MemberContext> =
        config.create_with_context(member).map_err(Error::Client)?;
    client.subscribe(&[&options.topic]).map_err(Error::Read)?;
    let reader = Reader {
        client,
        topic: options.topic.clone(),
        assignments,
        is_paused: false,
        committed_at: Duration::ZERO,
    };
    blocking::detach("kafka-reader", move || {
        reader.run();
        // It fails if the subscription has stopped waiting.
        let _ = left.send(());
    })
    .map_err(|error| Error::Client(KafkaError::ClientCreation(error.to_string())))
}

impl Reader {
    fn run(mut self) {
        let this_thread = thread::current();
        self.assignments.begin(this_thread.clone());
        self.client
            .set_nonempty_callback(move || this_thread.unpark());
        while !self.assignments.is_closing() {
            self.begin();
            self.pace();
            let has_more = self.read();
            self.commit();
            if !has_more {
                thread::park_timeout(PARK_TIMEOUT);
            }
        }
        let last = self.assignments.to_commit();
        self.client.context().commit(&self.client, last);
        // Dropping the client leaves the group and waits for that, which may take long; so it happens on
        // this thread.
    }

    /// Starts to read the partitions whose positions have become known.
    fn begin(&self) {
        for (partition, at) in self.assignments.take_read_starts() {
            let member = self.client.context();
            let here = member.list([(partition, at)]);
            // After a seek the client must stop first: with that it discards the records of the partition
            // that it has buffered.
            if member.started.lock().remove(&partition) {
                self.log_failure(
                    self.client.incremental_unassign(&here),
                    "could not stop reading a partition",
                );
            }
            match self.client.incremental_assign(&here) {
                Ok(()) => drop(member.started.lock().insert(partition)),
                Err(error) => self.fail(Error::Read(error)),
            }
            // The client keeps the paused state of a partition while it does not read it.
            self.pause_or_resume(&here);
        }
    }

    /// Pauses the partitions while the prefetch buffer is full. The thread keeps polling, so that the
    /// member stays in its group and takes part in rebalances.
    fn pace(&mut self) {
        let should_pause = if self.is_paused {
            !self.assignments.has_room()
        } else {
            self.assignments.is_full()
        };
        if should_pause == self.is_paused {
            return;
        }
        self.is_paused = should_pause;
        let member = self.client.context();
        let all = member.list_of(member.started.lock().iter().copied());
        self.pause_or_resume(&all);
    }

    /// Pauses these partitions or resumes them, as `is_paused` says. The client resumes after the
    /// last record that it returned.
    fn pause_or_resume(&self, partitions: &TopicPartitionList) {
        let done = if self.is_paused {
            self.client.pause(partitions)
        } else {
            self.client.resume(partitions)
        };
        self.log_failure(done, "could not pause or resume partitions");
    }

    /// Takes records from the client while there is room, up to a limit, so that the thread gets to its
    /// other work. Returns whether there may be more.
    fn read(&mut self) -> bool {
        for _ in 0..MAX_POLLS {
            let events = self.client.context().events();
            match self.client.poll(Duration::ZERO) {
                Some(Ok(message)) => {
                    self.take_in(&message);
                    drop(message);
                    self.pace();
                }
                Some(Err(error)) => self.take_error(&error),
                // `poll` returns `None` both after a callback and if there is no record. Without a
                // callback there is none, and the next record wakes this thread.
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
        let size = BufferSize {
            bytes: bytes.len(),
            ballots: content.as_ref().map_or(1, |ballots| ballots.len()),
        };
        let entry = LogEntry { offset, content };
        let record = PrefetchedRecord { entry, size };
        let pushed = self.assignments.push(partition, record);
        if let Err(fingerprint) = pushed {
            self.fail(Error::LogMismatch {
                partition,
                fingerprint,
            });
        }
    }

    fn take_error(&self, error: &KafkaError) {
        if let Some(why) = read_error::classify(error, self.client.context().last_reason()) {
            self.fail(why);
        } else {
            tracing::debug!(target: "kafka", %error, "the client recovers by itself");
        }
    }

    /// Ends the reading with an error. The client stops too: its further records would be dropped, and it
    /// would report the same error again and again until the store has returned the positions.
    fn fail(&self, why: Error) {
        let member = self.client.context();
        let all = std::mem::take(&mut *member.started.lock());
        let all = member.list_of(all);
        if all.count() > 0 {
            self.log_failure(
                self.client.incremental_unassign(&all),
                "could not stop reading the partitions",
            );
        }
        self.assignments.fail(why.with_operation(READING));
    }

    /// Commits the noted offsets, at most once per [`PARK_TIMEOUT`].
    fn commit(&mut self) {
        let now = SystemClock.monotonic();
        if now.saturating_sub(self.committed_at) >= PARK_TIMEOUT {
            self.committed_at = now;
            let offsets = self.assignments.to_commit();
            self.client.context().commit(&self.client, offsets);
        }
    }

    /// Logs a failure that needs no handling: it happens when the partition is about to be revoked.
    fn log_failure(&self, result: KafkaResult<()>, what: &str) {
        if let Err(error) = result {
            tracing::debug!(target: "kafka", %error, topic = self.topic, "{what}");
        }
    }
}

/// Reports the end of the thread to the subscription, also after a panic.
impl Drop for Reader {
    fn drop(&mut self) {
        self.assignments
            .end(Error::ReaderDied.with_operation(READING));
    }
}
