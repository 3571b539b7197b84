//! Records that cannot be read: none may be skipped.
//!
//! A flipped bit on a broker's disk is not among them: the client detects it by the checksum, continues
//! at a wrong offset of the fetched bytes (librdkafka 2.12, `rdkafka_msgset_reader.c`), and reports an error or
//! aborts the process. Its error codes are in the unit tests of `read_error`.

use std::sync::Arc;

use cast_core::{
    domain::{Offset, Partition},
    ports::{PortError, PortErrorKind, Subscription},
};
use cast_testkit::{servers, within};

use crate::{
    log::{Applied, Log, PARTITIONS, PATIENCE, join, publish_all},
    setting,
};

const HOME: Partition = Partition::new(0);

/// Reads and applies until the log cannot be read any further.
async fn until_failed(member: &mut dyn Subscription, applied: &Applied) -> PortError {
    let read = async {
        loop {
            match member.next().await {
                Ok(batch) => assert!(applied.apply(&batch), "{batch:?} does not join"),
                Err(error) => return error,
            }
        }
    };
    within(PATIENCE, "the reader gets the error", read).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_with_an_unsupported_codec_is_misconfigured() {
    let Some(kafka) = servers::kafka().await else {
        return;
    };
    let log = Log::on(kafka).await;
    let bus = log.connect().await;
    setting::set(&log.brokers, &log.topic, "compression.type", "zstd").await;

    let applied = Arc::new(Applied::default());
    let mut reader = join(&bus, &log.fixtures.group("reads"), &applied).await;
    let record = log.fixtures.record(HOME, PARTITIONS, 500);
    publish_all(&bus, &[record]).await;
    for _ in 0..2 {
        let error = until_failed(&mut *reader, &applied).await;
        let reported = error.chain();
        assert_eq!(error.kind(), PortErrorKind::Misconfigured, "{reported}");
        assert!(reported.contains("compression.type=producer"), "{reported}");
        assert_eq!(applied.progress.of(HOME), Offset::START);
    }
}
