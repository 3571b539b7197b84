//! Narrowing a record down to the ballots that the store cannot hold.

use crate::{
    domain::{FoldStep, Placed, Rejection},
    ports::{PortError, PortErrorKind, VoteStore},
};

/// Turns those ballots of a step that the store cannot hold into rejections with their reason, by
/// bisection. Everything in it is a rehearsal: nothing is written.
///
/// For `m` ballots of which `k` cannot be held it takes about `k * log2(m)` rehearsals.
pub(super) async fn without_unholdable(
    store: &dyn VoteStore,
    step: FoldStep,
) -> Result<FoldStep, PortError> {
    let mut narrowed = FoldStep {
        ballots: Vec::new(),
        ..step
    };
    // Slices still to be admitted, the first on top: ballots keep the log's order, because the
    // first of two with the same id wins.
    let mut waiting = vec![step.ballots];
    while let Some(mut ballots) = waiting.pop() {
        let Err(error) = rehearse_with(store, &mut narrowed, &ballots).await else {
            narrowed.ballots.append(&mut ballots);
            continue;
        };
        if error.kind() != PortErrorKind::Corrupt {
            return Err(error);
        }
        if ballots.len() > 1 {
            let second = ballots.split_off(ballots.len() / 2);
            waiting.extend([second, ballots]);
        } else {
            let reason = error.chain();
            let rejected = ballots.into_iter();
            narrowed
                .rejections
                .extend(rejected.map(|placed| Rejection::Ballot {
                    placed,
                    reason: reason.clone(),
                }));
        }
    }
    Ok(narrowed)
}

/// Whether the store can hold what was admitted so far together with `more`: ballots may be fine
/// each for itself and too many together.
async fn rehearse_with(
    store: &dyn VoteStore,
    admitted: &mut FoldStep,
    more: &[Placed],
) -> Result<(), PortError> {
    let before = admitted.ballots.len();
    admitted.ballots.extend_from_slice(more);
    let result = store.rehearse(admitted).await;
    admitted.ballots.truncate(before);
    result
}
