//! Finds the end of a request's body in the bytes as they come.

/// What is still to come of a body.
///
/// It is read as generously as anybody might: where the HTTP parser behind it is stricter, the
/// connection ends, and what this scan thinks of it does not matter any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyScan {
    /// So many bytes.
    Length(u64),
    /// In the line with a chunk's length, behind so many of it.
    ChunkLen(u64),
    /// In the rest of that line.
    ChunkExtension(u64),
    /// In a chunk's data and the end of line behind it, before so many bytes.
    Chunk(u64),
    /// Behind the last chunk, so far in a line of it.
    Trailers(usize),
}

impl BodyScan {
    /// A body in chunks.
    pub(super) const CHUNKED: Self = Self::ChunkLen(0);

    /// Takes in the next piece: how many bytes of it are the body's, and whether it ends with them.
    pub(super) fn push(&mut self, piece: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while at < piece.len() {
            match self {
                Self::Length(left) => {
                    let taken = skip(left, piece);
                    return (taken, *left == 0);
                }
                Self::Chunk(left) => {
                    at += skip(left, &piece[at..]);
                    if *left == 0 {
                        *self = Self::CHUNKED;
                    }
                }
                Self::ChunkLen(_) | Self::ChunkExtension(_) => {
                    self.chunk_line(piece[at]);
                    at += 1;
                }
                Self::Trailers(line_len) => {
                    let byte = piece[at];
                    at += 1;
                    match byte {
                        b'\n' if *line_len == 0 => return (at, true),
                        b'\n' => *line_len = 0,
                        b'\r' => {}
                        _ => *line_len += 1,
                    }
                }
            }
        }
        (piece.len(), false)
    }

    fn chunk_line(&mut self, byte: u8) {
        let (Self::ChunkLen(len) | Self::ChunkExtension(len)) = *self else {
            return;
        };
        let digit = char::from(byte).to_digit(16).map(u64::from);
        *self = match (byte, digit, &self) {
            (b'\n', ..) if len == 0 => Self::Trailers(0),
            // Its end of line is CR and LF, and nothing else.
            (b'\n', ..) => Self::Chunk(len.saturating_add(2)),
            (_, Some(digit), Self::ChunkLen(_)) => {
                Self::ChunkLen(len.saturating_mul(16).saturating_add(digit))
            }
            _ => Self::ChunkExtension(len),
        };
    }
}

/// Takes as much as is left, or there is.
fn skip(left: &mut u64, piece: &[u8]) -> usize {
    let taken = usize::try_from(*left).map_or(piece.len(), |left| left.min(piece.len()));
    *left -= taken as u64;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_that_no_body_has_is_counted_all_the_same() {
        let mut scan = BodyScan::Length(u64::MAX);
        assert_eq!(scan.push(&[0; 100]), (100, false));
        let mut scan = BodyScan::CHUNKED;
        let line = [b"f".repeat(40), b"\r\n".to_vec()].concat();
        assert_eq!(scan.push(&line), (line.len(), false));
        assert_eq!(scan, BodyScan::Chunk(u64::MAX));
    }
}
