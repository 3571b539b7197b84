//! The log in a file: many who append to it, and damage where no component reads.

mod sqlite;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use cast_core::{
    domain::{LogPosition, Offset, Partition, Record},
    ports::{EventBus, GroupName, ResumeFrom},
};
use cast_testkit::{
    contract::event_bus::EventBusHarness as _,
    dropped_after, eventually,
    fixtures::{Fixtures, Progress},
    within,
};
use diesel::connection::SimpleConnection as _;
use sqlite::{Folder, PARTITIONS, connect, folder, open};

const DEADLINE: Duration = Duration::from_secs(20);
const P0: Partition = Partition::new(0);

async fn publish(bus: &dyn EventBus, record: Record) -> LogPosition {
    let published = bus.publish(&[record]).await.remove(0);
    published.expect("acknowledged").position.expect("known")
}

async fn filled(records: usize) -> Folder {
    let folder = folder();
    let (bus, fixtures) = (folder.data.bus(), Fixtures::new());
    for _ in 0..records {
        publish(&bus, fixtures.record(P0, PARTITIONS, 2)).await;
    }
    folder
}

#[tokio::test]
async fn damage_is_found_where_no_component_reads() {
    let whole = filled(5).await;
    let bus = whole.data.bus();
    let read = eventually(DEADLINE, "the log to be read", async || {
        (bus.scrubbed().passes > 0).then_some(())
    });
    read.await;
    assert_eq!(bus.scrubbed().damage, None);
    drop(bus);

    let Folder { path, data, .. } = whole;
    within(DEADLINE, "the folder to be closed", data.close()).await;
    let statement = "UPDATE records SET bytes = x'00' WHERE position = 2";
    connect(&path, "log.db")
        .batch_execute(statement)
        .expect("changed");
    let data = open(&path);
    let bus = data.bus();
    let damage = eventually(DEADLINE, "the damage to be found", async || {
        bus.scrubbed().damage
    });
    let damage = damage.await;
    assert!(damage.contains("log.db, partition 0, offset 2"), "{damage}");
    // Votes are still taken.
    let fixtures = Fixtures::new();
    let position = publish(&bus, fixtures.record(P0, PARTITIONS, 1)).await;
    assert_eq!(position.offset, Offset::new(5));
}

#[tokio::test]
async fn no_thread_of_the_runtime_waits_for_the_disk() {
    let folder = filled(1).await;
    folder.obstruct(true).await.expect("obstructed");
    let (bus, fixtures) = (folder.data.bus(), Fixtures::new());
    // The one thread of this runtime is free to end what the writer waits for.
    let (position, freed) = tokio::join!(
        publish(&bus, fixtures.record(P0, PARTITIONS, 1)),
        folder.obstruct(false)
    );
    freed.expect("freed");
    assert_eq!(position.offset, Offset::new(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_appends_at_the_same_time_gets_an_offset_each_without_gaps() {
    const WRITERS: usize = 16;
    const RECORDS: usize = 25;
    let folder = folder();
    let write = |writer: usize| {
        let bus = folder.data.bus();
        async move {
            let fixtures = Fixtures::new();
            let mut acknowledged = Vec::new();
            for at in 0..RECORDS {
                let record = fixtures.record(P0, PARTITIONS, 1 + at % 3);
                if (writer + at).is_multiple_of(4) {
                    // It is appended all the same, or not at all.
                    dropped_after(1, bus.publish(std::slice::from_ref(&record))).await;
                } else {
                    let ballots = Arc::clone(record.ballots());
                    acknowledged.push((publish(&bus, record).await.offset, ballots));
                }
            }
            acknowledged
        }
    };
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(writer)))
        .collect();
    let mut acknowledged = Vec::new();
    for writer in writers {
        let appended = writer.await.expect("it ends");
        assert!(appended.is_sorted_by_key(|(offset, _)| *offset));
        acknowledged.extend(appended);
    }
    let offsets: BTreeSet<_> = acknowledged.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets.len(), acknowledged.len(), "two have the same");

    let Folder { path, data, .. } = folder;
    within(DEADLINE, "the folder to be closed", data.close()).await;
    let data = open(&path);
    let read = read_all(&data.bus()).await;
    assert!(read.len() >= acknowledged.len(), "{} are there", read.len());
    for (offset, ballots) in acknowledged {
        let at = usize::try_from(offset.get()).expect("an index");
        assert_eq!(read[at], ballots);
    }
}

/// The ballots of each record of the first partition.
async fn read_all(bus: &dyn EventBus) -> Vec<Arc<[cast_core::domain::LoggedBallot]>> {
    let group = GroupName::new("reading");
    let lag = bus.lag(&group).await.expect("answered");
    let resume = Arc::new(Progress::at_start()) as Arc<dyn ResumeFrom>;
    let mut log = bus.subscribe(&group, 100, resume).await.expect("joined");
    let mut read = Vec::new();
    while (read.len() as u64) < lag[0].end.get() {
        let batch = within(DEADLINE, "a batch", log.next())
            .await
            .expect("a batch");
        assert_eq!(batch.start.get(), read.len() as u64);
        let entries = batch.entries.into_iter();
        read.extend(entries.map(|entry| entry.content.expect("readable")));
    }
    read
}
