//! The wire format of Protobuf, as far as records need it.

/// Why bytes are no Protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WireError {
    #[error("the bytes end in the middle of a field")]
    Truncated,
    #[error("a number has more than 64 bits")]
    Overlong,
    #[error("a field has wire type {0}, which nothing in use has")]
    WireType(u8),
    #[error("a field has the number 0")]
    FieldZero,
    #[error("field {field} has another wire type than its own")]
    Mismatch { field: u32 },
    #[error("field {field} holds {value}, which is beyond its type")]
    OutOfRange { field: u32, value: u64 },
    #[error("field {field} is no UTF-8")]
    NotUtf8 { field: u32 },
}

/// A field's value, borrowed from the message.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    /// Of a type that no field of ours has.
    Other,
}

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    pub(super) number: u32,
    value: Value<'a>,
}

/// The fields of a message, one after the other; allocates nothing.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) const fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn field(&mut self) -> Result<Field<'a>, WireError> {
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).map_err(|_| WireError::Overlong)?;
        if number == 0 {
            return Err(WireError::FieldZero);
        }
        let value = match (key & 0b111) as u8 {
            0 => Value::Varint(self.varint()?),
            1 => self.take(8).map(|_| Value::Other)?,
            2 => {
                // A length beyond the address space is also beyond the message.
                let len = usize::try_from(self.varint()?).map_err(|_| WireError::Truncated)?;
                Value::Bytes(self.take(len)?)
            }
            5 => self.take(4).map(|_| Value::Other)?,
            other => return Err(WireError::WireType(other)),
        };
        Ok(Field { number, value })
    }

    fn varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or(WireError::Truncated)?;
            self.rest = rest;
            let bits = u64::from(byte & 0x7F);
            if shift == 63 && bits > 1 {
                return Err(WireError::Overlong);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(WireError::Overlong)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.rest.is_empty()).then(|| self.field())
    }
}

impl<'a> Field<'a> {
    pub(super) const fn u64(self) -> Result<u64, WireError> {
        match self.value {
            Value::Varint(value) => Ok(value),
            Value::Bytes(_) | Value::Other => Err(self.mismatch()),
        }
    }

    /// A number of a smaller type. Protobuf would cut it off, and a vote must not become another.
    pub(super) fn number<T: TryFrom<u64>>(self) -> Result<T, WireError> {
        let value = self.u64()?;
        T::try_from(value).map_err(|_| WireError::OutOfRange {
            field: self.number,
            value,
        })
    }

    pub(super) const fn bytes(self) -> Result<&'a [u8], WireError> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            Value::Varint(_) | Value::Other => Err(self.mismatch()),
        }
    }

    pub(super) fn text(self) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| WireError::NotUtf8 { field: self.number })
    }

    const fn mismatch(self) -> WireError {
        WireError::Mismatch { field: self.number }
    }
}

/// Appends a number; zero is what its absence means, and is left out.
pub(super) fn put_number(out: &mut Vec<u8>, field: u32, value: u64) {
    if value != 0 {
        put_varint(out, u64::from(field) << 3);
        put_varint(out, value);
    }
}

/// Appends bytes or a text.
pub(super) fn put_bytes(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    put_varint(out, u64::from(field) << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a message, which `write` writes.
pub(super) fn put_message(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    put_varint(out, u64::from(field) << 3 | 2);
    let start = out.len();
    // Its length stands before it and is known behind it. Most messages are shorter than 128 bytes,
    // whose length is one byte; a longer one makes room for more.
    out.push(0);
    write(out);
    let len = out.len() - start - 1;
    if len < 0x80 {
        out[start] = low_bits(len as u64);
    } else {
        let mut prefix = Vec::with_capacity(5);
        put_varint(&mut prefix, len as u64);
        out.splice(start..=start, prefix);
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(low_bits(value) | 0x80);
        value >>= 7;
    }
    out.push(low_bits(value));
}

fn low_bits(value: u64) -> u8 {
    (value & 0x7F) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<u32>, WireError> {
        Fields::of(bytes)
            .map(|field| field.map(|field| field.number))
            .collect()
    }

    #[test]
    fn numbers_of_every_length_are_read_as_written() {
        for value in (0..64)
            .map(|shift| 1_u64 << shift)
            .chain([u64::MAX, 127, 300])
        {
            let mut out = Vec::new();
            put_number(&mut out, 7, value);
            let field = Fields::of(&out).next().expect("a field").expect("whole");
            assert_eq!((field.number, field.u64()), (7, Ok(value)));
        }
    }

    #[test]
    fn messages_of_every_length_are_read_as_written() {
        for len in [0, 1, 127, 128, 129, 16_383, 16_384, 70_000] {
            let inside = vec![0xAB; len];
            let mut out = vec![];
            put_message(&mut out, 3, |out| out.extend_from_slice(&inside));
            put_number(&mut out, 1, 5);
            let mut fields = Fields::of(&out);
            let message = fields.next().expect("a field").expect("whole");
            assert_eq!(message.bytes(), Ok(inside.as_slice()));
            assert_eq!(fields.next().expect("a field").expect("whole").u64(), Ok(5));
            assert!(fields.next().is_none());
        }
    }

    #[test]
    fn what_is_cut_off_or_overlong_is_refused() {
        assert_eq!(read(&[0x08]), Err(WireError::Truncated));
        assert_eq!(read(&[0x1A, 5, 1, 2]), Err(WireError::Truncated));
        assert_eq!(read(&[0x09, 0, 0]), Err(WireError::Truncated));
        assert_eq!(read(&[0x00, 1]), Err(WireError::FieldZero));
        assert_eq!(read(&[0x0B]), Err(WireError::WireType(3)));
        let mut overlong = vec![0x08];
        overlong.extend([0xFF; 9]);
        overlong.push(2);
        assert_eq!(read(&overlong), Err(WireError::Overlong));
        // A length near the top of 64 bits asks for nothing.
        let mut huge = vec![0x1A];
        put_varint(&mut huge, u64::MAX);
        assert_eq!(read(&huge), Err(WireError::Truncated));
    }

    #[test]
    fn fields_of_types_that_we_do_not_use_are_stepped_over() {
        let bytes = [0x09, 0, 0, 0, 0, 0, 0, 0, 0, 0x15, 0, 0, 0, 0, 0x18, 1];
        assert_eq!(read(&bytes), Ok(vec![1, 2, 3]));
    }
}
