//! `ballot`: what became of a ballot.

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};
use cast_core::domain::{BallotId, Fate, LogPosition};

use super::{backend::Backend, error, long::Long};

#[derive(Default)]
pub(super) struct BallotQuery;

#[Object]
impl BallotQuery {
    /// What became of a ballot; null if neither the store nor this server has seen it.
    async fn ballot(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The `ballotId` that `vote` was sent or returned: a UUID.")] id: ID,
    ) -> Result<Option<Ballot>> {
        let ballot = parse_id("id", &id).map_err(error::of_input)?;
        let fate = Backend::of(ctx)
            .cast
            .ballot(ballot)
            .await
            .map_err(error::of_fault)?;
        Ok(fate.map(|fate| Ballot::of(ballot, fate)))
    }
}

/// A ballot that was sent.
#[derive(SimpleObject)]
// Its fields are there: to take them one after the other is cheaper than to wait for all of them.
#[graphql(serial)]
pub(super) struct Ballot {
    /// The ballot's id.
    id: ID,
    /// What became of it.
    fate: BallotFate,
    /// The partition of the log of votes that has it.
    partition: Long,
    /// The place in that partition of the record that has it.
    offset: Long,
    /// Why it was rejected; null unless it was.
    reason: Option<String>,
}

/// What became of a ballot.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
pub(super) enum BallotFate {
    /// The log has it for good; the store has yet to count it.
    Logged,
    /// The store has counted it.
    Counted,
    /// The store could not count it.
    Rejected,
}

impl Ballot {
    fn of(id: BallotId, fate: Fate) -> Self {
        let (fate, position, reason) = match fate {
            Fate::Logged(position) => (BallotFate::Logged, position, None),
            Fate::Counted(position) => (BallotFate::Counted, position, None),
            Fate::Rejected { position, reason } => (BallotFate::Rejected, position, Some(reason)),
        };
        let LogPosition { partition, offset } = position;
        Self {
            id: id.to_string().into(),
            fate,
            partition: Long(partition.get().into()),
            offset: Long(offset.get()),
            reason,
        }
    }
}

/// The ballot id that a client gives in the argument `field`; otherwise what is wrong with it.
pub(super) fn parse_id(field: &str, id: &ID) -> Result<BallotId, String> {
    id.parse()
        .map_err(|_| format!("{field} must be a UUID, and neither the nil nor the max one"))
}
