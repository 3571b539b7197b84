//! Reads a request's body, up to a limit.

use std::io;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, combinators::BoxBody};
use poem::Body;

/// How many times the limit is read and thrown away before the connection is closed: a client that is
/// cut off while it writes may never read the 413.
const GRACE: usize = 16;

/// Why a body could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is larger than the limit.
    TooLarge,
    /// It ended early, or is not valid HTTP.
    Broken,
}

/// Reads a body of at most `limit` bytes.
pub(super) async fn read(body: Body, limit: usize) -> Result<Bytes, BodyError> {
    let mut body: BoxBody<Bytes, io::Error> = body.into();
    let mut read = Bytes::new();
    let mut len = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else {
            continue;
        };
        len += data.len();
        if len > limit.saturating_mul(GRACE) {
            return Err(BodyError::TooLarge);
        }
        if len > limit {
            read = Bytes::new();
        } else if read.is_empty() {
            // Mostly the whole body: it is not copied.
            read = data;
        } else {
            let mut joined = BytesMut::from(read);
            joined.extend_from_slice(&data);
            read = joined.freeze();
        }
    }
    if len > limit {
        Err(BodyError::TooLarge)
    } else {
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn chunks(chunks: &[usize]) -> Body {
        let chunks: Vec<_> = chunks
            .iter()
            .map(|len| Ok::<_, io::Error>(Bytes::from(vec![b'x'; *len])))
            .collect();
        Body::from_bytes_stream(stream::iter(chunks))
    }

    #[tokio::test]
    async fn a_body_is_read_whole_in_any_number_of_frames() {
        for cut in [&[][..], &[10], &[3, 4, 3], &[1; 10]] {
            let len = cut.iter().sum();
            assert_eq!(read(chunks(cut), 10).await, Ok(vec![b'x'; len].into()));
        }
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused() {
        for cut in [&[11][..], &[5, 6], &[10, 1], &[100, 100, 100]] {
            assert_eq!(
                read(chunks(cut), 10).await,
                Err(BodyError::TooLarge),
                "{cut:?}"
            );
        }
    }
}
