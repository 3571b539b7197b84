//! Checks the store against itself.

use cast_core::domain::{Offset, Partition};
use diesel::SqliteConnection;

use super::read;
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
    for wrong in &recount.wrong_sums {
        damage.note(format!(
            "votes.db: the sum of candidate {:?} is {}, and its totals have {}",
            wrong.candidate.as_str(),
            wrong.sum,
            wrong.totals
        ));
    }
    Ok(StoreContents {
        ballots: read::counted(connection)?,
        votes: votes
            .iter()
            .fold(0, |sum, (_, votes)| sum.saturating_add(*votes)),
        progress: recount.progress,
    })
}
