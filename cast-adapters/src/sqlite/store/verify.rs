//! Checks the store against itself.

use cast_core::domain::{Offset, Partition};
use diesel::{QueryDsl as _, RunQueryDsl as _, SqliteConnection};

use super::{read, schema::candidates};
use crate::sqlite::{damage::Damage, error::Error};

/// What a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::sqlite) struct StoreContents {
    pub(in crate::sqlite) ballots: u64,
    pub(in crate::sqlite) votes: u64,
    /// The offset up to which each partition was folded.
    pub(in crate::sqlite) progress: Vec<(Partition, Offset)>,
}

/// Counts all ballots again, and notes each total that differs.
pub(in crate::sqlite) fn verify(
    connection: &mut SqliteConnection,
    damage: &mut Damage,
) -> Result<StoreContents, Error> {
    let recount = read::recount(connection)?;
    for count in &recount.counts {
        if count.votes != count.total {
            damage.note(format!(
                "votes.db: the total of candidate {:?} in partition {} is {}, and its ballots have {}",
                count.candidate.as_str(),
                count.partition.get(),
                count.total,
                count.votes
            ));
        }
    }
    let votes = recount.votes();
    let sums: Vec<(String, i64)> = candidates::table
        .select((candidates::username, candidates::votes))
        .load(connection)?;
    for (name, sum) in sums {
        let counted = votes
            .iter()
            .find(|(candidate, _)| candidate.as_str() == name);
        let counted = counted.map_or(0, |(_, votes)| *votes);
        if i64::try_from(counted).unwrap_or(i64::MAX) != sum {
            damage.note(format!(
                "votes.db: the sum of candidate {name:?} is {sum}, and its ballots have {counted}"
            ));
        }
    }
    Ok(StoreContents {
        ballots: read::counted(connection)?,
        votes: votes
            .iter()
            .fold(0, |sum, (_, votes)| sum.saturating_add(*votes)),
        progress: recount.progress,
    })
}
