//! Sends each command to the node that has its keys, and follows redirections.
//!
//! A command is sent again only where that cannot carry it out twice: a node answered that it did
//! nothing and which node will (MOVED, ASK), or that it can do nothing now, or no connection was there.
//! The caller gets every other error.

use std::sync::Arc;

use bb8_redis::redis::{Cmd, Pipeline, RedisResult, ServerErrorKind, Value};
use futures_util::future::join_all;

use super::{
    cluster::{Cluster, MAX_REDIRECTS, contains},
    error::Cause,
    node::{Connection, Node},
    script::{Call, lacks_script},
};

/// The most commands of one pipeline; more go in several, one after the other.
const MAX_PIPELINE: usize = 1_000;

/// The server answered fewer commands than it was sent.
const NO_ANSWER: Cause = Cause::Answer("no answer");

/// A command that has no answer yet.
struct PendingCommand {
    /// Its place among the calls.
    index: usize,
    call: Call,
    /// The node that it is sent to next.
    node: Arc<Node>,
    /// Whether another node named that one.
    redirected: bool,
    /// Whether the slot is being migrated to that node, which serves it only after ASKING.
    asking: bool,
    /// The nodes that could not carry it out, and did not name another one.
    failed: Vec<Arc<Node>>,
    /// Why the last of them could not.
    failure: Option<Cause>,
}

impl Cluster {
    /// Calls a script.
    pub(super) async fn call(&self, call: Call) -> Result<Value, Cause> {
        let answer = self.calls(vec![call]).await?.pop();
        answer.ok_or(NO_ANSWER)
    }

    /// Calls scripts: those of one node in their order and in one round trip, all nodes at once. Each
    /// call is atomic, all together are not.
    pub(super) async fn calls(&self, calls: Vec<Call>) -> Result<Vec<Value>, Cause> {
        let mut answers: Vec<Option<Value>> = vec![None; calls.len()];
        let mut failure: Option<Cause> = None;
        let mut pending = self.route_all(calls);
        for attempt in 1..=MAX_REDIRECTS {
            let sent = by_node(pending).into_iter().map(send_to_node);
            pending = Vec::new();
            for (mut command, answer) in join_all(sent).await.into_iter().flatten() {
                let cause = match answer {
                    Ok(answer) => {
                        answers[command.index] = Some(answer);
                        continue;
                    }
                    Err(cause) => cause,
                };
                if attempt < MAX_REDIRECTS && self.can_redirect(&mut command, &cause) {
                    pending.push(command);
                    continue;
                }
                // Redirected to a node that had failed: its failure explains more.
                let earlier = command.failure.filter(|_| cause.is_redirection());
                let cause = earlier.unwrap_or(cause);
                // An unknown outcome says more than one that did not happen.
                if failure.is_none() || cause.is_unknown() {
                    failure = Some(cause);
                }
            }
            if pending.is_empty() {
                break;
            }
        }
        match failure {
            None => all_answered(answers),
            Some(cause) if answers.iter().all(Option::is_none) => Err(cause),
            Some(cause) => Err(Cause::Partly(Box::new(cause))),
        }
    }

    fn route_all(&self, calls: Vec<Call>) -> Vec<PendingCommand> {
        let calls = calls.into_iter().enumerate();
        calls
            .map(|(index, call)| PendingCommand {
                node: self.master(Some(call.slot)),
                index,
                call,
                redirected: false,
                asking: false,
                failed: Vec::new(),
                failure: None,
            })
            .collect()
    }

    /// Whether a command that failed may be sent to another node, which then is its next one.
    fn can_redirect(&self, command: &mut PendingCommand, cause: &Cause) -> bool {
        let next = match cause {
            Cause::Command(error) if cause.is_redirection() => {
                command.redirected = true;
                command.asking = error.kind() == ServerErrorKind::Ask.into();
                self.redirect_target(error, &command.node)
            }
            // Another node may know the successor of this one; but not if one has just named this one,
            // or if it would refuse us too.
            _ if cause.did_nothing() && !command.redirected && !cause.is_misconfigured() => {
                command.failed.push(Arc::clone(&command.node));
                command.failure = Some(cause.clone());
                self.next_node(Some(command.call.slot), &command.failed)
            }
            _ => None,
        };
        let next = next.filter(|node| !contains(&command.failed, node));
        let is_redirected = next.is_some();
        command.node = next.unwrap_or_else(|| Arc::clone(&command.node));
        is_redirected
    }
}

/// The answers of all calls, in their order. A call without one may have been carried out.
fn all_answered<T>(answers: Vec<Option<T>>) -> Result<Vec<T>, Cause> {
    let answers: Option<Vec<T>> = answers.into_iter().collect();
    answers.ok_or(NO_ANSWER)
}

/// The commands of each node, in the order in which the nodes first appear.
fn by_node(commands: Vec<PendingCommand>) -> Vec<Vec<PendingCommand>> {
    let mut groups: Vec<Vec<PendingCommand>> = Vec::new();
    for command in commands {
        let node = &command.node;
        let mut known = groups.iter_mut();
        match known.find(|group| Arc::ptr_eq(&group[0].node, node)) {
            Some(group) => group.push(command),
            None => groups.push(vec![command]),
        }
    }
    groups
}

/// Sends commands for one node; each has an answer.
async fn send_to_node(
    commands: Vec<PendingCommand>,
) -> Vec<(PendingCommand, Result<Value, Cause>)> {
    let mut answers = Vec::with_capacity(commands.len());
    if let Err(cause) = send_pages(&commands, &mut answers).await {
        answers.resize_with(commands.len(), || Err(cause.clone()));
    }
    commands.into_iter().zip(answers).collect()
}

/// Sends page by page. Behind a page without answers nothing is sent: the connection is broken.
async fn send_pages(
    commands: &[PendingCommand],
    answers: &mut Vec<Result<Value, Cause>>,
) -> Result<(), Cause> {
    let mut connection = commands[0].node.connection().await?;
    for page in commands.chunks(MAX_PIPELINE) {
        let page = send_page(&mut connection, page).await?.into_iter();
        answers.extend(page.map(|answer| answer.map_err(Cause::Command)));
    }
    Ok(())
}

/// Sends commands in one pipeline, and those again whose script the server did not have.
async fn send_page(
    connection: &mut Connection,
    commands: &[PendingCommand],
) -> Result<Vec<RedisResult<Value>>, Cause> {
    let all = commands.iter();
    let all = all.map(|command| (command.asking, command.call.command.clone()));
    let mut answers = send_all(connection, all).await?;
    let lacking: Vec<usize> = (0..answers.len())
        .filter(|&index| answers[index].as_ref().is_err_and(lacks_script))
        .collect();
    if !lacking.is_empty() {
        let again = lacking.iter().map(|&index| &commands[index]);
        let again = again.map(|command| (command.asking, command.call.with_source()));
        let again = send_all(connection, again).await?;
        for (index, answer) in lacking.into_iter().zip(again) {
            answers[index] = answer;
        }
    }
    Ok(answers)
}

/// Sends commands in one pipeline; each has its own answer or error.
async fn send_all(
    connection: &mut Connection,
    commands: impl ExactSizeIterator<Item = (bool, Cmd)>,
) -> Result<Vec<RedisResult<Value>>, Cause> {
    let count = commands.len();
    let answers = connection.pipeline(pipeline(commands)).await;
    answers
        .map_err(Cause::Command)
        .and_then(|answers| one_for_each(count, answers))
}

/// Refuses a short reply, which does not say whose answers are missing.
fn one_for_each<T>(count: usize, answers: Vec<T>) -> Result<Vec<T>, Cause> {
    if answers.len() == count {
        Ok(answers)
    } else {
        Err(NO_ANSWER)
    }
}

/// A pipeline is written at once, so no command of another caller comes between an ASKING and the
/// command that it is for.
fn pipeline(commands: impl Iterator<Item = (bool, Cmd)>) -> Pipeline {
    let mut pipeline = Pipeline::with_capacity(commands.size_hint().0);
    for (asking, command) in commands {
        if asking {
            pipeline.cmd("ASKING").ignore();
        }
        pipeline.add_command(command);
    }
    pipeline
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_without_an_answer_may_have_happened_and_no_other_answer_takes_its_place() {
        assert_eq!(all_answered(vec![Some(1), Some(2)]).ok(), Some(vec![1, 2]));
        let missing = all_answered(vec![Some(1), None, Some(3)]);
        assert!(missing.expect_err("one is missing").is_unknown());
        assert_eq!(one_for_each(2, vec![1, 2]).ok(), Some(vec![1, 2]));
        for answers in [vec![], vec![1], vec![1, 2, 3]] {
            let wrong = one_for_each(2, answers).expect_err("not one for each");
            assert!(wrong.is_unknown());
        }
    }
}
