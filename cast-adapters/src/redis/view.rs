//! What a node says about its cluster, in words that mean the same whoever reads them.

use bb8_redis::redis::{ConnectionAddr, RedisError, Value};

use super::slot::SLOTS;

/// A host and a port, as a node tells them.
pub(super) type Place = (String, u16);

/// Which nodes there are, and which slots each master has.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    /// Masters and replicas, each once.
    pub(super) places: Vec<Place>,
    /// First and last slot of a range, and where in `places` its master is.
    pub(super) ranges: Vec<(usize, usize, usize)>,
}

impl View {
    /// Reads the answer to `CLUSTER SLOTS`, which `asked` gave. What makes no sense is left out: a
    /// slot that is not told of is found by asking for it.
    pub(super) fn of(answer: &Value, asked: &ConnectionAddr) -> Self {
        let mut view = Self::default();
        let Value::Array(ranges) = answer else {
            return view;
        };
        for range in ranges {
            let Value::Array(range) = range else { continue };
            let [Value::Int(first), Value::Int(last), nodes @ ..] = range.as_slice() else {
                continue;
            };
            let mut nodes = nodes
                .iter()
                .map(|node| Some(view.index_of(place(node, asked)?)));
            let master = nodes.next().flatten();
            nodes.for_each(drop);
            let slots = usize::try_from(*first)
                .ok()
                .zip(usize::try_from(*last).ok());
            if let (Some(master), Some((first, last))) = (master, slots)
                && first <= last
                && last < SLOTS
            {
                view.ranges.push((first, last, master));
            }
        }
        view
    }
    fn index_of(&mut self, place: Place) -> usize {
        let known = self.places.iter().position(|other| *other == place);
        known.unwrap_or_else(|| {
            self.places.push(place);
            self.places.len() - 1
        })
    }
}

/// Where a node is, by the beginning of what is said of it: host, port. Without a host it is where
/// `asked` is; one whose host is a question mark cannot be found.
fn place(node: &Value, asked: &ConnectionAddr) -> Option<Place> {
    let Value::Array(node) = node else {
        return None;
    };
    let [host, Value::Int(port), ..] = node.as_slice() else {
        return None;
    };
    let host = match host {
        Value::Nil => "",
        Value::BulkString(host) => std::str::from_utf8(host).ok()?,
        Value::SimpleString(host) => host,
        _ => return None,
    };
    found(host, u16::try_from(*port).ok()?, asked)
}

/// The slot that a redirection is about, and where it leads to.
pub(super) fn redirection(error: &RedisError, asked: &ConnectionAddr) -> Option<(usize, Place)> {
    let (place, slot) = error.redirect_node()?;
    // The host may be an address of the sixth version, without brackets.
    let (host, port) = place.rsplit_once(':')?;
    let place = found(host, port.parse().ok()?, asked)?;
    let slot = usize::from(slot);
    (slot < SLOTS).then_some((slot, place))
}

fn found(host: &str, port: u16, asked: &ConnectionAddr) -> Option<Place> {
    let host = match (host, asked) {
        ("?", _) => return None,
        ("", ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. }) => host,
        ("", _) => "localhost",
        (host, _) => host.trim_matches(['[', ']']),
    };
    (port > 0).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use bb8_redis::redis::parse_redis_value;

    use super::*;

    fn asked() -> ConnectionAddr {
        ConnectionAddr::Tcp("where-it-was-asked".into(), 7_000)
    }

    fn redirected(line: &str) -> Option<(usize, Place)> {
        let value = parse_redis_value(format!("-{line}\r\n").as_bytes()).expect("an error line");
        let Value::ServerError(error) = value else {
            panic!("{line} is an error")
        };
        redirection(&error.into(), &asked())
    }

    #[test]
    fn a_redirection_names_a_slot_and_a_place() {
        let to = |slot, host: &str, port| Some((slot, (host.to_owned(), port)));
        for (line, expected) in [
            ("MOVED 3999 127.0.0.1:6381", to(3_999, "127.0.0.1", 6_381)),
            ("ASK 0 redis-1.example:1", to(0, "redis-1.example", 1)),
            ("MOVED 16383 ::1:6381", to(16_383, "::1", 6_381)),
            ("MOVED 1 [::1]:6381", to(1, "::1", 6_381)),
            ("MOVED 1 :6381", to(1, "where-it-was-asked", 6_381)),
            ("MOVED 1 ?:6381", None),
            ("MOVED 1 127.0.0.1:0", None),
            ("MOVED 1 127.0.0.1:65536", None),
            ("MOVED 1 127.0.0.1", None),
            ("MOVED 16384 127.0.0.1:6381", None),
            ("MOVED 127.0.0.1:6381", None),
            ("MOVED", None),
            ("TRYAGAIN 1 127.0.0.1:6381", None),
        ] {
            assert_eq!(redirected(line), expected, "{line}");
        }
    }

    #[test]
    fn a_view_has_each_node_once_and_skips_what_makes_no_sense() {
        let text = |text: &str| Value::BulkString(text.into());
        let node = |host: Value, port| {
            Value::Array(vec![
                host,
                Value::Int(port),
                text("id"),
                Value::Array(vec![]),
            ])
        };
        let range = |first, last, nodes: &[Value]| {
            let mut range = vec![Value::Int(first), Value::Int(last)];
            range.extend_from_slice(nodes);
            Value::Array(range)
        };
        let answer = Value::Array(vec![
            range(0, 5_000, &[node(text("a"), 1), node(text("b"), 2)]),
            range(5_001, 5_001, &[node(Value::Nil, 3), node(text("?"), 4)]),
            range(5_002, 16_383, &[node(text("a"), 1)]),
            range(5_003, 16_384, &[node(text("b"), 2)]),
            range(9, 8, &[node(text("b"), 2)]),
            range(-1, 8, &[node(text("b"), 2)]),
            range(6, 7, &[node(text("?"), 5), node(text("c"), 6)]),
            range(6, 7, &[]),
            Value::Okay,
        ]);
        let place = |host: &str, port| (host.to_owned(), port);
        let view = View::of(&answer, &asked());
        assert_eq!(
            view.places,
            [
                place("a", 1),
                place("b", 2),
                place("where-it-was-asked", 3),
                place("c", 6)
            ]
        );
        assert_eq!(
            view.ranges,
            [(0, 5_000, 0), (5_001, 5_001, 2), (5_002, 16_383, 0)]
        );
        assert_eq!(View::of(&Value::Okay, &asked()), View::default());
    }
}
