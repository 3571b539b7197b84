use cast_testkit::servers::{Mode, Redis};

use crate::client::{A_WHILE, Client, DEADLINE, is_killed};

#[tokio::test]
async fn redis_answers_and_forgets_when_killed() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    assert_eq!(redis.cli(["SET", "key", "value"]).await, "OK");
    redis.empty().await;
    assert_eq!(redis.cli(["DBSIZE"]).await, "0");

    redis.cli(["SET", "key", "value"]).await;
    is_killed(&mut redis).await;
    redis.restart().await;
    assert_eq!(redis.cli(["DBSIZE"]).await, "0");
}

#[tokio::test]
async fn a_durable_redis_keeps_what_it_acknowledged() {
    let Some(mut redis) = Redis::start_as(Mode::Durable).await else {
        return;
    };
    redis.cli(["SET", "key", "value"]).await;
    redis.restart().await;
    assert_eq!(redis.cli(["GET", "key"]).await, "value");
    redis.restart_empty().await;
    assert_eq!(redis.cli(["DBSIZE"]).await, "0");
}

#[tokio::test]
async fn a_frozen_redis_answers_when_it_is_thawed() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    redis.freeze().await;
    let mut link = Client::to(redis.url()).await;
    link.ask(b"PING\r\n").await;
    assert_eq!(link.answer_within(A_WHILE).await, None);
    redis.thaw().await;
    assert_eq!(
        link.answer_within(DEADLINE).await.as_deref(),
        Some(&b"+PONG\r\n"[..])
    );
}
