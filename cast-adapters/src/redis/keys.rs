//! The keys on the server.
//!
//! | key | type | holds |
//! |---|---|---|
//! | `{<prefix>:tickets}:uses` | sorted set | the tickets and their use counters; see `lua/use_counters.lua` |
//! | `{<prefix>:tickets}:ballots:<window, ms>:<0 to 3>` | hash | the digests of ballots by id, 16 bytes each |
//! | `{<prefix>:tally:<name>}` | sorted set | the count of a candidate; see `lua/count.lua` |
//!
//! The part in braces is the hash tag, which decides the slot in a cluster.

use cast_core::domain::Candidate;

use super::options::RedisOptions;

/// The buckets of ballot ids: the current one, the previous one, the expired one, and the one that a
/// clock that was set back would use.
pub(super) const BUCKETS: usize = 4;

pub(super) struct Keys {
    prefix: String,
    /// The use counters.
    pub(super) uses: String,
    /// The ballot ids. The window is part of the name, so that processes with different windows do not
    /// share a bucket.
    pub(super) ballots: [String; BUCKETS],
}

impl Keys {
    pub(super) fn new(options: &RedisOptions) -> Self {
        let prefix = options.prefix.clone();
        let window_ms = options.retry_window.as_millis();
        Self {
            uses: format!("{{{prefix}:tickets}}:uses"),
            ballots: std::array::from_fn(|bucket| {
                format!("{{{prefix}:tickets}}:ballots:{window_ms}:{bucket}")
            }),
            prefix,
        }
    }

    /// The count of a candidate. A brace in a name would end the hash tag, so it is percent-encoded.
    pub(super) fn tally(&self, candidate: &Candidate) -> String {
        let (prefix, name) = (&self.prefix, candidate.as_str());
        if !name.contains(['%', '{', '}']) {
            return format!("{{{prefix}:tally:{name}}}");
        }
        let name = name
            .replace('%', "%25")
            .replace('{', "%7B")
            .replace('}', "%7D");
        format!("{{{prefix}:tally:{name}}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_own_key_and_hash_tag() {
        let keys = Keys::new(&RedisOptions::at("redis://localhost"));
        let of = |name| keys.tally(&Candidate::new(name).expect("a name"));
        assert_eq!(of("alice"), "{cast:tally:alice}");
        assert_eq!(of("{alice} %7B"), "{cast:tally:%7Balice%7D %257B}");
        let names = ["a", "{a", "}a", "{a}", "%7Ba", "%257Ba", "%"];
        for (at, name) in names.iter().enumerate() {
            let key = of(name);
            assert!(names[..at].iter().all(|other| of(other) != key), "{key}");
            assert_eq!(
                key.find('}'),
                Some(key.len() - 1),
                "all of {key} is the hash tag"
            );
        }
    }
}
