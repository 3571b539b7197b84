//! The Lua scripts, and how they are called so that they survive whatever makes a server forget them.

use std::sync::LazyLock;

use bb8_redis::redis::{
    Cmd, Pipeline, RedisError, RedisResult, ServerErrorKind, ToRedisArgs, Value, cmd,
};

use super::{
    error::Cause,
    link::{Link, Links},
};

/// The most calls of one pipeline; more go in several, one after the other.
const PIPELINE: usize = 1_000;

/// A script, and the name that the server has for it.
pub(super) struct Script {
    source: &'static str,
    sha1: String,
}

macro_rules! script {
    ($($file:literal),+) => {
        LazyLock::new(|| Script::new(concat!($(include_str!(concat!("lua/", $file, ".lua"))),+)))
    };
}

pub(super) static PUBLISH: LazyLock<Script> = script!("clock", "meters", "publish");
pub(super) static CURRENT: LazyLock<Script> = script!("clock", "meters", "current");
pub(super) static REDEEM: LazyLock<Script> = script!("clock", "meters", "redeem");
pub(super) static RECORD: LazyLock<Script> = script!("clock", "count", "record");
pub(super) static SETTLE: LazyLock<Script> = script!("clock", "count", "settle");
pub(super) static READ: LazyLock<Script> = script!("clock", "count", "read");

impl Script {
    fn new(source: &'static str) -> Self {
        let sha1 = bb8_redis::redis::Script::new(source).get_hash().to_owned();
        Self { source, sha1 }
    }

    /// Begins a call with these keys; its arguments follow.
    pub(super) fn call<K: ToRedisArgs>(&'static self, keys: &[K]) -> Call {
        let mut command = cmd("EVALSHA");
        command.arg(&self.sha1).arg(keys.len()).arg(keys);
        Call {
            script: self,
            command,
        }
    }
}

/// A call of a script.
pub(super) struct Call {
    script: &'static Script,
    command: Cmd,
}

impl Call {
    pub(super) fn arg(&mut self, argument: impl ToRedisArgs) -> &mut Self {
        self.command.arg(argument);
        self
    }

    /// The same call, with the whole script: what a server that does not have it understands, and
    /// keeps it from.
    fn with_source(&self) -> Cmd {
        let mut command = cmd("EVAL");
        command.arg(self.script.source);
        for argument in self.command.args_iter().skip(2) {
            if let bb8_redis::redis::Arg::Simple(bytes) = argument {
                command.arg(bytes);
            }
        }
        command
    }
}

impl Links {
    /// Calls a script.
    ///
    /// Sent a second time only if the server says that it does not have the script: then it did
    /// nothing.
    pub(super) async fn call(&self, call: &Call) -> Result<Value, Cause> {
        let mut link = self.link().await?;
        let answer = match link.command(&call.command).await {
            Err(error) if lacks_script(&error) => link.command(&call.with_source()).await,
            answer => answer,
        };
        answer.map_err(Cause::Command)
    }

    /// Calls scripts, in their order and in one round trip; each is an atomic step, all together are
    /// not.
    pub(super) async fn calls(&self, calls: Vec<Call>) -> Result<Vec<Value>, Cause> {
        let mut answers = Vec::with_capacity(calls.len());
        if calls.is_empty() {
            return Ok(answers);
        }
        let mut link = self.link().await?;
        let mut calls = calls.into_iter().peekable();
        while calls.peek().is_some() {
            let page = calls.by_ref().take(PIPELINE).collect();
            let results = pipeline(&mut link, page).await.map_err(Cause::Command)?;
            let any_done = !answers.is_empty() || results.iter().any(Result::is_ok);
            for result in results {
                let failed = if any_done {
                    Cause::Partly
                } else {
                    Cause::Command
                };
                answers.push(result.map_err(failed)?);
            }
        }
        Ok(answers)
    }
}

/// Sends calls in one pipeline, and those again whose script the server did not have.
async fn pipeline(link: &mut Link, calls: Vec<Call>) -> RedisResult<Vec<RedisResult<Value>>> {
    let mut scripts = Vec::with_capacity(calls.len());
    let mut first = Pipeline::with_capacity(calls.len());
    for Call { script, command } in calls {
        scripts.push(script);
        first.add_command(command);
    }
    let mut results = link.pipeline(&mut first).await?;
    let lacking: Vec<usize> = (0..results.len())
        .filter(|at| results[*at].as_ref().is_err_and(lacks_script))
        .collect();
    if lacking.is_empty() {
        return Ok(results);
    }
    let commands: Vec<Cmd> = first.cmd_iter().cloned().collect();
    let mut second = Pipeline::with_capacity(lacking.len());
    for at in &lacking {
        let call = Call {
            script: scripts[*at],
            command: commands[*at].clone(),
        };
        second.add_command(call.with_source());
    }
    let again = link.pipeline(&mut second).await?;
    for (at, result) in lacking.into_iter().zip(again) {
        results[at] = result;
    }
    Ok(results)
}

fn lacks_script(error: &RedisError) -> bool {
    error.kind() == ServerErrorKind::NoScript.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_with_its_source_has_the_same_keys_and_arguments() {
        let mut call = READ.call(&["a key", "another"]);
        call.arg(7).arg(b"\0bytes".as_slice());
        let arguments = |command: &Cmd| {
            let arguments = command.args_iter().map(|argument| match argument {
                bb8_redis::redis::Arg::Simple(bytes) => bytes.to_vec(),
                _ => panic!("no cursor here"),
            });
            arguments.collect::<Vec<_>>()
        };
        let (short, long) = (arguments(&call.command), arguments(&call.with_source()));
        assert_eq!(short[..2], [b"EVALSHA".to_vec(), READ.sha1.clone().into()]);
        assert_eq!(long[..2], [b"EVAL".to_vec(), READ.source.into()]);
        assert_eq!(short[2..], long[2..]);
        assert_eq!(short[2..].len(), 5);
    }
}
