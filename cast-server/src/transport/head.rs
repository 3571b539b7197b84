//! Finds the end of a request's head in the bytes as they come.

use memchr::memchr;

use super::body_scan::BodyScan;

/// What a scan has found so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// The head goes on.
    Open,
    /// The head is complete with so many bytes of the piece; this body follows.
    Complete {
        taken: usize,
        body: Option<BodyScan>,
    },
    /// The head is longer than it may be.
    TooLong,
    /// The client speaks HTTP/2 without having been asked to.
    Http2,
}

/// How the preface of HTTP/2 begins, and no request of HTTP/1.1.
const PREFACE: &[u8] = b"PRI ";

/// Reads along while a head comes in, in pieces of any size.
///
/// Lines end in LF, with or without CR before it, and empty lines before the request line do not
/// count, as the HTTP parser behind it has it. Only a line that comes in pieces is kept until its
/// end has come.
#[derive(Debug, Default)]
pub(super) struct HeadScan {
    /// The bytes of all lines that have ended.
    len: usize,
    /// The beginning of the line that is coming in.
    line: Vec<u8>,
    /// Whether a line that is not empty has ended.
    has_line: bool,
    length: Option<u64>,
    is_chunked: bool,
}

impl HeadScan {
    /// Takes in the next piece.
    ///
    /// What is found does not depend on how the bytes are cut: each limit is looked at where it lies.
    pub(super) fn push(&mut self, piece: &[u8], max_len: usize) -> Scan {
        let mut rest = piece;
        while let Some(end) = memchr(b'\n', rest) {
            let (line, after) = (&rest[..end], &rest[end + 1..]);
            let line_len = self.line.len() + line.len() + 1;
            let is_last = if self.line.is_empty() {
                self.take_line(line)
            } else {
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(line);
                self.take_line(&whole)
            };
            if is_last == Line::Preface && self.has_room_for_preface(max_len) {
                return Scan::Http2;
            }
            self.len += line_len;
            if self.len > max_len {
                return Scan::TooLong;
            }
            if self.has_line && is_last == Line::Empty {
                let taken = piece.len() - after.len();
                return Scan::Complete {
                    taken,
                    body: self.body(),
                };
            }
            rest = after;
        }
        self.line.extend_from_slice(rest);
        let is_preface = !self.has_line && self.line.starts_with(PREFACE);
        if is_preface && self.has_room_for_preface(max_len) {
            return Scan::Http2;
        }
        if self.len + self.line.len() > max_len {
            return Scan::TooLong;
        }
        Scan::Open
    }

    /// Whether a preface that begins here is seen before the head is too long.
    const fn has_room_for_preface(&self, max_len: usize) -> bool {
        self.len + PREFACE.len() <= max_len
    }

    fn take_line(&mut self, line: &[u8]) -> Line {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return Line::Empty;
        }
        if !self.has_line {
            self.has_line = true;
            if line.starts_with(PREFACE) {
                return Line::Preface;
            }
            return Line::Other;
        }
        // The only two headers that say where a body ends.
        if matches!(line[0] | 0x20, b'c' | b't') {
            self.take_header(line);
        }
        Line::Other
    }

    fn take_header(&mut self, line: &[u8]) {
        let Some(colon) = memchr(b':', line) else {
            return;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            self.length = std::str::from_utf8(value)
                .ok()
                .and_then(|text| text.parse().ok());
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            // It must be the last of them.
            let last = value.rsplit(|byte| *byte == b',').next().unwrap_or(value);
            self.is_chunked = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
        }
    }

    /// The body that follows; in chunks, whatever length was said as well.
    fn body(&self) -> Option<BodyScan> {
        if self.is_chunked {
            return Some(BodyScan::CHUNKED);
        }
        self.length
            .filter(|length| *length > 0)
            .map(BodyScan::Length)
    }
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Empty,
    Preface,
    Other,
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

    fn is_complete(scan: Scan) -> bool {
        matches!(scan, Scan::Complete { .. })
    }

    #[test]
    fn a_head_ends_with_its_first_empty_line_however_it_is_cut() {
        for head in [
            "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
            "GET / HTTP/1.1\nhost: x\n\n",
            "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        ] {
            let head = head.as_bytes();
            let whole = Scan::Complete {
                taken: head.len(),
                body: None,
            };
            assert_eq!(scan([head]), whole);
            assert!(is_complete(scan(head.chunks(1))));
            for cut in 0..head.len() {
                let (start, end) = head.split_at(cut);
                assert_eq!(scan([start]), Scan::Open, "{cut}");
                assert!(is_complete(scan([start, end])), "{cut}");
            }
        }
    }

    #[test]
    fn a_head_that_never_ends_is_too_long_at_some_point() {
        let line = b"x-filler: 0123456789\r\n";
        assert_eq!(scan([&line[..]].repeat(10)), Scan::Open);
        assert_eq!(scan([&line[..]].repeat(100)), Scan::TooLong);
        assert_eq!(scan([&b"\r\n"[..]].repeat(MAX_LEN)), Scan::TooLong);
        assert_eq!(scan([&b"x"[..]].repeat(MAX_LEN + 1)), Scan::TooLong);
    }

    #[test]
    fn the_preface_of_http_2_is_known_however_it_is_cut() {
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        assert_eq!(scan([&preface[..]]), Scan::Http2);
        assert_eq!(scan(preface[..4].chunks(1)), Scan::Http2);
        assert!(is_complete(scan([&b"PRIX / HTTP/1.1\r\n\r\n"[..]])));
        assert!(is_complete(scan([&b"GET /PRI HTTP/1.1\r\n\r\n"[..]])));
    }
}
