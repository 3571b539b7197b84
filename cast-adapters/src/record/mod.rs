//! What a record looks like in a log that outlives the process.
//!
//! The bytes are a Protobuf message, so that others can read the log in any language; its schema is
//! `docs/record.proto`, and `docs/record.md` says what a reader and a writer must keep to. The code
//! here is written by hand rather than generated: it goes from the bytes straight to checked domain
//! types, takes no memory that the bytes do not warrant, and can say which ballot is at fault.
//!
//! # How the encoding grows
//!
//! - A field that a reader does not know is skipped. What only adds to a record, as the context of a
//!   trace does, gets a field of its own and no new version.
//! - What an old reader would misunderstand gets a new [`VERSION`]. Readers refuse a version that is
//!   newer than theirs, bytes and all, so readers are updated before writers.

mod decode;
mod encode;
mod wire;

pub use decode::{Decoded, decode};
pub use encode::{EncodeError, encode};

/// The version that is written. All versions from 1 to this one are read.
pub const VERSION: u32 = 1;

/// The most bytes of a record, written or read.
///
/// 512 ballots of 16 selections with names of 64 bytes take 671,752 bytes at most. It is below
/// Kafka's default limit of a topic's `max.message.bytes` (1,048,588), with room for what Kafka adds.
pub const MAX_BYTES: usize = 1_000_000;

/// The numbers of the fields, as `docs/record.proto` has them.
mod field {
    pub(super) mod record {
        pub(in crate::record) const VERSION: u32 = 1;
        pub(in crate::record) const PARTITIONS: u32 = 2;
        pub(in crate::record) const BALLOTS: u32 = 3;
    }

    pub(super) mod ballot {
        pub(in crate::record) const ID: u32 = 1;
        pub(in crate::record) const TICKET_KEY: u32 = 2;
        pub(in crate::record) const TICKET_ISSUED_AT_MS: u32 = 3;
        pub(in crate::record) const VOTER: u32 = 4;
        pub(in crate::record) const SELECTIONS: u32 = 5;
        pub(in crate::record) const TRACE: u32 = 6;
    }

    pub(super) mod selection {
        pub(in crate::record) const CANDIDATE: u32 = 1;
        pub(in crate::record) const VOTES: u32 = 2;
    }
}
