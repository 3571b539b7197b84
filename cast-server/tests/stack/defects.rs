//! What the first CAST got wrong: each of its sixteen defects is a test, in their order, on a whole
//! deployment.

use std::time::Duration;

use cast_testkit::{Seed, race};
use rdkafka::{
    ClientConfig,
    producer::{FutureProducer, FutureRecord},
};
use serde_json::{Value, json};

use crate::{
    check::{Stored, check, drained, tallies},
    ledger::Told,
    program::{Client, Reply, VOTE},
    stack::{Deployment, Own, Role, Stack, kill, until, until_ready},
    voters::{Book, Crowd, Paper, Voter},
};

/// Tickets that outlast the test, with so many uses.
fn lasting(stack: &mut Stack, uses: u32) {
    stack.set("CAST_TICKET_PERIOD", "1h");
    stack.set("CAST_TICKET_TTL", "2h");
    stack.set("CAST_TICKET_USES", &uses.to_string());
}

async fn cas(door: &Client) -> (String, u64) {
    let data = door.data("{ cas { ticket remainingUsage } }", Value::Null);
    let cas = data.await["cas"].clone();
    let ticket = cas["ticket"].as_str().unwrap().to_owned();
    (ticket, cas["remainingUsage"].as_u64().unwrap())
}

/// Votes with the current ticket for these; `lasting`, or it may end between the two requests.
async fn vote(door: &Client, selections: &[(&str, i64)]) -> Value {
    let (ticket, _) = cas(door).await;
    vote_with(door, &ticket, selections).await
}

async fn vote_with(door: &Client, ticket: &str, selections: &[(&str, i64)]) -> Value {
    let (names, counts): (Vec<_>, Vec<_>) = selections.iter().copied().unzip();
    let reply = sent(door, ticket, json!(names), json!(counts)).await;
    assert!(reply.body["errors"].is_null(), "{reply:?}");
    reply.body["data"]["vote"].clone()
}

async fn sent(door: &Client, ticket: &str, names: Value, counts: Value) -> Reply {
    let vote = json!({
        "ticket": ticket, "usernames": names, "voteCount": counts, "voterUsername": "somebody",
    });
    door.ask(VOTE, vote).await
}

/// Waits until the store has so many votes of somebody.
async fn until_stored(stack: &Stack, name: &str, votes: u64) {
    let what = format!("{votes} votes of {name} in the store");
    until(&what, async || {
        let stored = Stored::read(stack).await.votes.get(name).copied();
        (stored == Some(votes)).then_some(())
    })
    .await;
}

/// Kafka down at first use: the vote answered success, later ones counted and hung, health stayed
/// 200.
#[tokio::test]
async fn defect_01_a_log_that_is_down_at_first_use_takes_no_vote_and_is_no_health() {
    let own = Own {
        kafka: true,
        ..Own::default()
    };
    let Some(mut stack) = Stack::start_on(own).await else {
        return;
    };
    lasting(&mut stack, 1_000);
    let _generator = stack.run(Role::Generator).await;
    stack.kafka.own().kill().await;
    // It has no address to tell before it is ready: it is given one.
    let address = free_address().await;
    let mut api = stack.launch(Role::Api, &[("CAST_LISTEN", &address)]);
    let door = Client::new(&format!("http://{address}"));
    until("its first word", async || {
        let live = door
            .http
            .get(format!("{}/livez", door.url))
            .send()
            .await
            .ok()?;
        (live.status() == 200).then_some(())
    })
    .await;
    until("what it waits for", async || {
        let said = until_ready(&door, 503).await;
        said.contains("log").then_some(())
    })
    .await;
    let refused = sent(&door, &"0".repeat(64), json!(["ada"]), json!([1])).await;
    assert_eq!(
        (refused.status, refused.code()),
        (503, "UNAVAILABLE"),
        "{refused:?}"
    );

    stack.kafka.own().restart().await;
    api.until_listening().await;
    assert_eq!(vote(&door, &[("ada", 1)]).await["code"], "ACCEPTED");
    let _consumer = stack.run(Role::Consumer).await;
    until_stored(&stack, "ada", 1).await;

    // And when it is lost later, every voter is told so, and can come again.
    stack.kafka.own().kill().await;
    let book = Book::new(vec![door.clone()]);
    let mut voter = Voter::new("late", Seed::random(), &book);
    let ballot = Paper::one("bo");
    let told = voter.vote_once(&door, "late", &ballot).await;
    assert!(
        matches!(told, Told::Unknown(_) | Told::NotTaken(_)),
        "{told:?}"
    );
    until_ready(&door, 503).await;
    stack.kafka.own().restart().await;
    until_ready(&door, 200).await;
    voter.again(&door, "late", &ballot).await;
    until_stored(&stack, "bo", 1).await;
}

async fn free_address() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

/// Redis lost: versions began at 1 again, and the database took no newer count for good.
#[tokio::test]
async fn defect_02_a_redis_that_lost_everything_freezes_nothing() {
    let Some(mut stack) = Stack::start().await else {
        return;
    };
    let deployment = Deployment::start(&stack, 1).await;
    let doors = deployment.doors();
    let book = Book::new(doors.clone());
    let mut crowd = Crowd::gather(Seed::from_env_or_random(), &book, 8);
    crowd.until_acknowledged(40).await;
    let before = version(&doors[0], "ada").await;
    stack.redis.empty().await;
    crowd.until_acknowledged(40).await;
    crowd.stop().await;
    check(&stack, &book, &doors).await;
    assert!(version(&doors[0], "ada").await > before);
    deployment.drain().await;
}

async fn version(door: &Client, name: &str) -> u64 {
    let query = "query($name: String!) { tally(username: $name) { version } }";
    let data = door.data(query, json!({"name": name})).await;
    data["tally"]["version"].as_u64().unwrap()
}

/// A database error was swallowed and the offset committed: the vote was gone.
#[tokio::test]
async fn defect_03_a_database_error_loses_no_vote() {
    let Some(stack) = Stack::start().await else {
        return;
    };
    let deployment = Deployment::start(&stack, 1).await;
    let doors = deployment.doors();
    let book = Book::new(doors.clone());
    let mut crowd = Crowd::gather(Seed::from_env_or_random(), &book, 8);
    crowd.until_acknowledged(20).await;
    // As a disk that is full says it.
    let broken = "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS \
                  $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$; \
                  CREATE TRIGGER full_disk BEFORE INSERT ON ballots EXECUTE FUNCTION full_disk()";
    stack.database.sql(broken).await;
    crowd.until_acknowledged(40).await;
    let errors = until("the consumer's word", async || {
        let said = deployment.consumer.said();
        said.contains("applying a step").then_some(said)
    });
    errors.await;
    stack.database.sql("DROP FUNCTION full_disk CASCADE").await;
    crowd.until_acknowledged(20).await;
    crowd.stop().await;
    check(&stack, &book, &doors).await;
    deployment.drain().await;
}

/// Counts past 2^31 broke the database and `query`.
#[tokio::test]
async fn defect_04_counts_beyond_31_bits_are_counted_and_never_told_wrong() {
    let Some(mut stack) = Stack::start().await else {
        return;
    };
    lasting(&mut stack, 1_000);
    stack.set("CAST_MAX_VOTES", "2000000000");
    let deployment = Deployment::start(&stack, 1).await;
    let door = &deployment.doors()[0];
    for _ in 0..3 {
        let (ticket, _) = cas(door).await;
        sent(door, &ticket, json!(["ada"]), json!([2_000_000_000])).await;
    }
    until_stored(&stack, "ada", 6_000_000_000).await;
    until("the tally", async || {
        let shown = tallies(door, &["ada".into()]).await;
        (shown[0].1 == 6_000_000_000).then_some(())
    })
    .await;
    let reply = door.ask("{ query(username: \"ada\") }", Value::Null).await;
    assert_eq!(reply.code(), "COUNT_TOO_LARGE", "{reply:?}");
    deployment.drain().await;
}

/// A name twice in one vote: Redis and the database disagreed.
#[tokio::test]
async fn defect_05_a_name_twice_in_one_vote_is_added_up_everywhere() {
    let Some(mut stack) = Stack::start().await else {
        return;
    };
    lasting(&mut stack, 1_000);
    let deployment = Deployment::start(&stack, 1).await;
    let door = &deployment.doors()[0];
    let result = vote(door, &[("ada", 2), ("bo", 1), ("ada", 3)]).await;
    assert_eq!(result["votes"], json!([5, 1, 5]), "{result}");
    until_stored(&stack, "ada", 5).await;
    until_stored(&stack, "bo", 1).await;
    let shown = tallies(door, &["ada".into(), "bo".into()]).await;
    assert_eq!(shown, [("ada".into(), 5), ("bo".into(), 1)]);
    deployment.drain().await;
}

/// One request with 100 aliases emptied the ticket; one use bought 2,000,000,000 votes.
#[tokio::test]
async fn defect_06_a_request_votes_once_and_a_use_buys_no_more_than_the_limit() {
    let Some(mut stack) = Stack::start().await else {
        return;
    };
    lasting(&mut stack, 100);
    let deployment = Deployment::start(&stack, 1).await;
    let door = &deployment.doors()[0];
    let (ticket, _) = cas(door).await;
    let vote = "vote(usernames: [\"ada\"], voteCount: [1], ticket: $t) { success }";
    let many: Vec<_> = (0..20).map(|n| format!("v{n}: {vote}")).collect();
    let many = many.join(" ");
    let document = format!("mutation($t: String!) {{ {many} }}");
    let reply = door.ask(&document, json!({"t": ticket})).await;
    assert_eq!(reply.code(), "GRAPHQL_VALIDATION_FAILED", "{reply:?}");
    let greedy = vote_with(door, &ticket, &[("ada", 2_000_000_000)]).await;
    assert_eq!(greedy["code"], "BAD_BALLOT", "{greedy}");
    assert_eq!(cas(door).await.1, 100, "no use was taken");
    assert_eq!(tallies(door, &["ada".into()]).await[0].1, 0);
    deployment.drain().await;
}

/// Negative counts; an empty list was a success; lists of different lengths burned a use.
#[tokio::test]
async fn defect_07_a_bad_ballot_is_refused_and_burns_no_use() {
    let Some(mut stack) = Stack::start().await else {
        return;
    };
    lasting(&mut stack, 100);
    let deployment = Deployment::start(&stack, 1).await;
    let door = &deployment.doors()[0];
    let (ticket, _) = cas(door).await;
    let length = "Vote count list must have the same length as usernames list";
    for (names, counts, message) in [
        (json!(["ada"]), json!([-1]), None),
        (json!(["ada"]), json!([0]), None),
        (json!([]), json!([]), None),
        (json!(["ada", "bo"]), json!([1]), Some(length)),
    ] {
        let reply = sent(door, &ticket, names, counts).await;
        let result = &reply.body["data"]["vote"];
        assert_eq!(
            (&result["success"], &result["code"]),
            (&json!(false), &json!("BAD_BALLOT"))
        );
        assert_eq!(result["usernames"], json!([]), "{result}");
        if let Some(message) = message {
            assert_eq!(result["message"], message);
        }
    }
    assert_eq!(cas(door).await.1, 100, "no use was taken");
    deployment.drain().await;
}

/// The first use dropped the ticket key's time to live: keys leaked.
#[tokio::test]
async fn defect_08_whatever_tickets_leave_in_redis_has_a_time_to_live() {
    let Some(stack) = Stack::start().await else {
        return;
    };
    let deployment = Deployment::start(&stack, 1).await;
    let book = Book::new(deployment.doors());
    let mut crowd = Crowd::gather(Seed::from_env_or_random(), &book, 4);
    // Over several tickets.
    crowd.until_acknowledged(150).await;
    crowd.stop().await;
    check(&stack, &book, &deployment.doors()).await;
    let keys = stack.redis.cli(["KEYS", "*"]).await;
    assert!(keys.contains(":tickets}"), "{keys}");
    for key in keys.lines() {
        let left: i64 = stack.redis.cli(["PTTL", key]).await.trim().parse().unwrap();
        // Gone by now, or to go.
        assert!(left > 0 || left == -2, "{key} stays for good");
    }
    deployment.drain().await;
}

/// `remainingUsage` told how many uses were taken.
#[tokio::test]
async fn defect_09_the_remaining_usage_is_what_is_left() {
    let Some(mut stack) = Stack::start().await else {
        return;
    };
    lasting(&mut stack, 100);
    let deployment = Deployment::start(&stack, 2).await;
    let doors = deployment.doors();
    for left in [99, 98, 97] {
        assert_eq!(vote(&doors[0], &[("ada", 1)]).await["code"], "ACCEPTED");
        assert_eq!(cas(&doors[1]).await.1, left);
    }
    deployment.drain().await;
}

/// A second generator, or the same second twice, gave the ticket its uses back.
#[tokio::test]
async fn defect_10_another_generator_gives_no_uses_back() {
    let Some(mut stack) = Stack::start().await else {
        return;
    };
    lasting(&mut stack, 100);
    let Deployment {
        generator,
        consumer,
        apis,
    } = Deployment::start(&stack, 1).await;
    let door = apis[0].client();
    let (ticket, _) = cas(&door).await;
    vote(&door, &[("ada", 1)]).await;
    let second = stack.run(Role::Generator).await;
    assert_eq!(cas(&door).await, (ticket.clone(), 99));
    kill(generator).await;
    vote(&door, &[("ada", 1)]).await;
    let generator = stack.run(Role::Generator).await;
    assert_eq!(cas(&door).await, (ticket, 98));
    kill(second).await;
    let deployment = Deployment {
        generator,
        consumer,
        apis,
    };
    deployment.drain().await;
}

/// A script error half way left half a vote.
#[tokio::test]
async fn defect_11_a_script_error_leaves_no_half_a_vote() {
    let Some(stack) = Stack::start().await else {
        return;
    };
    let deployment = Deployment::start(&stack, 1).await;
    let door = &deployment.doors()[0];
    // A key of the wrong type: the script of one of the two fails.
    stack.redis.cli(["SET", "{cast:tally:bo}", "junk"]).await;
    until("an acknowledgement", async || {
        // A ticket may end in between.
        let result = vote(door, &[("ada", 1), ("bo", 2)]).await;
        (result["code"] == "ACCEPTED").then_some(())
    })
    .await;
    until_stored(&stack, "ada", 1).await;
    until_stored(&stack, "bo", 2).await;
    stack.redis.cli(["DEL", "{cast:tally:bo}"]).await;
    until("the tallies", async || {
        let shown = tallies(door, &["ada".into(), "bo".into()]).await;
        (shown == [("ada".into(), 1), ("bo".into(), 2)]).then_some(())
    })
    .await;

    // And where the ticket's script fails, there is no vote at all.
    let (ticket, _) = cas(door).await;
    stack.redis.cli(["DEL", "{cast:tickets}:uses"]).await;
    stack
        .redis
        .cli(["SET", "{cast:tickets}:uses", "junk"])
        .await;
    let reply = sent(door, &ticket, json!(["ada", "bo"]), json!([1, 1])).await;
    assert!(!reply.code().is_empty(), "{reply:?}");
    stack.redis.cli(["DEL", "{cast:tickets}:uses"]).await;
    let book = Book::new(deployment.doors());
    drained(&stack, &book).await;
    let votes = Stored::read(&stack).await.votes;
    assert_eq!((votes["ada"], votes["bo"]), (1, 2));
    deployment.drain().await;
}

/// The key was part of the code, and no vote was checked with it: the current ticket could be
/// computed from the clock.
#[tokio::test]
async fn defect_12_a_ticket_is_good_only_with_the_key_of_this_deployment() {
    let Some(mut stack) = Stack::start().await else {
        return;
    };
    lasting(&mut stack, 100);
    let deployment = Deployment::start(&stack, 1).await;
    let door = &deployment.doors()[0];
    let (ticket, _) = cas(door).await;
    // Each digit of it matters.
    for at in [0, 2, 15, 40, 63] {
        let mut forged: Vec<char> = ticket.chars().collect();
        forged[at] = if forged[at] == '0' { '1' } else { '0' };
        let forged: String = forged.into_iter().collect();
        let result = vote_with(door, &forged, &[("ada", 1)]).await;
        assert_eq!(result["message"], "Invalid ticket", "digit {at}");
    }
    // One of a server with a key of its own, with the same id.
    let foreign = format!("7:{}", "ab".repeat(32));
    let other = stack
        .run_with(
            Role::Generator,
            &[
                ("CAST_TICKET_SECRET", &foreign),
                ("CAST_TICKETS_URL", &stack.redis.url().replace("/0", "/1")),
            ],
        )
        .await;
    let elsewhere = stack
        .run_with(
            Role::Api,
            &[
                ("CAST_TICKET_SECRET", &foreign),
                ("CAST_TICKETS_URL", &stack.redis.url().replace("/0", "/1")),
            ],
        )
        .await;
    let (theirs, _) = cas(&elsewhere.client()).await;
    let result = vote_with(door, &theirs, &[("ada", 1)]).await;
    assert_eq!(result["message"], "Invalid ticket");
    assert_eq!(cas(door).await.1, 100, "no use was taken");
    kill(other).await;
    kill(elsewhere).await;
    deployment.drain().await;
}

/// `cas` without a ticket answered empty strings.
#[tokio::test]
async fn defect_13_without_a_ticket_cas_is_an_error() {
    let Some(stack) = Stack::start().await else {
        return;
    };
    let Deployment {
        generator, apis, ..
    } = Deployment::start(&stack, 1).await;
    let door = apis[0].client();
    kill(generator).await;
    let reply = until("no ticket", async || {
        let reply = door.ask("{ cas { ticket } }", Value::Null).await;
        (!reply.code().is_empty()).then_some(reply)
    })
    .await;
    assert_eq!(reply.code(), "NO_TICKET", "{reply:?}");
    assert!(reply.body["data"].is_null(), "{reply:?}");
}

/// One bad message made the consumer crash, start, and crash again.
#[tokio::test]
async fn defect_14_a_record_that_cannot_be_read_stops_nothing_and_is_written_down() {
    let Some(mut stack) = Stack::start().await else {
        return;
    };
    lasting(&mut stack, 1_000);
    let deployment = Deployment::start(&stack, 1).await;
    let doors = deployment.doors();
    let door = &doors[0];
    assert_eq!(vote(door, &[("ada", 1)]).await["code"], "ACCEPTED");
    for partition in 0..i32::from(crate::stack::PARTITIONS) {
        publish_junk(&stack, partition).await;
    }
    let book = Book::new(doors.clone());
    drained(&stack, &book).await;
    let stored = Stored::read(&stack).await;
    assert_eq!(stored.rejected, u64::from(crate::stack::PARTITIONS));
    assert_eq!(stored.votes["ada"], 1);
    let reasons = "SELECT count(*) FROM rejected WHERE bytes = 'junk' AND reason <> ''";
    assert_eq!(
        stack.database.sql(reasons).await,
        crate::stack::PARTITIONS.to_string()
    );
    deployment.drain().await;
}

pub(crate) async fn publish_junk(stack: &Stack, partition: i32) {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", stack.kafka.brokers())
        .create()
        .unwrap();
    let mut settings = stack.settings.iter();
    let (_, url) = settings.find(|(name, _)| name == "CAST_BUS_URL").unwrap();
    let topic = url.rsplit('/').next().unwrap();
    let record: FutureRecord<'_, (), _> =
        FutureRecord::to(topic).payload("junk").partition(partition);
    producer
        .send(record, Duration::from_secs(10))
        .await
        .unwrap();
}

/// Configuration was ignored: the config map said 10 uses, the code 100.
#[tokio::test]
async fn defect_15_what_is_set_is_what_happens() {
    let Some(mut stack) = Stack::start().await else {
        return;
    };
    lasting(&mut stack, 10);
    let deployment = Deployment::start(&stack, 2).await;
    let doors = deployment.doors();
    let (ticket, uses) = cas(&doors[0]).await;
    assert_eq!(uses, 10);
    let results = race(16, |racer| {
        let (door, ticket) = (doors[racer % 2].clone(), ticket.clone());
        async move { vote_with(&door, &ticket, &[("ada", 1)]).await }
    });
    let results = results.await;
    let accepted = results.iter().filter(|result| result["success"] == true);
    assert_eq!(accepted.count(), 10);
    deployment.drain().await;
}

/// At most 50 votes a second, whatever the hardware: 100 uses in 2 s, and no other way.
#[tokio::test]
async fn defect_16_a_period_takes_as_many_votes_as_it_is_set_to() {
    let Some(mut stack) = Stack::start().await else {
        return;
    };
    lasting(&mut stack, 100_000);
    let deployment = Deployment::start(&stack, 2).await;
    let doors = deployment.doors();
    let (ticket, _) = cas(&doors[0]).await;
    let accepted = race(32, |racer| {
        let (door, ticket) = (doors[racer % 2].clone(), ticket.clone());
        async move {
            for _ in 0..10 {
                let result = vote_with(&door, &ticket, &[("ada", 1)]).await;
                assert_eq!(result["code"], "ACCEPTED", "{result}");
            }
            10
        }
    });
    assert_eq!(accepted.await.into_iter().sum::<u64>(), 320);
    assert_eq!(cas(&doors[1]).await.1, 100_000 - 320);
    until_stored(&stack, "ada", 320).await;
    deployment.drain().await;
}
