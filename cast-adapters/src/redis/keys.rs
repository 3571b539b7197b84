//! Where things are on the server.
//!
//! | key | type | holds |
//! |---|---|---|
//! | `{<prefix>:tickets}:meters` | sorted set | the tickets and their meters; see `lua/meters.lua` |
//! | `{<prefix>:tickets}:ballots:<window, ms>:<0 to 3>` | hash | the digests of ballots by id, 16 bytes each |
//! | `{<prefix>:tally:<name>}` | sorted set | a candidate's count; see `lua/count.lua` |
//!
//! What is in braces decides about the slot of a cluster.

use cast_core::domain::Candidate;

use super::RedisOptions;

/// The buckets of ballot ids: now, the last, the one that goes, and the one that a clock put back
/// would have left.
pub(super) const BUCKETS: usize = 4;

pub(super) struct Keys {
    prefix: String,
    /// The meters.
    pub(super) meters: String,
    /// The ballot ids. The window is part of the name, so that two processes that disagree about it
    /// do not disagree about what is in a bucket.
    pub(super) ballots: [String; BUCKETS],
}

impl Keys {
    pub(super) fn new(options: &RedisOptions) -> Self {
        let prefix = options.prefix.clone();
        let window_ms = options.retry_window.as_millis();
        Self {
            meters: format!("{{{prefix}:tickets}}:meters"),
            ballots: std::array::from_fn(|bucket| {
                format!("{{{prefix}:tickets}}:ballots:{window_ms}:{bucket}")
            }),
            prefix,
        }
    }

    /// A candidate's count. A brace in a name would end the tag, so it is written as URLs do.
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
    fn every_name_has_a_key_and_a_tag_of_its_own() {
        let keys = Keys::new(&RedisOptions::at("redis://localhost"));
        let of = |name| keys.tally(&Candidate::new(name).expect("a name"));
        assert_eq!(of("alice"), "{cast:tally:alice}");
        assert_eq!(of("{alice} %7B"), "{cast:tally:%7Balice%7D %257B}");
        let names = ["a", "{a", "}a", "{a}", "%7Ba", "%257Ba", "%"];
        for (at, name) in names.iter().enumerate() {
            let key = of(name);
            assert!(names[..at].iter().all(|other| of(other) != key), "{key}");
            assert_eq!(key.find('}'), Some(key.len() - 1), "{key} is all tag");
        }
    }
}
