//! The Lua scripts, and the calls of them.
//!
//! A call names its script by its SHA-1. A server that has restarted, or ran SCRIPT FLUSH,
//! answers NOSCRIPT, and is then sent the source.

use std::{sync::LazyLock, time::Duration};

use bb8_redis::redis::{
    Arg, Cmd, RedisError, ServerErrorKind, ToRedisArgs, cluster_routing::Slot, cmd,
};

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
pub(super) static PUBLISH: LazyLock<Script> = script!("clock", "use_counters", "publish");
pub(super) static CURRENT: LazyLock<Script> = script!("clock", "use_counters", "current");
pub(super) static REDEEM: LazyLock<Script> = script!("clock", "use_counters", "redeem");
pub(super) static RECORD: LazyLock<Script> = script!("clock", "count", "record");
pub(super) static RECONCILE: LazyLock<Script> = script!("clock", "count", "reconcile");
pub(super) static READ: LazyLock<Script> = script!("clock", "count", "read");

impl Script {
    fn new(source: &'static str) -> Self {
        let sha1 = bb8_redis::redis::Script::new(source).get_hash().to_owned();
        Self { source, sha1 }
    }

    /// A call with these keys, which are all in one slot; its arguments follow.
    pub(super) fn call<K: AsRef<[u8]> + ToRedisArgs>(&'static self, keys: &[K]) -> Call {
        let mut command = cmd("EVALSHA");
        command.arg(&self.sha1).arg(keys.len()).arg(keys);
        Call {
            script: self,
            slot: Slot::for_key(&keys[0]),
            command,
        }
    }
}

/// A call of a script.
pub(super) struct Call {
    script: &'static Script,
    /// That of its keys.
    pub(super) slot: Slot,
    /// For a server that has the script.
    pub(super) command: Cmd,
}

impl Call {
    pub(super) fn arg(&mut self, argument: impl ToRedisArgs) -> &mut Self {
        self.command.arg(argument);
        self
    }

    pub(super) fn is_of_same_script(&self, other: &Self) -> bool {
        std::ptr::eq(self.script, other.script)
    }

    /// The command for a server that does not have the script: it runs the source, and keeps it.
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

/// Whole milliseconds, as an argument. As text: the driver has no 128-bit integers.
pub(super) fn ms(duration: Duration) -> String {
    duration.as_millis().to_string()
}

/// Whether the server answered that it does not have the script, and so did nothing.
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
    fn the_slot_of_a_call_is_that_of_its_first_key() {
        let mut call = READ.call(&["{a}key", "{a}another"]);
        assert_eq!(call.arg("{b}").slot, Slot::for_key("a"));
    }
}
