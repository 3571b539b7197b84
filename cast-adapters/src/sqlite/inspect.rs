//! Looks at everything in a folder: what is damaged, and what it holds.

use std::{error::Error as _, path::Path};

use cast_core::domain::{Offset, Partition};
use diesel::{
    QueryResult, RunQueryDsl as _, SqliteConnection, connection::SimpleConnection as _, dsl::sql,
    sql_types::Text,
};

use super::{
    damage::Damage,
    dir::{self, DataDirError},
    error::Error,
    file, folder as names,
    log::{self, LogContents},
    store::{self, StoreContents},
};
use crate::groups::Span;

/// What was found in a folder.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Each partition of the log.
    pub partitions: Vec<PartitionFindings>,
    /// Records of the log that are as they were written.
    pub records: u64,
    /// Their ballots; one that was sent again may be among them more than once.
    pub ballots_in_log: u64,
    /// Records that are as they were written, and cannot be decoded.
    pub undecodable: u64,
    /// The ballots that the store counted.
    pub counted: u64,
    /// Their votes.
    pub votes: u64,
    /// The first sentences about damage.
    pub damage: Vec<String>,
    /// How many such sentences there are.
    pub damage_count: u64,
    /// What to do about the damage; empty if there is none.
    pub advice: Vec<String>,
}

/// A partition of the log, and of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionFindings {
    /// The partition.
    pub partition: Partition,
    /// The first record that the log has.
    pub start: Offset,
    /// The offset after its last one.
    pub end: Offset,
    /// The offset up to which the store has folded it.
    pub progress: Offset,
}

/// Reads both files of a folder from their beginning to their end. A server may be running on it; what it
/// writes meanwhile is not seen. It blocks.
///
/// # Errors
///
/// If the folder is no data folder. A damaged file is no error.
pub fn inspect(folder: &Path) -> Result<Findings, DataDirError> {
    dir::require_marked(folder)?;
    let _kept = dir::keep(folder)?;
    Ok(look_at(folder))
}

/// Reads both files, whether the folder is marked or not.
pub(super) fn look_at(folder: &Path) -> Findings {
    let (mut of_log, mut of_store) = (Damage::default(), Damage::default());
    // The store first: the log then has all that the store has.
    let votes = examine(folder, names::VOTES, &mut of_store, store::verify);
    let log = examine(folder, names::LOG, &mut of_log, log::verify);
    let (contents, spans) = log.unwrap_or_default();
    let votes = votes.unwrap_or_default();
    let partitions: Vec<_> = spans.iter().map(|span| partition(span, &votes)).collect();
    for one in &partitions {
        if one.progress > one.end {
            of_log.note(format!(
                "log.db, partition {}: it ends at offset {}, and the store has folded it up to {}: the \
                 log has lost its end",
                one.partition.get(),
                one.end.get(),
                one.progress.get()
            ));
        }
        if one.progress < one.start {
            of_store.note(format!(
                "votes.db, partition {}: the store has folded the log up to offset {}, and the log has \
                 lost the records before {}",
                one.partition.get(),
                one.progress.get(),
                one.start.get()
            ));
        }
    }
    findings(partitions, contents, &votes, of_log, of_store)
}

fn partition(span: &Span, votes: &StoreContents) -> PartitionFindings {
    let of = votes
        .progress
        .iter()
        .find(|(one, _)| *one == span.partition);
    PartitionFindings {
        partition: span.partition,
        start: Offset::new(span.start),
        end: Offset::new(span.end),
        progress: of.map_or(Offset::START, |(_, next)| *next),
    }
}

fn findings(
    partitions: Vec<PartitionFindings>,
    contents: LogContents,
    votes: &StoreContents,
    of_log: Damage,
    of_store: Damage,
) -> Findings {
    let mut advice = Vec::new();
    if of_log.count > 0 {
        advice.push(format!(
            "log.db is damaged: restore the newest backup. votes.db has {} counted ballots, which \
             `cast-server export` writes: what a backup does not have can be compared with them",
            votes.ballots
        ));
    }
    if of_store.count > 0 && of_log.count == 0 {
        advice.push(if partitions.iter().all(|one| one.start == Offset::START) {
            "votes.db is damaged, and the log has everything: stop the server, delete votes.db, \
             votes.db-wal and votes.db-shm, and start it again. It folds the log from its beginning"
                .into()
        } else {
            let reach = partitions.iter().map(|one| {
                format!(
                    "partition {} from offset {}",
                    one.partition.get(),
                    one.start.get()
                )
            });
            format!(
                "votes.db is damaged, and the log begins late ({}): restore the newest backup",
                reach.collect::<Vec<_>>().join(", ")
            )
        });
    }
    let damage_count = of_log.count + of_store.count;
    let mut damage = of_log.first;
    damage.extend(of_store.first);
    Findings {
        partitions,
        records: contents.records,
        ballots_in_log: contents.ballots,
        undecodable: contents.undecodable,
        counted: votes.ballots,
        votes: votes.votes,
        damage,
        damage_count,
        advice,
    }
}

/// Checks the pages of a file, and then its contents. What SQLite cannot read is damage.
fn examine<T>(
    folder: &Path,
    name: &str,
    damage: &mut Damage,
    verify: impl FnOnce(&mut SqliteConnection, &mut Damage) -> Result<T, Error>,
) -> Option<T> {
    let path = folder.join(name);
    let mut connection = match file::connect_to(&path) {
        Ok(connection) => connection,
        Err(error) => {
            damage.note(error.to_string());
            return None;
        }
    };
    let look = || {
        connection.batch_execute("PRAGMA query_only = ON; BEGIN")?;
        let pages: QueryResult<Vec<String>> =
            sql::<Text>("PRAGMA integrity_check(20)").get_results(&mut connection);
        for page in pages?.into_iter().filter(|page| page != "ok") {
            damage.note(format!("{name}: {page}"));
        }
        verify(&mut connection, damage)
    };
    match look() {
        Ok(found) => Some(found),
        Err(error) => {
            let cause = error.source().map(|cause| format!(": {cause}"));
            damage.note(format!("{name}: {error}{}", cause.unwrap_or_default()));
            None
        }
    }
}
