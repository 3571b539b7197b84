//! The one number that a position is in both files.

use cast_core::domain::{LogPosition, Offset, Partition};

use super::error::Error;

/// Partitions of a log at most.
const MAX_PARTITIONS: u32 = 1 << 15;

/// Records of a partition at most. At a million a second it takes nine years to write them.
const MAX_OFFSET: u64 = 1 << 48;

/// The number of a position; the positions of a partition are consecutive.
pub(super) fn number(partition: Partition, offset: Offset) -> Result<i64, Error> {
    let (partition, offset) = (partition.get(), offset.get());
    if partition >= MAX_PARTITIONS || offset >= MAX_OFFSET {
        return Err(Error::Unholdable(format!(
            "the position {partition}@{offset} is beyond the last one of a file"
        )));
    }
    let number = u64::from(partition) * MAX_OFFSET + offset;
    Ok(number.cast_signed())
}

/// The position of a number.
pub(super) fn position(number: i64) -> Result<LogPosition, Error> {
    let number = unsigned("a position", number)?;
    let partition = u32::try_from(number / MAX_OFFSET);
    let partition = partition.map_err(|_| Error::Row(format!("it has a position of {number}")))?;
    Ok(LogPosition {
        partition: Partition::new(partition),
        offset: Offset::new(number % MAX_OFFSET),
    })
}

/// A number that is stored and never negative.
pub(super) fn unsigned(what: &str, value: i64) -> Result<u64, Error> {
    u64::try_from(value).map_err(|_| Error::Row(format!("it has {what} of {value}")))
}

/// A number, to be stored.
pub(super) fn whole(what: &str, number: u64) -> Result<i64, Error> {
    i64::try_from(number)
        .map_err(|_| Error::Unholdable(format!("{what} of {number} is beyond 63 bits")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: u32, offset: u64) -> LogPosition {
        LogPosition {
            partition: Partition::new(partition),
            offset: Offset::new(offset),
        }
    }

    #[test]
    fn a_position_is_read_as_it_was_stored() {
        for place in [at(0, 0), at(0, 7), at(3, 0), at(32_767, MAX_OFFSET - 1)] {
            let stored = number(place.partition, place.offset).expect("in range");
            assert_eq!(position(stored).expect("a position"), place);
        }
        assert_eq!(
            number(Partition::new(1), Offset::START).expect("in range"),
            1 << 48
        );
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for place in [at(32_768, 0), at(0, MAX_OFFSET)] {
            let refused = number(place.partition, place.offset);
            assert!(matches!(refused, Err(Error::Unholdable(_))));
        }
        assert!(matches!(position(-1), Err(Error::Row(_))));
        assert!(matches!(
            whole("votes", u64::MAX),
            Err(Error::Unholdable(_))
        ));
    }
}
