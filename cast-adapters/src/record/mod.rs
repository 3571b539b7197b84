//! The encoding of a record in a log that outlives the process.
//!
//! A record is a Protobuf message, so that other programs can read the log in any language. Its schema
//! is `docs/record.proto`, and `docs/record.md` says what readers and writers must keep to.
//!
//! # How the encoding grows
//!
//! - A reader skips the fields that it does not know. An addition that old readers can do without, such
//!   as the context of a trace, is a new field, and the version stays.
//! - A change that an old reader would misunderstand is a new [`VERSION`]. Readers refuse a version that
//!   is newer than theirs, so readers are updated before writers.

mod decode;
mod encode;
mod schema;

pub use decode::{BallotDecoder, Decoded, decode};
pub use encode::{EncodeError, encode, encode_ballot};
pub use schema::{MAX_BYTES, VERSION};
