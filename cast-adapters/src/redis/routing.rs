//! Sends each command to the node that has its keys, and follows redirections.
//!
//! A command is sent again only where that cannot carry it out twice: a node answered that it did
//! nothing and which node will (MOVED, ASK), or that it lacks the script, or that it can do nothing now,
//! or no connection was there. The caller gets every other error.

use std::sync::Arc;

use bb8_redis::redis::{ErrorKind, Pipeline, ServerErrorKind, Value};
use futures_util::future::join_all;

use super::{
    cluster::{Cluster, MAX_REDIRECTS, contains},
    error::Cause,
    node::Node,
    script::{Call, lacks_script},
};

/// The most commands of one pipeline; more go in several, one after the other.
const MAX_PIPELINE: usize = 1_000;

/// The server answered fewer commands than it was sent.
const NO_ANSWER: Cause = Cause::Answer("no answer");

/// A command and its progress.
struct PendingCommand {
    call: Call,
    /// The node that it is sent to next.
    node: Arc<Node>,
    /// Whether it is still to be sent to that node, for the first time or again.
    pending: bool,
    /// The kind of the redirection, MOVED or ASK, if another node named that one.
    redirection: Option<ErrorKind>,
    /// Whether a node lacks the script.
    lacks_script: bool,
    /// The nodes that could not carry it out, and did not name another one.
    failed: Vec<Arc<Node>>,
    /// Why the last of them could not.
    failure: Option<Cause>,
    /// The last answer.
    answer: Result<Value, Cause>,
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
        let commands = calls.into_iter().map(|call| self.route(call));
        let mut commands: Vec<PendingCommand> = commands.collect();
        // Once more than there may be nodes, because one may lack the script.
        for _ in 0..=MAX_REDIRECTS {
            let mut groups = by_node(&mut commands);
            if groups.is_empty() {
                break;
            }
            join_all(groups.iter_mut().map(|group| send_to_node(group))).await;
            for command in groups.into_iter().flatten() {
                command.pending = self.can_redirect(command);
            }
        }
        all_answered(commands.into_iter().map(PendingCommand::into_answer))
    }

    fn route(&self, call: Call) -> PendingCommand {
        PendingCommand {
            node: self.master(Some(call.slot)),
            call,
            pending: true,
            redirection: None,
            lacks_script: false,
            failed: Vec::new(),
            failure: None,
            answer: Err(NO_ANSWER),
        }
    }

    /// Whether an answered command may be sent again, and then to which node: its next one.
    fn can_redirect(&self, command: &mut PendingCommand) -> bool {
        let next = match &command.answer {
            Err(Cause::Command(error)) if lacks_script(error) => {
                if command.lacks_script {
                    // It was sent with another call, and is not there: it goes with this one too.
                    command.call.command = command.call.with_source();
                }
                command.lacks_script = true;
                Some(Arc::clone(&command.node))
            }
            Err(cause @ Cause::Command(error)) if cause.is_redirection() => {
                command.redirection = Some(error.kind());
                self.redirect_target(error, &command.node)
            }
            // Another node may know the successor of this one; but not if one has just named this one,
            // or if it would refuse us too.
            Err(cause)
                if cause.did_nothing()
                    && command.redirection.is_none()
                    && !cause.is_misconfigured() =>
            {
                command.failed.push(Arc::clone(&command.node));
                command.failure = Some(cause.clone());
                self.next_node(Some(command.call.slot), &command.failed)
            }
            _ => None,
        };
        let Some(next) = next.filter(|node| !contains(&command.failed, node)) else {
            return false;
        };
        command.node = next;
        true
    }
}

impl PendingCommand {
    fn into_answer(self) -> Result<Value, Cause> {
        self.answer.map_err(|cause| match self.failure {
            // Redirected to a node that had failed: its failure explains more.
            Some(earlier) if cause.is_redirection() => earlier,
            _ => cause,
        })
    }
}

/// The answers of all calls, in their order; or why one of them failed.
fn all_answered<T>(results: impl Iterator<Item = Result<T, Cause>>) -> Result<Vec<T>, Cause> {
    let mut answers = Vec::new();
    let mut failure: Option<Cause> = None;
    for result in results {
        match result {
            Ok(answer) => answers.push(answer),
            // An unknown outcome says more than one that did not happen.
            Err(cause) if failure.is_none() || cause.is_unknown() => failure = Some(cause),
            Err(_) => {}
        }
    }
    match failure {
        None => Ok(answers),
        Some(cause) if answers.is_empty() => Err(cause),
        Some(cause) => Err(Cause::Partly(Box::new(cause))),
    }
}

/// The pending commands of each node, in the order in which the nodes first appear.
fn by_node(commands: &mut [PendingCommand]) -> Vec<Vec<&mut PendingCommand>> {
    let mut groups: Vec<Vec<&mut PendingCommand>> = Vec::new();
    for command in commands.iter_mut().filter(|command| command.pending) {
        let mut known = groups.iter_mut();
        match known.find(|group| Arc::ptr_eq(&group[0].node, &command.node)) {
            Some(group) => group.push(command),
            None => groups.push(vec![command]),
        }
    }
    groups
}

/// Sends commands for one node; each gets its answer.
async fn send_to_node(commands: &mut [&mut PendingCommand]) {
    let mut answers = Vec::with_capacity(commands.len());
    if let Err(cause) = send_pages(commands, &mut answers).await {
        answers.resize_with(commands.len(), || Err(cause.clone()));
    }
    for (command, answer) in commands.iter_mut().zip(answers) {
        command.answer = answer;
    }
}

/// Sends page by page. Behind a page without answers nothing is sent: the connection is broken.
async fn send_pages(
    commands: &[&mut PendingCommand],
    answers: &mut Vec<Result<Value, Cause>>,
) -> Result<(), Cause> {
    let mut connection = commands[0].node.connection().await?;
    for page in commands.chunks(MAX_PIPELINE) {
        let sent = connection.pipeline(pipeline(page)).await;
        let sent = one_for_each(page.len(), sent.map_err(Cause::Command)?)?;
        answers.extend(sent.into_iter().map(|one| one.map_err(Cause::Command)));
    }
    Ok(())
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
///
/// A script that the node lacks goes with its first call, and is there for the others.
fn pipeline(commands: &[&mut PendingCommand]) -> Pipeline {
    let mut pipeline = Pipeline::with_capacity(commands.len());
    let mut sent: Vec<&Call> = Vec::new();
    for command in commands {
        let call = &command.call;
        // The node serves the slot only after ASKING: it is being migrated.
        if command.redirection == Some(ServerErrorKind::Ask.into()) {
            pipeline.cmd("ASKING").ignore();
        }
        if command.lacks_script && !sent.iter().any(|first| first.is_of_same_script(call)) {
            sent.push(call);
            pipeline.add_command(call.with_source());
        } else {
            pipeline.add_command(call.command.clone());
        }
    }
    pipeline
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_call_without_an_answer_may_have_happened_and_no_other_answer_takes_its_place() {
        assert_eq!(one_for_each(2, vec![1, 2]).ok(), Some(vec![1, 2]));
        for answers in [vec![], vec![1], vec![1, 2, 3]] {
            let wrong = one_for_each(2, answers).expect_err("not one for each");
            assert!(wrong.is_unknown());
        }
    }

    #[test]
    fn one_failure_is_that_of_all_calls_and_an_unknown_outcome_is_named_first() {
        let refused = || Err(Cause::ConnectTimeout(Duration::ZERO));
        let unknown = || Err(NO_ANSWER);
        let all = |results: [Result<u8, Cause>; 3]| all_answered(results.into_iter());
        assert_eq!(all([Ok(1), Ok(2), Ok(3)]).ok(), Some(vec![1, 2, 3]));
        let failure = |results| all(results).expect_err("one of them failed");
        for unknown_first in [
            failure([unknown(), refused(), refused()]),
            failure([refused(), unknown(), refused()]),
        ] {
            assert!(matches!(unknown_first, Cause::Answer(_)));
        }
        let none = failure([refused(), refused(), refused()]);
        assert!(matches!(none, Cause::ConnectTimeout(_)));
        assert!(failure([refused(), Ok(2), refused()]).is_unknown());
    }
}
