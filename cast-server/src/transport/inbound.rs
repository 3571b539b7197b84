//! Follows what a client sends: where its requests begin and end.

use super::{
    body_scan::BodyScan,
    head::{HeadScan, Scan},
};

/// Where in its requests a client is.
///
/// Clients may send a request before the one ahead of it is answered, and cut them into pieces as
/// they like: so each byte is looked at, whatever has been answered.
#[derive(Debug, Default)]
pub(super) enum Inbound {
    /// Behind a whole request, or before the first.
    #[default]
    Between,
    /// In the middle of a head.
    Head(HeadScan),
    /// In the middle of a body.
    Body(BodyScan),
}

/// What a client must not send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// A head that is longer than it may be.
    HeadTooLong,
    /// HTTP/2, without having been asked to.
    Http2,
}

/// What came with a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Received {
    /// How many heads were complete with it; they are owed an answer, whatever follows.
    pub(super) heads: usize,
    /// What must not be there, behind them.
    pub(super) broken: Option<Broken>,
    /// How many bytes of the piece are to be read: all, or those before what must not be there.
    pub(super) readable: usize,
}

impl Inbound {
    /// Takes in the next piece.
    pub(super) fn push(&mut self, piece: &[u8], max_head_len: usize) -> Received {
        let (mut rest, mut heads) = (piece, 0);
        // Where the request begins that is coming in.
        let mut begin = 0;
        let until = |readable, heads, broken| Received {
            heads,
            broken,
            readable,
        };
        while !rest.is_empty() {
            let taken = match self {
                Self::Between => {
                    begin = piece.len() - rest.len();
                    *self = Self::Head(HeadScan::default());
                    continue;
                }
                Self::Head(scan) => match scan.push(rest, max_head_len) {
                    Scan::Open => rest.len(),
                    Scan::TooLong => return until(begin, heads, Some(Broken::HeadTooLong)),
                    Scan::Http2 => return until(begin, heads, Some(Broken::Http2)),
                    Scan::Complete { taken, body } => {
                        heads += 1;
                        *self = body.map_or(Self::Between, Self::Body);
                        taken
                    }
                },
                Self::Body(scan) => {
                    let (taken, is_whole) = scan.push(rest);
                    if is_whole {
                        *self = Self::Between;
                    }
                    taken
                }
            };
            rest = &rest[taken..];
        }
        until(piece.len(), heads, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_LEN: usize = 1_000;

    /// Requests of every form, each with the bytes of its head.
    const REQUESTS: [(&str, &str); 7] = [
        ("GET / HTTP/1.1\r\nhost: x\r\n\r\n", ""),
        ("GET / HTTP/1.1\nhost: x\n\n", ""),
        ("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", "G\r\n\r\n"),
        ("POST / HTTP/1.1\r\ncontent-length:0\r\n\r\n", ""),
        (
            "\r\nPOST / HTTP/1.1\r\nhost: x\r\ncontent-length: \t12 \r\nx: y\r\n\r\n",
            "{\"query\":\"\"}",
        ),
        (
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
            "a;x=\"y\"\r\n0123456789\r\n1 \r\n\n\r\n0\r\n\r\n",
        ),
        (
            "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\ncontent-length: 1\r\n\r\n",
            "0B\r\n\r\n\r\nGET / H\r\n00\r\ntrailer: z\r\n\r\n",
        ),
    ];

    const fn fine(heads: usize, readable: usize) -> Received {
        Received {
            heads,
            broken: None,
            readable,
        }
    }

    fn whole() -> String {
        REQUESTS.map(|(head, body)| [head, body].concat()).concat()
    }

    #[test]
    fn every_request_ends_where_it_ends_however_it_is_cut() {
        let all = whole();
        let all = all.as_bytes();
        for size in [1, 2, 3, 7, 50, all.len()] {
            let mut inbound = Inbound::default();
            let heads: usize = all
                .chunks(size)
                .map(|piece| {
                    let received = inbound.push(piece, MAX_LEN);
                    assert_eq!(received.broken, None);
                    received.heads
                })
                .sum();
            assert_eq!(heads, REQUESTS.len(), "{size}");
            assert!(matches!(inbound, Inbound::Between), "{size} {inbound:?}");
        }
    }

    #[test]
    fn what_is_begun_is_known_for_what_it_is() {
        for (head, body) in REQUESTS {
            for cut in 1..head.len() {
                let mut inbound = Inbound::default();
                let heads = inbound.push(&head.as_bytes()[..cut], MAX_LEN);
                assert_eq!(heads, fine(0, cut), "{head:?} {cut}");
                assert!(matches!(inbound, Inbound::Head(_)), "{head:?} {cut}");
            }
            for cut in 0..body.len() {
                let mut inbound = Inbound::default();
                let begun = [head, &body[..cut]].concat();
                let received = inbound.push(begun.as_bytes(), MAX_LEN);
                assert_eq!(received, fine(1, begun.len()), "{begun:?}");
                assert!(matches!(inbound, Inbound::Body(_)), "{begun:?}");
            }
        }
    }

    #[test]
    fn a_head_is_no_longer_than_it_may_be_wherever_it_begins() {
        let filler = "x-filler: 0123456789\r\n".repeat(MAX_LEN);
        for before in [String::new(), whole()] {
            for size in [1, 100, before.len() + filler.len()] {
                let begun = format!("{before}GET / HTTP/1.1\r\n{filler}");
                let mut inbound = Inbound::default();
                let broken = begun
                    .as_bytes()
                    .chunks(size)
                    .find_map(|piece| inbound.push(piece, MAX_LEN).broken);
                assert_eq!(broken, Some(Broken::HeadTooLong), "{size}");
            }
        }
        // Each of them counts from its own beginning.
        let mut inbound = Inbound::default();
        let many = "GET / HTTP/1.1\r\n\r\n".repeat(MAX_LEN);
        let received = inbound.push(many.as_bytes(), MAX_LEN);
        assert_eq!(received, fine(MAX_LEN, many.len()));
    }

    #[test]
    fn requests_ahead_of_what_must_not_be_there_are_counted_however_they_are_cut() {
        let filler = "x-filler: 0123456789\r\n".repeat(MAX_LEN);
        for (behind, broken) in [
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Broken::Http2),
            (&*format!("GET / HTTP/1.1\r\n{filler}"), Broken::HeadTooLong),
            (
                &*format!("GET / HTTP/1.1\r\n{filler}\r\n"),
                Broken::HeadTooLong,
            ),
        ] {
            let all = [&*whole(), behind].concat();
            for size in [1, 50, all.len()] {
                let mut inbound = Inbound::default();
                let mut heads = 0;
                let found = all.as_bytes().chunks(size).find_map(|piece| {
                    let received = inbound.push(piece, MAX_LEN);
                    heads += received.heads;
                    received.broken.map(|broken| (broken, received.readable))
                });
                assert_eq!(heads, REQUESTS.len(), "{size}");
                let (found, readable) = found.expect("it is found");
                assert_eq!(found, broken, "{size}");
                // Of the piece that it begins in, what is ahead may be read.
                if size == all.len() {
                    assert_eq!(readable, all.len() - behind.len());
                }
            }
        }
    }
}
