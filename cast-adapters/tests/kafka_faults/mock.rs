//! Errors that a real broker does not produce on demand.

use std::{sync::Arc, time::Duration};

use cast_adapters::{
    kafka::{KafkaBus, KafkaOptions},
    memory,
    system::{SystemClock, SystemEntropy},
};
use cast_core::{
    Cast, Ports, Roles, Settings,
    domain::{
        Ballot, MAX_NAME_BYTES, MAX_SELECTIONS, Outcome, Partition, Partitions, Record, Ticket,
    },
    ports::{EventBus, GroupName, PortError, PortErrorKind, Published},
};
use cast_testkit::{
    eventually,
    faults::{Gate, Moment, Operation},
    fixtures::Fixtures,
    within,
};
use rdkafka::{
    mocking::MockCluster,
    producer::DefaultProducerContext,
    types::{RDKafkaApiKey, RDKafkaRespErr as Error},
};

const TOPIC: &str = "votes";
const PARTITIONS: Partitions = Partitions::new(2).expect("two");
pub(crate) const PATIENCE: Duration = Duration::from_secs(45);
const EVERY_BROKER: i32 = -1;

type Results = Vec<Result<Published, PortError>>;

/// A cluster of three brokers in this process, with errors on demand.
pub(crate) struct Mock {
    pub(crate) cluster: MockCluster<'static, DefaultProducerContext>,
    pub(crate) fixtures: Fixtures,
}

impl Mock {
    pub(crate) fn new() -> Self {
        let cluster = MockCluster::new(3).expect("a cluster");
        let partitions = i32::try_from(PARTITIONS.count()).expect("a few");
        cluster.create_topic(TOPIC, partitions, 3).expect("a topic");
        Self {
            cluster,
            fixtures: Fixtures::new(),
        }
    }

    fn options(&self) -> KafkaOptions {
        let mut options = KafkaOptions::new(self.cluster.bootstrap_servers(), TOPIC);
        options.delivery_timeout = Duration::from_secs(1);
        options
    }

    pub(crate) async fn connect(&self) -> KafkaBus {
        let connected = KafkaBus::connect(self.options()).await;
        connected.unwrap_or_else(|error| panic!("{}", error.chain()))
    }

    /// The next requests of this kind fail with these errors, one after the other.
    pub(crate) fn fail(&self, requests: RDKafkaApiKey, errors: &[Error]) {
        self.cluster.request_errors(requests, errors);
    }

    fn record(&self) -> Record {
        self.fixtures.record(Partition::new(1), PARTITIONS, 1)
    }

    pub(crate) async fn publish(&self, bus: &KafkaBus) -> Result<Published, PortError> {
        let mut results = publish(bus, &[self.record()]).await;
        results.pop().expect("one result")
    }

    /// Publishes until a record is acknowledged.
    async fn recovers(&self, bus: &KafkaBus) {
        eventually(PATIENCE, "the log to take records again", || async {
            self.publish(bus).await.ok()?.position
        })
        .await;
    }

    /// The number of records in the log.
    async fn logged(&self, bus: &KafkaBus) -> u64 {
        let lag = bus.lag(&GroupName::new("unknown")).await;
        let lag = lag.unwrap_or_else(|error| panic!("{}", error.chain()));
        lag.iter().map(|lag| lag.end.get()).sum()
    }
}

async fn publish(bus: &KafkaBus, records: &[Record]) -> Results {
    within(PATIENCE, "an answer", bus.publish(records)).await
}

fn kinds(results: &Results) -> Vec<PortErrorKind> {
    let errors = results.iter().filter_map(|result| result.as_ref().err());
    errors.map(PortError::kind).collect()
}

#[tokio::test]
async fn a_record_that_is_not_acknowledged_in_time_is_of_unknown_outcome() {
    let mock = Mock::new();
    let bus = mock.connect().await;
    let set_delay = |delay| mock.cluster.broker_round_trip_time(EVERY_BROKER, delay);
    set_delay(Duration::from_secs(20)).expect("a slow cluster");
    let error = mock.publish(&bus).await.expect_err("no server answers");
    assert_eq!(
        error.kind(),
        PortErrorKind::OutcomeUnknown,
        "{}",
        error.chain()
    );
    set_delay(Duration::ZERO).expect("a fast cluster");
    mock.recovers(&bus).await;
}

#[tokio::test]
async fn unreachable_brokers_leave_the_outcome_unknown_and_are_reconnected_to() {
    let mock = Mock::new();
    let bus = mock.connect().await;
    mock.cluster.broker_down(EVERY_BROKER).expect("all down");
    let error = mock.publish(&bus).await.expect_err("no broker answers");
    assert_eq!(
        error.kind(),
        PortErrorKind::OutcomeUnknown,
        "{}",
        error.chain()
    );
    let error = bus.partitions().await.expect_err("no broker answers");
    assert_eq!(
        error.kind(),
        PortErrorKind::Unavailable,
        "{}",
        error.chain()
    );
    mock.cluster.broker_up(EVERY_BROKER).expect("all up");
    mock.recovers(&bus).await;
    bus.partitions().await.expect("a node answers");
}

#[tokio::test]
async fn a_short_lack_of_replicas_is_retried_by_the_client() {
    let mock = Mock::new();
    let bus = mock.connect().await;
    let few = Error::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS;
    mock.fail(RDKafkaApiKey::Produce, &[few, few]);
    let published = mock.publish(&bus).await.expect("it is tried again");
    assert!(published.position.is_some());
    assert_eq!(mock.logged(&bus).await, 1);
}

#[tokio::test]
async fn too_few_replicas_for_long_leaves_the_outcome_unknown() {
    let mock = Mock::new();
    let bus = mock.connect().await;
    let few = Error::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS;
    mock.fail(RDKafkaApiKey::Produce, &[few; 1_000]);
    let error = mock.publish(&bus).await.expect_err("too few");
    assert_eq!(
        error.kind(),
        PortErrorKind::OutcomeUnknown,
        "{}",
        error.chain()
    );
    mock.cluster.clear_request_errors(RDKafkaApiKey::Produce);
    mock.recovers(&bus).await;
}

#[tokio::test]
async fn a_record_that_the_log_has_already_is_acknowledged_without_a_position() {
    let mock = Mock::new();
    let bus = mock.connect().await;
    let again = Error::RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER;
    mock.fail(RDKafkaApiKey::Produce, &[again]);
    let published = mock.publish(&bus).await.expect("it is acknowledged");
    assert_eq!(published.position, None);
}

#[tokio::test]
async fn a_cut_connection_is_no_error_and_no_second_record() {
    let mock = Mock::new();
    let bus = mock.connect().await;
    let cut = Error::RD_KAFKA_RESP_ERR__TRANSPORT;
    mock.fail(RDKafkaApiKey::Produce, &[cut]);
    mock.publish(&bus).await.expect("it is sent again");
    assert_eq!(mock.logged(&bus).await, 1);
}

#[tokio::test]
async fn a_producer_that_died_is_replaced() {
    let mock = Mock::new();
    let bus = mock.connect().await;
    mock.publish(&bus).await.expect("it works at first");
    for _ in 0..2 {
        let fatal = Error::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
        mock.fail(RDKafkaApiKey::Produce, &[fatal]);
        let error = mock.publish(&bus).await.expect_err("the producer dies");
        assert_eq!(
            error.kind(),
            PortErrorKind::OutcomeUnknown,
            "{}",
            error.chain()
        );
        mock.recovers(&bus).await;
    }
}

#[tokio::test]
async fn while_producers_fail_at_their_start_no_record_is_sent_and_the_reason_is_reported() {
    let mock = Mock::new();
    let bus = mock.connect().await;
    // The first producer fails with this error, its successors because they are refused an id.
    let refused = Error::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
    mock.fail(RDKafkaApiKey::InitProducerId, &[refused; 100]);
    let fatal = Error::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    mock.fail(RDKafkaApiKey::Produce, &[fatal]);
    mock.publish(&bus)
        .await
        .expect_err("the first producer dies");
    let reported = eventually(PATIENCE, "the reason is reported", || async {
        let error = mock
            .publish(&bus)
            .await
            .expect_err("there is no producer id");
        let reported = error.chain();
        (error.kind() == PortErrorKind::Unavailable
            && reported.contains("ClusterAuthorizationFailed"))
        .then_some(reported)
    });
    reported.await;
    mock.cluster
        .clear_request_errors(RDKafkaApiKey::InitProducerId);
    mock.recovers(&bus).await;
}

#[tokio::test]
async fn a_record_beyond_the_queue_limit_is_unavailable_and_never_sent() {
    let mock = Mock::new();
    let mut options = mock.options();
    options.max_unacknowledged_bytes = 0;
    let bus = KafkaBus::connect(options).await.expect("it connects");
    mock.cluster.broker_down(EVERY_BROKER).expect("all down");
    // A queue has room for two of the largest records at least.
    let large = || mock.fixtures.record(Partition::new(0), PARTITIONS, 15_000);
    let records: Vec<_> = (0..8).map(|_| large()).collect();
    let (results, ()) = tokio::join!(publish(&bus, &records), async {
        mock.cluster.broker_up(EVERY_BROKER).expect("all up");
    });
    let refused = kinds(&results)
        .into_iter()
        .filter(|kind| *kind == PortErrorKind::Unavailable)
        .count();
    assert!((1..8).contains(&refused), "{results:?}");
    mock.recovers(&bus).await;
    bus.flush().await.expect("nothing is on its way");
    let most = u64::try_from(records.len() - refused).expect("a few") + 1;
    let logged = mock.logged(&bus).await;
    assert!(
        logged <= most,
        "{logged} records are logged, and {refused} were refused"
    );
}

#[tokio::test]
async fn a_record_that_is_too_large_is_corrupt_and_the_others_are_published() {
    let mock = Mock::new();
    let bus = mock.connect().await;
    let large = mock.fixtures.record(Partition::new(0), PARTITIONS, 30_000);
    let results = publish(&bus, &[mock.record(), large, mock.record()]).await;
    assert_eq!(kinds(&results), [PortErrorKind::Corrupt]);
    assert!(results[1].is_err());
    assert_eq!(mock.logged(&bus).await, 2);
}

#[tokio::test]
async fn a_missing_cluster_and_a_missing_topic_are_different_errors() {
    let mock = Mock::new();
    let mut nowhere = mock.options();
    nowhere.topic = "other".to_owned();
    let unknown = Error::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    mock.cluster
        .topic_error("other", unknown)
        .expect("no topic");
    let error = KafkaBus::connect(nowhere)
        .await
        .map(drop)
        .expect_err("no topic");
    assert_eq!(
        error.kind(),
        PortErrorKind::Misconfigured,
        "{}",
        error.chain()
    );
    assert!(
        error.chain().contains("--create --topic other"),
        "{}",
        error.chain()
    );

    let mut alone = mock.options();
    alone.brokers = "127.0.0.1:1".to_owned();
    alone.request_timeout = Duration::from_millis(500);
    let error = KafkaBus::connect(alone)
        .await
        .map(drop)
        .expect_err("no cluster");
    assert_eq!(
        error.kind(),
        PortErrorKind::Unavailable,
        "{}",
        error.chain()
    );
}

/// A vote service on this log, with one slot for flushes of a thousand ballots.
async fn vote_service(bus: &Arc<KafkaBus>, gate: &Arc<Gate>) -> Cast {
    let ports = Ports {
        bus: Arc::clone(bus) as _,
        ..memory::ports_on(Arc::new(SystemClock), Arc::new(SystemEntropy))
    };
    let mut settings = Settings::default();
    settings.tickets.uses = 10_000;
    settings.tickets.period = Duration::from_secs(600);
    settings.tickets.ttl = Duration::from_secs(1_200);
    settings.ingest.flush_limit = 1_000;
    settings.ingest.flushes_in_flight = 1;
    settings.ingest.max_wait = PATIENCE;
    settings.ingest.redeem_deadline = PATIENCE;
    settings.ingest.publish_deadline = PATIENCE;
    let roles = Roles {
        api: true,
        generator: true,
        consumers: 0,
    };
    let keys = cast_core::domain::KeyRing::generate(&SystemEntropy);
    let cast = Cast::builder(ports.intercepted(gate), keys);
    let cast = cast.settings(settings).roles(roles).start().await;
    cast.expect("it starts")
}

/// A ballot of the largest size.
fn full_ballot(ticket: Ticket) -> Ballot {
    let names: Vec<_> = (0..MAX_SELECTIONS)
        .map(|at| format!("{at:0>MAX_NAME_BYTES$}"))
        .collect();
    let votes = names.iter().map(|name| (name.as_str(), 1_000));
    let ballot = Ballot::new(ticket).select_all(votes).expect("a ballot");
    ballot.by(&"v".repeat(MAX_NAME_BYTES)).expect("a voter")
}

#[tokio::test]
async fn a_flush_of_a_thousand_full_ballots_is_acknowledged() {
    let mock = Mock::new();
    let mut options = mock.options();
    options.delivery_timeout = Duration::from_secs(30);
    let bus = KafkaBus::connect(options).await.expect("it connects");
    let (bus, gate) = (Arc::new(bus), Gate::new());
    let cast = vote_service(&bus, &gate).await;
    let ticket = eventually(PATIENCE, "a ticket", || async {
        cast.current_ticket().await.ok().map(|ticket| ticket.id)
    });
    let ballot = full_ballot(ticket.await);

    gate.close(Operation::Redeem, Moment::Before);
    let vote = || {
        let (cast, ballot) = (cast.clone(), ballot.clone());
        tokio::spawn(async move { cast.vote(ballot).await })
    };
    let first = vote();
    gate.until_waiting(Operation::Redeem, Moment::Before, 1)
        .await;
    let votes: Vec<_> = (0..1_000).map(|_| vote()).collect();
    // On this single thread, each of them gets to the intake.
    tokio::task::yield_now().await;
    gate.open(Operation::Redeem, Moment::Before);
    for vote in std::iter::once(first).chain(votes) {
        let outcome = within(PATIENCE, "an answer", vote).await.expect("no panic");
        assert!(matches!(outcome, Ok(Outcome::Accepted(_))), "{outcome:?}");
    }
    assert_eq!(mock.logged(&bus).await, 3, "the first, 512, and 488");
    cast.shutdown().await;
}
