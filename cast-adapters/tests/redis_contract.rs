//! The contract suites of the adapters in Redis, on a real server and a
//! real cluster.

use cast_testkit::{contract::Skipped, servers};

mod redis;

async fn namespace() -> Result<redis::Namespace, Skipped> {
    let server = servers::redis().await.ok_or(Skipped::without_server())?;
    Ok(redis::Namespace::on(server).await)
}

async fn namespace_on_a_cluster() -> Result<redis::Namespace, Skipped> {
    let cluster = servers::RedisCluster::shared().await;
    let cluster = cluster.ok_or(Skipped::without_server())?;
    Ok(redis::Namespace::at(&cluster.urls()).await)
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
