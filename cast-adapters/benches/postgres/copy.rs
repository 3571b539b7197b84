//! The reference: ballots by binary COPY, and nothing else.

use std::{
    pin::pin,
    time::{Duration, SystemTime},
};

use cast_core::domain::{FoldStep, PositionedBallot, Voter};
use tokio_postgres::{
    Client, NoTls,
    binary_copy::BinaryCopyInWriter,
    types::{ToSql, Type},
};

/// A table as that of the ballots, and a connection to fill it.
pub(crate) struct Copying {
    client: Client,
}

impl Copying {
    pub(crate) async fn into(url: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a server");
        tokio::spawn(connection);
        let like = "CREATE TABLE copied (LIKE ballots INCLUDING ALL)";
        client.batch_execute(like).await.expect("the table is made");
        Self { client }
    }

    /// One COPY a step, each its own transaction.
    pub(crate) async fn copy(&self, steps: &[FoldStep]) {
        const COPY: &str = "COPY copied (id, log_offset, partition, ticket_issued_at, ticket_key, \
                            voter, candidates, votes) FROM STDIN BINARY";
        let types = [
            Type::UUID,
            Type::INT8,
            Type::INT8,
            Type::TIMESTAMPTZ,
            Type::INT2,
            Type::TEXT,
            Type::TEXT_ARRAY,
            Type::INT8_ARRAY,
        ];
        for step in steps {
            let sink = self.client.copy_in(COPY).await.expect("COPY begins");
            let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
            let partition = i64::from(step.partition.get());
            for PositionedBallot { offset, ballot } in &step.ballots {
                let id = ballot.id.as_uuid();
                let offset = i64::try_from(offset.get()).expect("a small one");
                let issued = ballot.ticket.issued_at.as_unix_ms();
                let issued = SystemTime::UNIX_EPOCH + Duration::from_millis(issued);
                let key = i16::from(ballot.ticket.key_id.get());
                let voter = ballot.voter.as_ref().map(Voter::as_str);
                let (candidates, votes): (Vec<&str>, Vec<i64>) = ballot
                    .selections
                    .iter()
                    .map(|s| (s.candidate.as_str(), i64::from(s.votes.get())))
                    .unzip();
                let row: [&(dyn ToSql + Sync); 8] = [
                    &id,
                    &offset,
                    &partition,
                    &issued,
                    &key,
                    &voter,
                    &candidates,
                    &votes,
                ];
                writer.as_mut().write(&row).await.expect("a row is taken");
            }
            writer.finish().await.expect("COPY ends");
        }
    }
}
