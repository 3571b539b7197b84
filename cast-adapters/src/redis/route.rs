//! How calls find the node that has their key, and what is made of it when they do not.
//!
//! Each call goes on its own way. It is sent on only where that cannot do it twice: a node said that
//! it did nothing and who will (MOVED, ASK), or that it can do nothing now, or there was no
//! connection. Whatever else happened to it is told to the caller.

use std::sync::Arc;

use bb8_redis::redis::{Cmd, ErrorKind, Pipeline, RedisResult, ServerErrorKind, Value};
use futures_util::future::join_all;

use super::{
    error::Cause,
    link::Link,
    nodes::{HOPS, Node, Nodes},
    script::{Call, lacks_script},
};

/// The most calls of one pipeline; more go in several, one after the other.
const PIPELINE: usize = 1_000;

/// A call on its way.
struct Trip {
    /// Which of the calls it is.
    at: usize,
    call: Call,
    /// Whom it goes to next, and whether another node said so.
    node: Arc<Node>,
    named: bool,
    /// Whether the slot is being handed to that node, which takes it only from who says so.
    asking: bool,
    /// Who could not do it, nor say who can.
    tried: Vec<Arc<Node>>,
    /// Why it is not done yet.
    why: Option<Cause>,
}

impl Nodes {
    /// Calls a script.
    pub(super) async fn call(&self, call: Call) -> Result<Value, Cause> {
        let answers = self.calls(vec![call]).await?;
        let answer = answers.into_iter().next();
        answer.ok_or(Cause::Answer("there is none"))
    }

    /// Calls scripts, those of one node in their order and in one round trip; each is an atomic step,
    /// all together are not.
    pub(super) async fn calls(&self, calls: Vec<Call>) -> Result<Vec<Value>, Cause> {
        let mut outcomes: Vec<Result<Value, Cause>> = Vec::new();
        outcomes.resize_with(calls.len(), || Err(Cause::Answer("there is none")));
        let mut trips = self.setting_out(calls);
        for hop in 1..=HOPS {
            let visits = by_node(trips)
                .into_iter()
                .map(|(node, trips)| self.visit(node, trips));
            trips = Vec::new();
            for (mut trip, answer) in join_all(visits).await.into_iter().flatten() {
                match answer {
                    Err(cause) if hop < HOPS && self.goes_on(&mut trip, &cause) => trips.push(trip),
                    // Sent back to one that was asked in vain: what is of interest is why.
                    Err(cause) if cause.is_redirection() => {
                        outcomes[trip.at] = Err(trip.why.unwrap_or(cause));
                    }
                    answer => outcomes[trip.at] = answer,
                }
            }
            if trips.is_empty() {
                break;
            }
        }
        together(outcomes)
    }

    fn setting_out(&self, calls: Vec<Call>) -> Vec<Trip> {
        let known = self.known();
        let alone = (!known.is_clustered()).then(|| known.somebody());
        let trips = calls.into_iter().enumerate().map(|(at, call)| Trip {
            node: alone.clone().unwrap_or_else(|| known.owner(call.slot())),
            at,
            call,
            named: false,
            asking: false,
            tried: Vec::new(),
            why: None,
        });
        trips.collect()
    }

    /// Sends to a node what is meant for it; an answer for each.
    async fn visit(
        &self,
        node: Arc<Node>,
        mut trips: Vec<Trip>,
    ) -> Vec<(Trip, Result<Value, Cause>)> {
        let mut answers = Vec::with_capacity(trips.len());
        match self.link(&node).await {
            Err(cause) => answers.resize_with(trips.len(), || Err(cause.clone())),
            Ok(mut link) => {
                for page in trips.chunks_mut(PIPELINE) {
                    match send(&mut link, page).await {
                        Ok(page) => {
                            answers.extend(page.into_iter().map(|a| a.map_err(Cause::Command)));
                        }
                        // What follows would be sent to nobody.
                        Err(error) => {
                            answers.resize_with(trips.len(), || Err(Cause::Command(error.clone())));
                            break;
                        }
                    }
                }
            }
        }
        trips.into_iter().zip(answers).collect()
    }

    /// Whether a call that failed goes on to somebody else, who may do it or know who will.
    fn goes_on(&self, trip: &mut Trip, cause: &Cause) -> bool {
        use ServerErrorKind as Server;
        let error = match cause {
            Cause::Command(error) if !trip.call.is_taken() => error,
            // Nothing was sent.
            Cause::Connect(_) | Cause::ConnectTimeout(_) => return self.asks_another(trip, cause),
            _ => return false,
        };
        // In each of these the server says that it did nothing.
        let ErrorKind::Server(kind) = error.kind() else {
            return false;
        };
        let (named, asking) = match kind {
            Server::Moved => (self.moved(error, &trip.node), false),
            Server::Ask => (self.handed_on(error, &trip.node), true),
            // It may have been replaced, and not know it yet.
            Server::BusyLoading | Server::ClusterDown | Server::MasterDown => {
                return self.asks_another(trip, cause);
            }
            _ => return false,
        };
        let Some(named) = named.filter(|named| !is_among(&trip.tried, named)) else {
            return false;
        };
        (trip.node, trip.named, trip.asking) = (named, true, asking);
        true
    }

    /// Of a node that could do nothing, others may know who took over; unless it was one of them that
    /// named it just now.
    fn asks_another(&self, trip: &mut Trip, cause: &Cause) -> bool {
        // Who is not let in here is not let in elsewhere.
        if trip.named || cause.is_misconfigured() {
            return false;
        }
        trip.tried.push(Arc::clone(&trip.node));
        let Some(another) = self.another(Some(trip.call.slot()), &trip.tried) else {
            return false;
        };
        trip.node = another;
        trip.why = Some(cause.clone());
        true
    }
}

fn is_among(nodes: &[Arc<Node>], node: &Arc<Node>) -> bool {
    nodes.iter().any(|one| Arc::ptr_eq(one, node))
}

/// What goes to the same node, together.
fn by_node(trips: Vec<Trip>) -> Vec<(Arc<Node>, Vec<Trip>)> {
    let mut groups: Vec<(Arc<Node>, Vec<Trip>)> = Vec::new();
    let count = trips.len();
    for trip in trips {
        let node = &trip.node;
        let same = groups.iter_mut().find(|(one, _)| Arc::ptr_eq(one, node));
        if let Some((_, group)) = same {
            group.push(trip);
        } else {
            let mut group = Vec::with_capacity(count);
            let node = Arc::clone(node);
            group.push(trip);
            groups.push((node, group));
        }
    }
    groups
}

/// All answers; or what is true of all calls together, if one of them failed.
fn together(outcomes: Vec<Result<Value, Cause>>) -> Result<Vec<Value>, Cause> {
    let mut answers = Vec::with_capacity(outcomes.len());
    let mut failed: Option<Cause> = None;
    for outcome in outcomes {
        match outcome {
            Ok(answer) => answers.push(answer),
            Err(cause) => match &failed {
                // One that may have happened says more than one that did not.
                Some(one) if one.is_unknown() || !cause.is_unknown() => {}
                _ => failed = Some(cause),
            },
        }
    }
    match failed {
        None => Ok(answers),
        Some(cause) if answers.is_empty() => Err(cause),
        Some(cause) => Err(Cause::Partly(Box::new(cause))),
    }
}

/// Sends calls in one pipeline, and those again whose script the server did not have.
async fn send(link: &mut Link, trips: &mut [Trip]) -> RedisResult<Vec<RedisResult<Value>>> {
    let taken = trips
        .iter_mut()
        .map(|trip| (trip.asking, trip.call.take_command()));
    let mut batch = Batch::of(taken);
    let mut answers = batch.exchange(link).await?;
    for ((trip, answer), command) in trips.iter_mut().zip(&answers).zip(batch.commands()) {
        if answer.is_err() {
            trip.call.put_back(command.clone());
        }
    }
    let mut lacking: Vec<(&Trip, &mut RedisResult<Value>)> =
        trips.iter().zip(&mut answers).collect();
    lacking.retain(|(_, answer)| answer.as_ref().is_err_and(lacks_script));
    if lacking.is_empty() {
        return Ok(answers);
    }
    let whole = lacking
        .iter()
        .map(|(trip, _)| (trip.asking, trip.call.with_source()));
    let again = Batch::of(whole).exchange(link).await?;
    for ((_, answer), new) in lacking.into_iter().zip(again) {
        *answer = new;
    }
    Ok(answers)
}

/// Commands for one pipeline, some of which are taken only from who asks.
struct Batch {
    pipeline: Pipeline,
    /// For each command, whether it has an ASKING before it. A pipeline is written at once, so nobody
    /// else's command comes in between.
    asking: Vec<bool>,
}

impl Batch {
    fn of(commands: impl Iterator<Item = (bool, Cmd)>) -> Self {
        let expected = commands.size_hint().0;
        let mut pipeline = Pipeline::with_capacity(expected);
        let mut asking = Vec::with_capacity(expected);
        for (asks, command) in commands {
            if asks {
                pipeline.cmd("ASKING");
            }
            pipeline.add_command(command);
            asking.push(asks);
        }
        Self { pipeline, asking }
    }

    async fn exchange(&mut self, link: &mut Link) -> RedisResult<Vec<RedisResult<Value>>> {
        let answers = link.pipeline(&mut self.pipeline).await?;
        Ok(self.without_asking(answers.into_iter()).collect())
    }

    fn commands(&self) -> impl Iterator<Item = &Cmd> {
        self.without_asking(self.pipeline.cmd_iter())
    }

    fn without_asking<T>(&self, mut all: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        self.asking.iter().filter_map(move |asks| {
            if *asks {
                all.next();
            }
            all.next()
        })
    }
}
