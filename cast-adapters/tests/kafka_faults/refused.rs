//! Fetches that a broker refuses, and answers later.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cast_adapters::kafka::KafkaBus;
use cast_core::{
    domain::{self, LogBatch, Partition},
    ports::{EventBus as _, PortError, PortErrorKind, ResumeFrom, Subscription},
};
use cast_testkit::{fixtures::Progress, within};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr as Error};
use tokio::{sync::watch, time::timeout};

use crate::mock::{Mock, PATIENCE};

/// A subscription of a new group, from the start of the log.
async fn read(mock: &Mock, bus: &KafkaBus) -> Box<dyn Subscription> {
    read_from(mock, bus, Arc::new(Progress::at_start())).await
}

async fn read_from(
    mock: &Mock,
    bus: &KafkaBus,
    store: Arc<dyn ResumeFrom>,
) -> Box<dyn Subscription> {
    let group = mock.fixtures.group("reads");
    let joined = bus.subscribe(&group, 100, store).await;
    joined.unwrap_or_else(|error| panic!("{}", error.chain()))
}

/// Makes the brokers refuse every fetch until [`given`]. A single error could go unnoticed: each
/// request consumes one, even for the other partition only; and for a partition that it has read to
/// the end, the client takes the first answer as end-of-partition, whatever its error.
fn refuse(mock: &Mock, code: Error) {
    mock.fail(RDKafkaApiKey::Fetch, &[code; 1_000]);
}

async fn refused(reader: &mut dyn Subscription) -> PortError {
    let reported = within(PATIENCE, "the refusal", reader.next()).await;
    reported.expect_err("no batch is returned")
}

/// Ends the refusal, and returns the next batch.
async fn given(mock: &Mock, reader: &mut dyn Subscription, kind: PortErrorKind) -> LogBatch {
    mock.cluster.clear_request_errors(RDKafkaApiKey::Fetch);
    let read = async {
        loop {
            match reader.next().await {
                Ok(batch) => break batch,
                // It was already fetched.
                Err(error) => assert_eq!(error.kind(), kind, "{}", error.chain()),
            }
        }
    };
    within(PATIENCE, "the record", read).await
}

fn assert_is_the_record(batch: &LogBatch) {
    let found = (batch.partition, batch.start.get(), batch.entries.len());
    assert_eq!(found, (Partition::new(1), 0, 1));
}

#[tokio::test]
async fn records_that_a_broker_refuses_are_an_error_and_are_read_once_it_delivers_them() {
    for (code, kind) in [
        (
            Error::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
            PortErrorKind::Misconfigured,
        ),
        (Error::RD_KAFKA_RESP_ERR_INVALID_MSG, PortErrorKind::Corrupt),
        (Error::RD_KAFKA_RESP_ERR_UNKNOWN, PortErrorKind::Unavailable),
    ] {
        let mock = Mock::new();
        let bus = mock.connect().await;
        mock.publish(&bus).await.expect("it is taken");
        refuse(&mock, code);
        let mut reader = read(&mock, &bus).await;
        for _ in 0..2 {
            let error = refused(&mut *reader).await;
            assert_eq!(error.kind(), kind, "{}", error.chain());
        }
        assert_is_the_record(&given(&mock, &mut *reader, kind).await);
    }
}

/// A store that answers when it is released.
struct ReleasedStore(watch::Sender<bool>);

#[async_trait]
impl ResumeFrom for ReleasedStore {
    async fn resume_from(&self, _: Partition) -> Result<domain::Progress, PortError> {
        let mut answers = self.0.subscribe();
        let answers = answers.wait_for(|answers| *answers).await;
        drop(answers.expect("the store outlives its answer"));
        Ok(domain::Progress::default())
    }
}

#[tokio::test]
async fn a_store_that_answers_more_slowly_than_a_broker_refuses_is_still_awaited() {
    const KIND: PortErrorKind = PortErrorKind::Misconfigured;
    let mock = Mock::new();
    let bus = mock.connect().await;
    mock.publish(&bus).await.expect("it is taken");
    refuse(&mock, Error::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    let store = Arc::new(ReleasedStore(watch::Sender::new(true)));
    let mut reader = read_from(&mock, &bus, Arc::clone(&store) as _).await;
    assert_eq!(refused(&mut *reader).await.kind(), KIND);
    // The positions are not known, so nothing is fetched, and nothing refused: each
    // refusal would make the store be queried again. The client by itself fetches several times a second.
    store.0.send_replace(false);
    let reported = timeout(Duration::from_secs(2), reader.next()).await;
    assert!(reported.is_err(), "{reported:?}");
    store.0.send_replace(true);
    assert_is_the_record(&given(&mock, &mut *reader, KIND).await);
}

#[tokio::test]
async fn a_group_whose_commits_cannot_be_read_still_reads_the_log() {
    let mock = Mock::new();
    let bus = mock.connect().await;
    mock.publish(&bus).await.expect("it is taken");
    let refused = Error::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
    mock.fail(RDKafkaApiKey::OffsetFetch, &[refused; 100]);
    let mut reader = read(&mock, &bus).await;
    let batch = within(PATIENCE, "the record", reader.next()).await;
    let batch = batch.unwrap_or_else(|error| panic!("{}", error.chain()));
    assert_eq!(batch.entries.len(), 1);
}
