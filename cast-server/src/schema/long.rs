//! Numbers of 64 bits.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

/// A whole number from 0 to 2^64 - 1, written as a JSON number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Long(pub(super) u64);

/// A whole number from 0 to 2^64 - 1, written as a JSON number: read it as an integer of 64 bits,
/// for a floating point number is exact only up to 2^53.
#[Scalar(name = "Long")]
impl ScalarType for Long {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => number
                .as_u64()
                .map(Self)
                .ok_or_else(|| InputValueError::custom("not a whole number from 0 to 2^64 - 1")),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::Number(number) if number.is_u64())
    }

    fn to_value(&self) -> Value {
        Value::from(self.0)
    }
}
