//! The chain of checksums.
//!
//! SQLite checks no pages: a flipped bit in a row is read as it is, and a WAL that is torn ends early,
//! without an error. So each record has a CRC-32C over itself and the checksum before it. A record that
//! is altered, missing, doubled or out of its place breaks the chain.
//!
//! What the chain cannot find is a log that lost its end as a whole: what is left is a shorter log that is
//! in order. The store finds that, if it has applied more.

use super::schema::Row;
use crate::sqlite::error::Error;

/// The checksum before the first record of every partition.
pub(super) const FIRST: u32 = 0;

/// The checksum of a record after the one with checksum `before`.
pub(super) fn crc(before: u32, row: &Row) -> u32 {
    let head = [
        u64::from(before),
        row.position.cast_unsigned(),
        row.appended_at.cast_unsigned(),
    ];
    let crc = head.iter().fold(0, |crc, number| {
        crc32c::crc32c_append(crc, &number.to_be_bytes())
    });
    crc32c::crc32c_append(crc, &row.bytes)
}

/// A checksum, as it is stored.
pub(super) fn stored(crc: i64) -> Result<u32, Error> {
    u32::try_from(crc).map_err(|_| Error::Row(format!("it has a checksum of {crc}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            position: 7,
            appended_at: 1_000,
            crc: 0,
            bytes: b"bytes".to_vec(),
        }
    }

    #[test]
    fn the_checksum_is_a_crc_32c_of_all_that_identifies_a_record() {
        // Known answer, from Python: crc32c.crc32c(struct.pack('>QQQ', 5, 7, 1000) + b'bytes')
        assert_eq!(crc(5, &row()), 290_410_974);
    }

    #[test]
    fn every_part_of_a_record_changes_it() {
        let mut others = [row(), row(), row(), row()];
        others[0].position += 1;
        others[1].appended_at += 1;
        others[2].bytes[0] ^= 1;
        others[3].bytes.push(0);
        let crc_of = crc(5, &row());
        assert_ne!(crc(6, &row()), crc_of);
        for other in others {
            assert_ne!(crc(5, &other), crc_of);
        }
    }
}
