//! The Lua scripts, and how they are called so that they survive whatever makes a server forget them.

use std::sync::LazyLock;

use bb8_redis::redis::{Arg, Cmd, RedisError, ServerErrorKind, ToRedisArgs, cmd};

use super::slot::slot;

/// Where the first key of a call is: behind the command, the script and the number of keys.
const FIRST_KEY: usize = 3;

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

pub(super) static NOW: LazyLock<Script> = script!("clock", "now");
pub(super) static PUBLISH: LazyLock<Script> = script!("clock", "meters", "publish");
pub(super) static CURRENT: LazyLock<Script> = script!("clock", "meters", "current");
pub(super) static REDEEM: LazyLock<Script> = script!("clock", "meters", "redeem");
pub(super) static RECORD: LazyLock<Script> = script!("clock", "count", "record");
pub(super) static RECONCILE: LazyLock<Script> = script!("clock", "count", "reconcile");
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

    /// The slot of its keys, which are all in the same.
    pub(super) fn slot(&self) -> usize {
        match self.command.args_iter().nth(FIRST_KEY) {
            Some(Arg::Simple(key)) => slot(key),
            _ => slot(&[]),
        }
    }

    /// Whether the command was sent, and not put back: then nobody knows what came of it.
    pub(super) fn is_taken(&self) -> bool {
        self.command.args_iter().next().is_none()
    }

    /// The command, to be sent; it is gone then, unless it is put back.
    pub(super) fn take_command(&mut self) -> Cmd {
        std::mem::take(&mut self.command)
    }

    /// Puts back what was taken, and sent in vain.
    pub(super) fn put_back(&mut self, command: Cmd) {
        self.command = command;
    }

    /// The same call, with the whole script: what a server that does not have it understands, and
    /// keeps it from.
    pub(super) fn with_source(&self) -> Cmd {
        let mut command = cmd("EVAL");
        command.arg(self.script.source);
        for argument in self.command.args_iter().skip(2) {
            if let Arg::Simple(bytes) = argument {
                command.arg(bytes);
            }
        }
        command
    }
}

/// Whether the server says that it does not have the script: then it did nothing.
pub(super) fn lacks_script(error: &RedisError) -> bool {
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
                Arg::Simple(bytes) => bytes.to_vec(),
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

    #[test]
    fn a_call_goes_to_the_slot_of_its_first_key() {
        let mut call = READ.call(&["{a}key", "{a}another"]);
        assert_eq!(call.arg("{b}").slot(), slot(b"a"));
    }
}
