//! What another store has and its log cannot bring.

use async_trait::async_trait;
use cast_core::{Destination, NumberedCandidate, NumberedRejection, ports::PortError};
use diesel_async::RunQueryDsl as _;
use futures_util::FutureExt as _;

use super::{
    PostgresStore,
    rows::{self, texts, whole},
    statements::{ImportCandidates, NumberAfter},
};
use crate::postgres::{error::Error, sessions::End};

const IMPORTING: &str = "importing into the store";

impl PostgresStore {
    async fn give_numbers(&self, candidates: &[NumberedCandidate]) -> Result<(), Error> {
        let numbers = candidates.iter().map(|one| whole("a number", one.number));
        let import = ImportCandidates {
            numbers: numbers.collect::<Result<_, _>>()?,
            candidates: texts(candidates.iter().map(|one| &one.candidate)),
        };
        let limit = self.sessions.options.transaction_timeout;
        let imported = self.sessions.transaction(limit, move |connection| {
            async move {
                import.execute(connection).await?;
                let _: Vec<i64> = NumberAfter {}.get_results(connection).await?;
                Ok(End::Commit(()))
            }
            .boxed()
        });
        imported.await
    }

    async fn insert_rejections(&self, rejections: &[NumberedRejection]) -> Result<(), Error> {
        let import = rows::import(rejections)?;
        let limit = self.sessions.options.transaction_timeout;
        let imported = self.sessions.transaction(limit, move |connection| {
            async move {
                import.execute(connection).await?;
                Ok(End::Commit(()))
            }
            .boxed()
        });
        imported.await
    }
}

#[async_trait]
impl Destination for PostgresStore {
    async fn import_candidates(&self, candidates: &[NumberedCandidate]) -> Result<(), PortError> {
        let imported = self.give_numbers(candidates).await;
        imported.map_err(|error| error.with_operation(IMPORTING))
    }

    async fn import_rejections(&self, rejections: &[NumberedRejection]) -> Result<(), PortError> {
        let imported = self.insert_rejections(rejections).await;
        imported.map_err(|error| error.with_operation(IMPORTING))
    }
}
