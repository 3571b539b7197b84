//! The answers of nodes about their cluster: `CLUSTER SLOTS`, MOVED and ASK.

use bb8_redis::redis::{
    ConnectionAddr, RedisError, Value, cluster_routing::Slot, from_redis_value_ref,
};

/// The host and the port of a node.
pub(super) type NodeAddress = (String, u16);

/// The slots of one master.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SlotRange {
    pub(super) slots: Vec<Slot>,
    pub(super) master: NodeAddress,
    pub(super) replicas: Vec<NodeAddress>,
}

/// Parses the answer to `CLUSTER SLOTS` of the node at `asked`. An invalid range is left out: the first
/// command for one of its slots is redirected.
pub(super) fn slot_ranges(answer: &Value, asked: &ConnectionAddr) -> Vec<SlotRange> {
    let Value::Array(ranges) = answer else {
        return Vec::new();
    };
    let ranges = ranges.iter();
    ranges
        .filter_map(|range| slot_range(range, asked))
        .collect()
}

fn slot_range(range: &Value, asked: &ConnectionAddr) -> Option<SlotRange> {
    let Value::Array(range) = range else {
        return None;
    };
    let [first, last, master, replicas @ ..] = range.as_slice() else {
        return None;
    };
    let number = |slot: &Value| from_redis_value_ref::<u16>(slot).ok();
    let slots: Option<Vec<Slot>> = (number(first)?..=number(last)?).map(Slot::new).collect();
    let replicas = replicas.iter();
    Some(SlotRange {
        slots: slots.filter(|slots| !slots.is_empty())?,
        master: node_address(master, asked)?,
        replicas: replicas
            .filter_map(|node| node_address(node, asked))
            .collect(),
    })
}

fn node_address(node: &Value, asked: &ConnectionAddr) -> Option<NodeAddress> {
    let Value::Array(node) = node else {
        return None;
    };
    let [host, port, ..] = node.as_slice() else {
        return None;
    };
    let host: Option<String> = from_redis_value_ref(host).ok()?;
    let port = from_redis_value_ref(port).ok()?;
    reachable(&host.unwrap_or_default(), port, asked)
}

/// The slot that a MOVED or ASK is about, and the node that it names.
pub(super) fn redirection(
    error: &RedisError,
    asked: &ConnectionAddr,
) -> Option<(Slot, NodeAddress)> {
    let (address, slot) = error.redirect_node()?;
    // An IPv6 address may stand without brackets.
    let (host, port) = address.rsplit_once(':')?;
    let address = reachable(host, port.parse().ok()?, asked)?;
    Some((Slot::new(slot)?, address))
}

/// A node without a host has the host that answered; a host `?` is unknown to the cluster itself.
fn reachable(host: &str, port: u16, asked: &ConnectionAddr) -> Option<NodeAddress> {
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
    use std::ops::RangeInclusive;

    use bb8_redis::redis::parse_redis_value;

    use super::*;

    fn asked() -> ConnectionAddr {
        ConnectionAddr::Tcp("asked".into(), 7_000)
    }

    fn parsed(line: &str) -> Value {
        parse_redis_value(line.as_bytes()).expect("an answer of Redis")
    }

    #[test]
    fn a_redirection_names_a_slot_and_a_node() {
        let to = |slot, host: &str, port| {
            let slot = Slot::new(slot).expect("below 16,384");
            Some((slot, (host.to_owned(), port)))
        };
        for (line, expected) in [
            ("MOVED 3999 127.0.0.1:6381", to(3_999, "127.0.0.1", 6_381)),
            ("ASK 0 redis-1.example:1", to(0, "redis-1.example", 1)),
            ("MOVED 16383 ::1:6381", to(16_383, "::1", 6_381)),
            ("MOVED 1 [::1]:6381", to(1, "::1", 6_381)),
            ("MOVED 1 :6381", to(1, "asked", 6_381)),
            ("MOVED 1 ?:6381", None),
            ("MOVED 1 127.0.0.1:0", None),
            ("MOVED 1 127.0.0.1:65536", None),
            ("MOVED 1 127.0.0.1", None),
            ("MOVED 16384 127.0.0.1:6381", None),
            ("MOVED 127.0.0.1:6381", None),
            ("MOVED", None),
            ("TRYAGAIN 1 127.0.0.1:6381", None),
        ] {
            let Value::ServerError(error) = parsed(&format!("-{line}\r\n")) else {
                panic!("{line} is an error")
            };
            assert_eq!(redirection(&error.into(), &asked()), expected, "{line}");
        }
    }

    #[test]
    fn a_slot_range_has_its_master_and_replicas_and_an_invalid_one_is_left_out() {
        let node = |host: &str, port| format!("*3\r\n{host}\r\n:{port}\r\n$2\r\nid\r\n");
        let named = |host: &str, port| node(&format!("${}\r\n{host}", host.len()), port);
        let range = |first: i32, last: i32, nodes: &[String]| {
            let (len, nodes) = (nodes.len() + 2, nodes.concat());
            parsed(&format!("*{len}\r\n:{first}\r\n:{last}\r\n{nodes}"))
        };
        let answer = Value::Array(vec![
            range(0, 5_000, &[named("a", 1), named("b", 2)]),
            range(5_001, 5_001, &[node("_", 3), named("?", 4)]),
            range(5_003, 16_384, &[named("b", 2)]),
            range(-1, 8, &[named("b", 2)]),
            range(9, 8, &[named("b", 2)]),
            range(6, 7, &[named("?", 5), named("c", 6)]),
            range(6, 7, &[]),
            Value::Okay,
        ]);
        let at = |host: &str, port| (host.to_owned(), port);
        let expected = |slots: RangeInclusive<u16>, master, replicas| SlotRange {
            slots: slots.filter_map(Slot::new).collect(),
            master,
            replicas,
        };
        assert_eq!(
            slot_ranges(&answer, &asked()),
            [
                expected(0..=5_000, at("a", 1), vec![at("b", 2)]),
                expected(5_001..=5_001, at("asked", 3), vec![]),
            ]
        );
        assert_eq!(slot_ranges(&Value::Okay, &asked()), []);
    }
}
