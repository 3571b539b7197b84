//! Whether the target has what was moved, and nothing else.

use std::collections::BTreeMap;

use super::{
    compare::is_counted_as,
    error::TransferError,
    origin::NumberedBallot,
    run::{Stage, Transfer, TransferReport},
};
use crate::{
    domain::{BallotId, Candidate, sum_votes},
    ports::{Operation, PortError, Recount},
};

impl Transfer {
    pub(super) async fn verify(
        &self,
        watch: &(dyn Fn(Stage) + Sync),
    ) -> Result<TransferReport, TransferError> {
        let mut votes: BTreeMap<Candidate, u64> = BTreeMap::new();
        let (mut after, mut verified) = (0, 0);
        loop {
            let page = self.origin.ballots(after, self.settings.max_rows).await?;
            let Some(last) = page.last() else {
                break;
            };
            after = last.number;
            self.verify_page(&page).await?;
            verified += u64::try_from(page.len()).unwrap_or(u64::MAX);
            watch(Stage::Verified(verified));
            for (candidate, more) in sum_votes(page.iter().map(|numbered| &numbered.ballot)) {
                let sum = votes.entry(candidate).or_default();
                *sum = sum.saturating_add(more);
            }
        }
        compare_votes(&votes, &self.recount().await?)?;
        Ok(TransferReport {
            ballots: verified,
            candidates: u64::try_from(votes.len()).unwrap_or(u64::MAX),
            votes: votes
                .values()
                .fold(0, |sum, more| sum.saturating_add(*more)),
            rejections: 0,
        })
    }

    async fn verify_page(&self, page: &[NumberedBallot]) -> Result<(), TransferError> {
        let mut ballots: Vec<_> = page.iter().map(|numbered| &numbered.ballot).collect();
        ballots.sort_by_key(|ballot| ballot.id);
        let ids: Vec<BallotId> = ballots.iter().map(|ballot| ballot.id).collect();
        let stored = self.target.store.stored_ballots(&ids);
        let limit = self.settings.deadline;
        let stored = self.target.within(limit, Operation::StoredBallots, stored);
        for (ballot, stored) in ballots.iter().zip(stored.await?) {
            if !is_counted_as(stored.as_ref(), ballot) {
                let id = ballot.id;
                let how = match stored {
                    None => "is missing there",
                    Some(_) => "is not counted there as it is here",
                };
                return Err(TransferError::Differs(format!("the ballot {id} {how}")));
            }
        }
        Ok(())
    }

    async fn recount(&self) -> Result<Recount, PortError> {
        let limit = self.settings.recount_deadline;
        let recount = self.target.store.recount();
        self.target.within(limit, Operation::Recount, recount).await
    }
}

/// The target has each of the ballots. Had it others, some candidate would have more votes.
fn compare_votes(moved: &BTreeMap<Candidate, u64>, recount: &Recount) -> Result<(), TransferError> {
    let mut totals: BTreeMap<&Candidate, u64> = BTreeMap::new();
    for count in &recount.counts {
        let total = totals.entry(&count.candidate).or_default();
        *total = total.saturating_add(count.total);
    }
    let found = recount.votes();
    let found: BTreeMap<&Candidate, u64> = found.iter().map(|(who, votes)| (who, *votes)).collect();
    let of = |votes: &BTreeMap<&Candidate, u64>, candidate| {
        votes.get(candidate).copied().unwrap_or_default()
    };
    for candidate in moved
        .keys()
        .chain(found.keys().copied())
        .chain(totals.keys().copied())
    {
        let expected = moved.get(candidate).copied().unwrap_or_default();
        for votes in [of(&found, candidate), of(&totals, candidate)] {
            if votes != expected {
                return Err(Transfer::differs(candidate, expected, votes));
            }
        }
    }
    Ok(())
}
