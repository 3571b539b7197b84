//! The messages of `docs/record.proto`, as prost derives them.
//!
//! Three things differ from the schema, and none of them changes the bytes:
//!
//! - Every number is a `u64`. For a `uint32`, prost drops the bits above 32 without an error, and votes
//!   would turn into another number of votes. [`decode`](super::decode) checks the ranges.
//! - The ballots of a record are `bytes`. Each is decoded by itself, so an error can name the ballot.
//! - Texts are `bytes`. They share the memory of the record, and a name is checked once per record.

use prost::bytes::Bytes;

/// The version that is written. All versions from 1 to this one are read.
pub const VERSION: u32 = 1;

/// The most bytes of a record, written or read.
///
/// 512 ballots of 16 selections with names of 64 bytes take 671,752 bytes at most. The limit is below
/// Kafka's default limit of a topic's `max.message.bytes` (1,048,588), with room for what Kafka adds.
pub const MAX_BYTES: usize = 1_000_000;

/// The version alone: the other fields may have another meaning in another version.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Version {
    #[prost(uint64, tag = "1")]
    pub(super) version: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Record {
    #[prost(uint64, tag = "1")]
    pub(super) version: u64,
    #[prost(uint64, tag = "2")]
    pub(super) partitions: u64,
    /// Each a [`TracedBallot`].
    #[prost(bytes = "bytes", repeated, tag = "3")]
    pub(super) ballots: Vec<Bytes>,
}

/// A ballot with all its fields.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct TracedBallot {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) id: Bytes,
    #[prost(uint64, tag = "2")]
    pub(super) ticket_key: u64,
    #[prost(uint64, tag = "3")]
    pub(super) ticket_issued_at_ms: u64,
    #[prost(bytes = "bytes", tag = "4")]
    pub(super) voter: Bytes,
    #[prost(message, repeated, tag = "5")]
    pub(super) selections: Vec<Selection>,
    #[prost(bytes = "bytes", tag = "6")]
    pub(super) trace: Bytes,
}

/// A ballot without its `trace`, for one whose `trace` cannot be decoded.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Ballot {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) id: Bytes,
    #[prost(uint64, tag = "2")]
    pub(super) ticket_key: u64,
    #[prost(uint64, tag = "3")]
    pub(super) ticket_issued_at_ms: u64,
    #[prost(bytes = "bytes", tag = "4")]
    pub(super) voter: Bytes,
    #[prost(message, repeated, tag = "5")]
    pub(super) selections: Vec<Selection>,
}

impl From<Ballot> for TracedBallot {
    fn from(ballot: Ballot) -> Self {
        Self {
            id: ballot.id,
            ticket_key: ballot.ticket_key,
            ticket_issued_at_ms: ballot.ticket_issued_at_ms,
            voter: ballot.voter,
            selections: ballot.selections,
            trace: Bytes::new(),
        }
    }
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Selection {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) candidate: Bytes,
    #[prost(uint64, tag = "2")]
    pub(super) votes: u64,
}
