//! The ballot, as it is stored in the log.

use sha2::{Digest, Sha256};

use super::{
    ballot::{Ballot, Selections},
    ballot_id::BallotId,
    name::Voter,
    ticket::TicketStamp,
    trace::TraceContext,
};

/// A ballot, as it is stored in the log.
#[derive(Clone, Debug)]
pub struct LoggedBallot {
    /// The ballot's id, chosen by the client or minted.
    pub id: BallotId,
    /// Identifies the ticket that it was cast with.
    pub ticket: TicketStamp,
    /// The voter's name, if the ballot has one.
    pub voter: Option<Voter>,
    /// The selections, in the voter's order.
    pub selections: Selections,
    /// The trace that the ballot belongs to, if it is traced. The store does not keep it.
    pub trace: Option<TraceContext>,
}

/// Ballots with the same contents are equal: the trace is not part of the contents.
impl PartialEq for LoggedBallot {
    fn eq(&self, other: &Self) -> bool {
        // Destructured, so that a new field cannot be forgotten here.
        let Self {
            id,
            ticket,
            voter,
            selections,
            trace: _,
        } = self;
        *id == other.id
            && *ticket == other.ticket
            && *voter == other.voter
            && *selections == other.selections
    }
}

impl Eq for LoggedBallot {}

impl LoggedBallot {
    /// A ballot under `id`, cast with the ticket that `ticket` identifies.
    pub(crate) fn of(ballot: &Ballot, id: BallotId, ticket: TicketStamp) -> Self {
        Self {
            id,
            ticket,
            voter: ballot.voter().cloned(),
            selections: ballot.selections().clone(),
            trace: ballot.trace(),
        }
    }

    /// A digest of the voter and the selections in their order. The id and the ticket are not part of it,
    /// because a retry may come with a newer ticket.
    pub fn contents(&self) -> ContentsDigest {
        let mut hash = Sha256::new();
        // A name is never empty, so an empty text stands for no voter.
        add_text(&mut hash, self.voter.as_ref().map_or("", Voter::as_str));
        for selection in self.selections.iter() {
            add_text(&mut hash, selection.candidate.as_str());
            hash.update(selection.votes.get().to_be_bytes());
        }
        let digest: [u8; 32] = hash.finalize().into();
        ContentsDigest(
            digest
                .first_chunk()
                .copied()
                .expect("a digest has 32 bytes"),
        )
    }
}

/// Adds a text after its length, so that different contents never hash the same bytes.
fn add_text(hash: &mut Sha256, text: &str) {
    hash.update([u8::try_from(text.len()).expect("a name has at most 64 bytes")]);
    hash.update(text);
}

/// Identifies the contents of a ballot: the first 16 bytes of a SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentsDigest([u8; 16]);

impl ContentsDigest {
    /// The digest with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{KeyId, Ticket, Timestamp};

    const TICKET: Ticket = Ticket::from_bytes([0; Ticket::LEN]);

    fn logged(ballot: &Ballot) -> LoggedBallot {
        let id = "0193b3a0-0000-7000-8000-000000000001"
            .parse()
            .expect("an id");
        let stamp = TicketStamp {
            key_id: KeyId::new(0),
            issued_at: Timestamp::default(),
        };
        LoggedBallot::of(ballot, id, stamp)
    }

    #[test]
    fn a_trace_is_kept_and_is_no_part_of_the_contents() {
        let trace = TraceContext::from_bytes([7; TraceContext::LEN]).expect("a context");
        let ballot = Ballot::new(TICKET).select("alice", 1).expect("a ballot");
        let (plain, traced) = (logged(&ballot), logged(&ballot.traced(trace)));
        assert_eq!((plain.trace, traced.trace), (None, Some(trace)));
        assert_eq!(plain, traced);
        assert_eq!(plain.contents(), traced.contents());
    }

    #[test]
    fn the_digest_changes_with_selections_and_voter_and_not_with_the_ticket() {
        let ballot = Ballot::new(TICKET).select("alice", 1).expect("a ballot");
        let same = Ballot::new(Ticket::from_bytes([1; 32]))
            .select("alice", 1)
            .expect("a ballot");
        let others = [
            Ballot::new(TICKET).select("alice", 2).expect("a ballot"),
            Ballot::new(TICKET).select("alice", 11).expect("a ballot"),
            Ballot::new(TICKET).select("alic", 1).expect("a ballot"),
            ballot.clone().select("bob", 1).expect("a ballot"),
            ballot.clone().by("alice").expect("a ballot"),
        ];
        let digest = logged(&ballot).contents();
        assert_eq!(digest, logged(&same).contents());
        assert!(
            others
                .iter()
                .all(|other| logged(other).contents() != digest)
        );
    }

    #[test]
    fn a_digest_is_made_of_its_bytes() {
        let bytes = *b"sixteen bytes, a";
        assert_eq!(ContentsDigest::from_bytes(bytes).as_bytes(), &bytes);
    }

    #[test]
    fn the_digest_is_sha256_over_lengths_names_and_votes() {
        // Known answer, from Python: hashlib.sha256(b"\x05carol\x05alice\0\0\x01\x02").digest()[:16]
        let ballot = Ballot::new(TICKET).select("alice", 258);
        let ballot = ballot.and_then(|ballot| ballot.by("carol"));
        let digest = logged(&ballot.expect("a ballot")).contents();
        assert_eq!(
            hex::encode(digest.as_bytes()),
            "c2c789810cf46d45b6284023ec20f7b1"
        );
    }
}
