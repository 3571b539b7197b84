//! The contract suites of the adapters in Redis, on a real server and a
//! real cluster.

use cast_testkit::servers;

mod redis;

/// A clause cannot be skipped before it has its harness.
async fn namespace() -> redis::Namespace {
    let server = servers::redis().await;
    redis::Namespace::on(server.expect("a clause needs redis-server: ./test.sh installs it")).await
}

async fn namespace_on_a_cluster() -> redis::Namespace {
    let cluster = servers::RedisCluster::shared().await;
    let cluster = cluster.expect("a clause needs redis-server: ./test.sh installs it");
    redis::Namespace::at(&cluster.urls()).await
}

mod ticket_source {
    cast_testkit::ticket_source_contract!(super::namespace);
}

mod vote_counter {
    cast_testkit::vote_counter_contract!(super::namespace);
}

mod ticket_source_in_a_cluster {
    cast_testkit::ticket_source_contract!(super::namespace_on_a_cluster);
}

mod vote_counter_in_a_cluster {
    cast_testkit::vote_counter_contract!(super::namespace_on_a_cluster);
}
