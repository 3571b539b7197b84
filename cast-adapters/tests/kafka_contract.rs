//! The log in Kafka keeps every clause of its port's contract, against a real server, with either
//! protocol of groups.

mod kafka;

use cast_adapters::kafka::GroupProtocol;

/// A clause cannot be skipped before it has its harness.
async fn log() -> kafka::Log {
    let log = kafka::Log::shared().await;
    log.expect("a clause needs Apache Kafka: ./test.sh installs it")
}

mod classic {
    cast_testkit::event_bus_contract!(super::log);
}

mod consumer {
    use super::{GroupProtocol, kafka, log};

    async fn newer() -> kafka::Log {
        log().await.with_protocol(GroupProtocol::Consumer)
    }

    cast_testkit::event_bus_contract!(newer);
}
