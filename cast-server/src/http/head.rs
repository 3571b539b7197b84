//! Finds the end of a request's head in the bytes as they come.

/// What a scan has found so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// The head goes on.
    Open,
    /// The head is complete; what follows is its body, or the next request.
    Complete,
    /// The head is longer than it may be.
    TooLong,
    /// The client speaks HTTP/2 without having been asked to.
    Http2,
}

/// How the preface of HTTP/2 begins, and no request of HTTP/1.1.
const PREFACE: [u8; 4] = *b"PRI ";

/// Reads along while a head comes in, in pieces of any size.
///
/// Lines end in LF, with or without CR before it, and empty lines before the request line do not
/// count, as the HTTP parser behind it has it.
#[derive(Debug, Default)]
pub(super) struct HeadScan {
    /// All bytes so far.
    len: usize,
    /// The first of them.
    first: [u8; PREFACE.len()],
    /// Bytes of the line that is coming in, other than CR.
    line_len: usize,
    /// Whether a line that is not empty has ended.
    has_line: bool,
}

impl HeadScan {
    /// Takes in the next piece.
    pub(super) fn push(&mut self, bytes: &[u8], max_len: usize) -> Scan {
        if self.len < self.first.len() {
            for (slot, byte) in self.first[self.len..].iter_mut().zip(bytes) {
                *slot = *byte;
            }
            if self.first == PREFACE {
                return Scan::Http2;
            }
        }
        self.len += bytes.len();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let is_empty = self.line_len == 0 && matches!(rest[..end], [] | [b'\r']);
            if is_empty && self.has_line {
                return Scan::Complete;
            }
            self.has_line |= !is_empty;
            self.line_len = 0;
            rest = &rest[end + 1..];
        }
        self.line_len += rest.iter().filter(|byte| **byte != b'\r').count();
        if self.len > max_len {
            Scan::TooLong
        } else {
            Scan::Open
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_LEN: usize = 1_000;

    /// What a scan says after the last of the pieces.
    fn scan<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Scan {
        let mut scan = HeadScan::default();
        let mut last = Scan::Open;
        for piece in pieces {
            last = scan.push(piece, MAX_LEN);
        }
        last
    }

    #[test]
    fn a_head_ends_with_its_first_empty_line_however_it_is_cut() {
        for head in [
            "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
            "GET / HTTP/1.1\nhost: x\n\n",
            "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        ] {
            let head = head.as_bytes();
            assert_eq!(scan([head]), Scan::Complete);
            assert_eq!(scan(head.chunks(1)), Scan::Complete);
            for cut in 0..head.len() {
                let (start, end) = head.split_at(cut);
                assert_eq!(scan([start]), Scan::Open, "{cut}");
                assert_eq!(scan([start, end]), Scan::Complete, "{cut}");
            }
        }
    }

    #[test]
    fn a_head_that_never_ends_is_too_long_at_some_point() {
        let line = b"x-filler: 0123456789\r\n";
        assert_eq!(scan([&line[..]].repeat(10)), Scan::Open);
        assert_eq!(scan([&line[..]].repeat(100)), Scan::TooLong);
        assert_eq!(scan([&b"\r\n"[..]].repeat(MAX_LEN)), Scan::TooLong);
    }

    #[test]
    fn the_preface_of_http_2_is_known_however_it_is_cut() {
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        assert_eq!(scan([&preface[..]]), Scan::Http2);
        assert_eq!(scan(preface[..4].chunks(1)), Scan::Http2);
        assert_eq!(scan([&b"PRIX / HTTP/1.1\r\n\r\n"[..]]), Scan::Complete);
        assert_eq!(scan([&b"GET /PRI HTTP/1.1\r\n\r\n"[..]]), Scan::Complete);
    }
}
