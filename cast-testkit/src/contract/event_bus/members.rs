//! Members of a group that read in the background, as consumers do.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use cast_core::{
    domain::{LogBatch, LogPosition, Offset, Partition},
    ports::{EventBus, GroupName, ResumeFrom, Subscription},
};
use parking_lot::Mutex;
use tokio::{sync::oneshot, task::JoinHandle};

use super::scenario::Scenario;
use crate::{
    fixtures::Progress,
    waiting::{eventually, within},
};

/// How many rounds a group must read in the same way to count as stable.
const STABLE_ROUNDS: usize = 3;

/// A group whose members read in the background.
pub(super) struct Group<'a> {
    scenario: &'a Scenario<'a>,
    name: GroupName,
    progress: Arc<Progress>,
    read: Arc<Mutex<Vec<Delivery>>>,
}

/// A record that was read: by whom, and which.
type Delivery = (usize, LogPosition);

/// What one member reads, until it is stopped.
pub(super) struct Member {
    stop: oneshot::Sender<Leave>,
    reading: JoinHandle<()>,
}

/// How a member leaves its group.
#[derive(Clone, Copy, Debug)]
pub(super) enum Leave {
    Closing,
    Dropping,
}

impl<'a> Group<'a> {
    pub(super) fn new(scenario: &'a Scenario<'a>) -> Self {
        Self {
            name: scenario.fixtures.group("shared"),
            scenario,
            progress: Arc::new(Progress::at_start()),
            read: Arc::default(),
        }
    }

    /// Adds a member with a handle of its own.
    pub(super) async fn join(&self, number: usize) -> Member {
        let bus: Arc<dyn EventBus> = self.scenario.harness.open().await;
        let resume = Arc::clone(&self.progress) as Arc<dyn ResumeFrom>;
        let subscription = bus.subscribe(&self.name, 100, resume).await;
        let subscription = subscription.expect("the log takes a member");
        let (stop, stopped) = oneshot::channel();
        let note = {
            let (progress, read) = (Arc::clone(&self.progress), Arc::clone(&self.read));
            move |batch: LogBatch| {
                progress.advance(&batch);
                let partition = batch.partition;
                let offsets = batch.entries.iter().map(|entry| entry.offset);
                let positions = offsets.map(|offset| LogPosition { partition, offset });
                read.lock()
                    .extend(positions.map(|position| (number, position)));
            }
        };
        let reading = tokio::spawn(read_until_stopped(subscription, stopped, note));
        Member { stop, reading }
    }

    /// Which members read `position`, once for each time.
    pub(super) fn readers_of(&self, position: LogPosition) -> Vec<usize> {
        let read = self.read.lock();
        let readers = read.iter().filter(|(_, there)| *there == position);
        readers.map(|(member, _)| *member).collect()
    }

    /// Publishes to all partitions until members read each of them, `members` of them in all, and
    /// do so in the same way for some rounds; who reads what.
    pub(super) async fn until_stable(&self, members: usize) -> BTreeMap<Partition, usize> {
        let mut history: Vec<(Vec<LogPosition>, BTreeMap<Partition, usize>)> = Vec::new();
        let patience = self.scenario.harness.patience();
        within(patience, "a group to share the partitions", async {
            loop {
                let (positions, owners) = self.round().await;
                let same = history.last().is_none_or(|(_, before)| *before == owners);
                let sharing = owners.values().collect::<BTreeSet<_>>().len() == members;
                // Each record once, those of the rounds before too: none may be read later.
                let once = |at: &LogPosition| self.readers_of(*at).len() == 1;
                let each_once = positions.iter().all(once)
                    && history
                        .iter()
                        .flat_map(|(positions, _)| positions)
                        .all(once);
                if !(same && sharing && each_once) {
                    history.clear();
                }
                history.push((positions, owners.clone()));
                if history.len() > STABLE_ROUNDS {
                    return owners;
                }
            }
        })
        .await
    }

    /// One record for each partition, and who read it first.
    async fn round(&self) -> (Vec<LogPosition>, BTreeMap<Partition, usize>) {
        let positions = self.scenario.publish(&self.scenario.records(1)).await;
        let patience = self.scenario.harness.patience();
        let owners = eventually(patience, "each record to be read", || async {
            let first = |at: &LogPosition| Some((at.partition, *self.readers_of(*at).first()?));
            positions.iter().map(first).collect::<Option<_>>()
        });
        let owners = owners.await;
        (positions, owners)
    }

    /// Forgets what was read of `partition`, and has it read from there when it changes hands.
    pub(super) fn rewind(&self, partition: Partition, to: Offset) {
        self.read
            .lock()
            .retain(|(_, position)| position.partition != partition);
        self.progress.set(partition, to);
    }
}

impl Member {
    /// Leaves the group.
    pub(super) async fn leave(self, how: Leave) {
        // A reader that died has dropped the other end; joining it tells why.
        let _ = self.stop.send(how);
        if let Err(died) = self.reading.await {
            std::panic::resume_unwind(died.into_panic());
        }
    }
}

async fn read_until_stopped(
    mut subscription: Box<dyn Subscription>,
    mut stopped: oneshot::Receiver<Leave>,
    note: impl Fn(LogBatch) + Send,
) {
    let how = loop {
        tokio::select! {
            biased;
            how = &mut stopped => break how.unwrap_or(Leave::Dropping),
            batch = subscription.next() => match batch {
                Ok(batch) => note(batch),
                Err(error) => panic!("a member reads: {}", error.chain()),
            },
        }
    };
    match how {
        Leave::Closing => subscription.close().await.expect("a member leaves"),
        Leave::Dropping => drop(subscription),
    }
}
