//! The schema, as another program would have it generated.

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Record {
    #[prost(uint32, tag = "1")]
    pub(crate) version: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) partitions: u32,
    #[prost(message, repeated, tag = "3")]
    pub(crate) ballots: Vec<Ballot>,
    /// A field that is to come.
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) unheard_of: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Ballot {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) id: Vec<u8>,
    #[prost(uint32, tag = "2")]
    pub(crate) ticket_key: u32,
    #[prost(uint64, tag = "3")]
    pub(crate) ticket_issued_at_ms: u64,
    #[prost(string, tag = "4")]
    pub(crate) voter: String,
    #[prost(message, repeated, tag = "5")]
    pub(crate) selections: Vec<Selection>,
    #[prost(bytes = "vec", tag = "6")]
    pub(crate) trace: Vec<u8>,
    #[prost(fixed64, tag = "99")]
    pub(crate) unheard_of: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Selection {
    #[prost(string, tag = "1")]
    pub(crate) candidate: String,
    #[prost(uint32, tag = "2")]
    pub(crate) votes: u32,
}
