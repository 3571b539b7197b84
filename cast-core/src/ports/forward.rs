//! The signatures of the four ports, once more: from them come the forwarding traits and the
//! implementations of [`Intercepted`].

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    error::PortError,
    event_bus::{EventBus, GroupName, PartitionLag, Published, ResumeFrom, Subscription},
    intercept::{Call, DetachedCall, Intercepted, InterceptedSubscription, Interceptor},
    operation::Operation,
    ticket_source::TicketSource,
    vote_counter::{Checkpoint, PendingVotes, Reading, VoteCounter},
    vote_store::{Applied, Recount, StoredBallot, VoteStore},
};
use crate::domain::{
    AppliedTotal, BallotId, Candidate, Claim, CurrentTicket, Fate, FoldStep, GenuineTicket,
    Partition, Partitions, PeriodTicket, Progress, Record, Redemption, StoredTally, Tally,
    Timestamp,
};

macro_rules! first {
    ($first:expr $(, $other:expr)*) => {
        $first
    };
}

/// For one port: the trait whose methods forward to another implementation, and [`Intercepted`].
///
/// A row is `Operation = method(&by_reference: Type; by_value: Type) -> Reply, items`. A publish adds how
/// many `results` its reply has, a subscribe how its `reply` is intercepted in turn.
macro_rules! forward {
    (
        $(#[$doc:meta])*
        trait $forwarding:ident: $port:ident;
        $($operation:ident = $method:ident(
            $(&$lent:ident: $lent_type:ty),* $(; $($given:ident: $given_type:ty),+)?
        ) -> $reply:ty, $items:expr $(, results: $results:expr)? $(, reply: $wrap:path)?;)*
    ) => {
        $(#[$doc])*
        #[async_trait]
        pub trait $forwarding: Send + Sync {
            /// The port that receives each call whose method is not overridden.
            fn inner(&self) -> &dyn $port;

            $(
                #[doc = concat!("Forwards to [`", stringify!($port), "::", stringify!($method), "`], unless overridden.")]
                async fn $method(&self, $($lent: &$lent_type,)* $($($given: $given_type),+)?) -> $reply {
                    self.inner().$method($($lent,)* $($($given),+)?).await
                }
            )*
        }

        #[async_trait]
        impl<T: $forwarding> $port for T {
            $(async fn $method(&self, $($lent: &$lent_type,)* $($($given: $given_type),+)?) -> $reply {
                $forwarding::$method(self, $($lent,)* $($($given),+)?).await
            })*
        }

        #[async_trait]
        impl<I: Interceptor> $port for Intercepted<dyn $port, I> {
            $(async fn $method(&self, $($lent: &$lent_type,)* $($($given: $given_type),+)?) -> $reply {
                let repeat = || -> DetachedCall<$reply> {
                    let port = Arc::clone(&self.port);
                    $(let $lent = ToOwned::to_owned($lent);)*
                    $($(let $given = ToOwned::to_owned(&$given);)+)?
                    Box::pin(async move { port.$method($(&$lent,)* $($($given),+)?).await })
                };
                let call = Call {
                    operation: Operation::$operation,
                    items: $items,
                    results: first!($($results,)? 1),
                    repeat: Some(&repeat),
                };
                let run = self.port.$method($($lent,)* $($(ToOwned::to_owned(&$given)),+)?);
                let reply = self.interceptor.around(call, run).await;
                $(let reply = $wrap(reply, &self.interceptor);)?
                reply
            })*
        }
    };
}

forward! {
    /// A [`TicketSource`] that forwards to another one every method that it does not override: for
    /// decorators, and for doubles in tests that change a single operation.
    ///
    /// See [`ForwardingVoteStore`] for an example.
    trait ForwardingTicketSource: TicketSource;
    Now = now() -> Result<Timestamp, PortError>, 1;
    PublishTicket = publish(&ticket: PeriodTicket) -> Result<PeriodTicket, PortError>, 1;
    CurrentTicket = current() -> Result<Option<CurrentTicket>, PortError>, 1;
    Redeem = redeem(&ticket: GenuineTicket, &claims: [Claim]) -> Result<Vec<Redemption>, PortError>, claims.len();
}

forward! {
    /// An [`EventBus`] that forwards to another one every method that it does not override: for
    /// decorators, and for doubles in tests that change a single operation.
    ///
    /// See [`ForwardingVoteStore`] for an example.
    trait ForwardingEventBus: EventBus;
    Partitions = partitions() -> Result<Partitions, PortError>, 1;
    Publish = publish(&records: [Record]) -> Vec<Result<Published, PortError>>,
        records.iter().map(|record| record.ballots().len()).sum(), results: records.len();
    Subscribe = subscribe(&group: GroupName; max_ballots: usize, resume: Arc<dyn ResumeFrom>)
        -> Result<Box<dyn Subscription>, PortError>, 1, reply: intercepted_subscription;
    Lag = lag(&group: GroupName) -> Result<Vec<PartitionLag>, PortError>, 1;
}

forward! {
    /// A [`VoteCounter`] that forwards to another one every method that it does not override: for
    /// decorators, and for doubles in tests that change a single operation.
    ///
    /// See [`ForwardingVoteStore`] for an example.
    trait ForwardingVoteCounter: VoteCounter;
    Record = record(&pending: [PendingVotes], &show: [Candidate]) -> Result<Vec<Reading>, PortError>,
        pending.iter().map(|pending| pending.votes.len()).sum();
    Reconcile = reconcile(&checkpoints: [Checkpoint]) -> Result<(), PortError>, checkpoints.len();
    Read = read(&candidates: [Candidate]) -> Result<Vec<Reading>, PortError>, candidates.len();
    AppliedTotals = applied_totals(&candidates: [Candidate])
        -> Result<Vec<Vec<AppliedTotal>>, PortError>, candidates.len();
}

forward! {
    /// A [`VoteStore`] that forwards to another one every method that it does not override: for
    /// decorators, and for doubles in tests that change a single operation.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use async_trait::async_trait;
    /// use cast_core::{
    ///     domain::FoldStep,
    ///     ports::{Applied, ForwardingVoteStore, Operation, PortError, VoteStore},
    /// };
    ///
    /// /// A store that can be read and not written.
    /// struct ReadOnly(Arc<dyn VoteStore>);
    ///
    /// #[async_trait]
    /// impl ForwardingVoteStore for ReadOnly {
    ///     fn inner(&self) -> &dyn VoteStore {
    ///         &*self.0
    ///     }
    ///
    ///     async fn apply(&self, _: &FoldStep) -> Result<Applied, PortError> {
    ///         Err(PortError::misconfigured(Operation::Apply.name(), "this store is read-only"))
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let memory = Arc::new(cast_adapters::memory::MemoryStore::new());
    /// let store: Arc<dyn VoteStore> = Arc::new(ReadOnly(memory));
    /// assert_eq!(store.leaders(10).await.expect("forwarded"), []);
    /// # }
    /// ```
    trait ForwardingVoteStore: VoteStore;
    Progress = progress(; partition: Partition) -> Result<Progress, PortError>, 1;
    Apply = apply(&step: FoldStep) -> Result<Applied, PortError>, step.ballots.len();
    DryRun = dry_run(&step: FoldStep) -> Result<(), PortError>, step.ballots.len();
    Tallies = tallies(&candidates: [Candidate]) -> Result<Vec<StoredTally>, PortError>, candidates.len();
    Leaders = leaders(; first: usize) -> Result<Vec<Tally>, PortError>, 1;
    Ballot = ballot(; id: BallotId) -> Result<Option<Fate>, PortError>, 1;
    Recount = recount() -> Result<Recount, PortError>, 1;
    StoredBallots = stored_ballots(&ids: [BallotId]) -> Result<Vec<Option<StoredBallot>>, PortError>, ids.len();
}

fn intercepted_subscription<I: Interceptor>(
    subscription: Result<Box<dyn Subscription>, PortError>,
    interceptor: &Arc<I>,
) -> Result<Box<dyn Subscription>, PortError> {
    Ok(Box::new(InterceptedSubscription {
        subscription: subscription?,
        interceptor: Arc::clone(interceptor),
    }))
}
