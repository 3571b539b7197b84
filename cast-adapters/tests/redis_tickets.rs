//! The tickets in Redis beyond their port's contract: limits over many processes, keys that
//! expire, and use counters that are not trusted after a failover.

mod redis;

use std::{
    collections::HashMap,
    error::Error as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use cast_adapters::redis::{Redis, RedisTickets};
use cast_core::{
    domain::{
        Claim, GenuineTicket, PeriodTicket,
        Redemption::{self, Granted, Refused, Repeated},
        RedemptionRefusal::{Exhausted, Unknown},
    },
    ports::{PortErrorKind, TicketSource},
};
use cast_testkit::{
    eventually,
    fixtures::Fixtures,
    race,
    servers::{self, Mode},
};

use self::redis::{Namespace, PATIENCE};

/// A namespace on the server that these tests share; `None`, with a message, if there is none.
async fn shared_namespace() -> Option<Namespace> {
    Some(Namespace::on(servers::redis().await?).await)
}

/// A ticket for a period that begins now, and lasts longer than a test.
async fn issue(tickets: &RedisTickets, fixtures: &Fixtures, use_limit: u32) -> GenuineTicket {
    let now = tickets.now().await.expect("answered");
    let genuine = fixtures.ticket(now);
    let period = PeriodTicket {
        ticket: *genuine.ticket(),
        valid_until: now.plus(Duration::from_secs(600)),
        use_limit,
    };
    let adopted = tickets.publish(&period).await;
    assert_eq!(adopted.expect("the source takes a ticket"), period);
    genuine
}

async fn redeem(
    tickets: &RedisTickets,
    ticket: &GenuineTicket,
    claims: &[Claim],
) -> Vec<Redemption> {
    let redeemed = tickets.redeem(ticket, claims).await;
    redeemed.expect("the source answers a redemption")
}

fn count(answers: &[Redemption], which: Redemption) -> usize {
    answers.iter().filter(|answer| **answer == which).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_redeemers_in_four_processes_never_exceed_the_limit() {
    const LIMIT: u32 = 1_000;
    let Some(namespace) = shared_namespace().await else {
        return;
    };
    let fixtures = Arc::new(Fixtures::new());
    let handles: Vec<Redis> = (0..4).map(|_| namespace.open()).collect();
    let ticket = issue(&handles[0].tickets(), &fixtures, LIMIT).await;
    let tally = Arc::new(Mutex::new(HashMap::new()));
    race(64, |racer| {
        let (tickets, fixtures) = (handles[racer % 4].tickets(), Arc::clone(&fixtures));
        let tally = Arc::clone(&tally);
        async move {
            for flush in 0..5 {
                let claims = fixtures.claims(1 + (racer + flush) % 7);
                for answer in redeem(&tickets, &ticket, &claims).await {
                    *tally.lock().expect("whole").entry(answer).or_insert(0) += 1;
                }
            }
        }
    })
    .await;
    let tally = tally.lock().expect("whole");
    assert_eq!(tally[&Granted], LIMIT);
    assert!(tally[&Refused(Exhausted)] > 0, "{tally:?}");
    assert_eq!(tally.len(), 2, "{tally:?}");
}

#[tokio::test]
async fn a_flush_of_any_size_is_one_redemption() {
    let Some(namespace) = shared_namespace().await else {
        return;
    };
    let (tickets, fixtures) = (namespace.open().tickets(), Fixtures::new());
    let ticket = issue(&tickets, &fixtures, 4_100).await;
    let claims = fixtures.claims(4_500);
    let answers = redeem(&tickets, &ticket, &claims).await;
    assert_eq!(answers[..4_100], vec![Granted; 4_100]);
    assert_eq!(answers[4_100..], vec![Refused(Exhausted); 400]);
    let again = redeem(&tickets, &ticket, &claims).await;
    assert_eq!(again[..4_100], vec![Repeated; 4_100]);
    assert_eq!(again[4_100..], vec![Refused(Exhausted); 400]);
}

#[tokio::test]
async fn every_key_of_the_tickets_ends() {
    let Some(mut namespace) = shared_namespace().await else {
        return;
    };
    namespace.options.retry_window = Duration::from_secs(1_000);
    namespace.options.expired_kept = Duration::from_secs(50);
    let (tickets, fixtures) = (namespace.open().tickets(), Fixtures::new());
    let check = async |after: &str, count: usize| {
        let keys = namespace.keys().await;
        assert_eq!(keys.len(), count, "after {after}: {keys:?}");
        for key in keys {
            let left = namespace.time_to_live(&key).await;
            let left = left.unwrap_or_else(|| panic!("{key} never ends, after {after}"));
            assert!(left <= Duration::from_secs(3_000), "{key} ends in {left:?}");
        }
    };
    let ticket = issue(&tickets, &fixtures, 10).await;
    check("the first publication", 1).await;
    let claims = fixtures.claims(3);
    redeem(&tickets, &ticket, &claims).await;
    check("the first use", 2).await;
    redeem(&tickets, &ticket, &claims).await;
    redeem(&tickets, &ticket, &fixtures.claims(12)).await;
    check("the last use", 2).await;
    tickets.current().await.expect("the source shows a ticket");
    issue(&tickets, &fixtures, 10).await;
    check("the next publication", 2).await;
}

#[tokio::test]
async fn tickets_that_ended_long_ago_are_removed() {
    let Some(mut namespace) = shared_namespace().await else {
        return;
    };
    namespace.options.expired_kept = Duration::from_millis(1);
    let (tickets, fixtures) = (namespace.open().tickets(), Fixtures::new());
    issue(&tickets, &fixtures, 10).await;
    for _ in 0..200 {
        let now = tickets.now().await.expect("answered");
        let short = PeriodTicket {
            ticket: *fixtures.ticket(now.plus(Duration::from_millis(1))).ticket(),
            valid_until: now.plus(Duration::from_millis(3)),
            use_limit: 1,
        };
        tickets.publish(&short).await.expect("published");
    }
    eventually(
        PATIENCE,
        "only the ticket that is good is left",
        async || {
            let now = tickets.now().await.expect("answered");
            let over = PeriodTicket {
                ticket: *fixtures.ticket(now).ticket(),
                valid_until: now,
                use_limit: 1,
            };
            tickets.publish(&over).await.expect("published");
            let left: i64 = namespace.ask(&["ZCARD", &namespace.uses()]).await;
            (left == 1).then_some(())
        },
    )
    .await;
}

#[tokio::test]
async fn ballot_ids_are_forgotten_after_two_retry_windows() {
    let Some(mut namespace) = shared_namespace().await else {
        return;
    };
    namespace.options.retry_window = Duration::from_millis(300);
    let (tickets, fixtures) = (namespace.open().tickets(), Fixtures::new());
    let ticket = issue(&tickets, &fixtures, 10).await;
    let claims = fixtures.claims(2);
    let before = tickets.now().await.expect("answered");
    redeem(&tickets, &ticket, &claims).await;
    let forgotten = eventually(PATIENCE, "the ids are forgotten", async || {
        let answers = redeem(&tickets, &ticket, &claims).await;
        (answers == [Granted; 2]).then_some(())
    });
    forgotten.await;
    let after = tickets.now().await.expect("answered");
    assert!(after.since(before) >= Duration::from_millis(300));
    // A publication removes the bucket that is no longer read, or it expires.
    eventually(PATIENCE, "one bucket is left, and then none", async || {
        tickets.current().await.expect("the source shows a ticket");
        (namespace.keys().await == [namespace.uses()]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn any_key_may_be_lost_alone() {
    let Some(namespace) = shared_namespace().await else {
        return;
    };
    let (tickets, fixtures) = (namespace.open().tickets(), Fixtures::new());
    let ticket = issue(&tickets, &fixtures, 5).await;
    let claims = fixtures.claims(3);
    redeem(&tickets, &ticket, &claims).await;
    let keys = namespace.keys().await;
    assert_eq!(
        keys.len(),
        2,
        "the use counters and a bucket of ids: {keys:?}"
    );

    // Without the ids, ballots are new again, and still no use is granted twice.
    let ids = keys.iter().find(|key| **key != namespace.uses());
    let _: i64 = namespace.ask(&["DEL", ids.expect("a bucket")]).await;
    let again = redeem(&tickets, &ticket, &claims).await;
    assert_eq!(again, [Granted, Granted, Refused(Exhausted)]);
    let shown = tickets.current().await.expect("the source shows a ticket");
    assert_eq!(shown.expect("it is current").uses_left, 0);

    // Without its use counter it is unknown, however often it is read or published.
    let _: i64 = namespace.ask(&["DEL", &namespace.uses()]).await;
    assert_eq!(
        redeem(&tickets, &ticket, &claims).await,
        [Refused(Unknown); 3]
    );
    let next = issue(&tickets, &fixtures, 5).await;
    assert_eq!(count(&redeem(&tickets, &next, &claims).await, Repeated), 2);
    assert_eq!(
        redeem(&tickets, &ticket, &claims).await,
        [Refused(Unknown); 3]
    );
}

/// A server that restarts from its disk may have lost the last uses, so it grants no
/// more uses, and the ticket stays refused.
#[tokio::test]
async fn a_server_that_took_over_trusts_no_meter_of_before() {
    let Some(mut server) = servers::Redis::start_as(Mode::Durable).await else {
        return;
    };
    let namespace = Namespace::on(&server).await;
    let (tickets, fixtures) = (namespace.open().tickets(), Fixtures::new());
    let ticket = issue(&tickets, &fixtures, 5).await;
    let claims = fixtures.claims(2);
    redeem(&tickets, &ticket, &claims).await;

    server.restart().await;
    let look = Namespace::on(&server).await;
    let counters: i64 = look.ask(&["ZCARD", &namespace.uses()]).await;
    assert_eq!(counters, 1, "the ticket and its use counter were persisted");
    let answers = eventually(PATIENCE, "the way to the server is found", async || {
        tickets.redeem(&ticket, &claims).await.ok()
    });
    assert_eq!(answers.await, [Refused(Unknown); 2]);
    let current = tickets.current().await.expect("the source shows a ticket");
    assert_eq!(current, None);

    // The same ticket cannot be published again; a new one of its period can.
    let period = |genuine: &GenuineTicket| PeriodTicket {
        ticket: *genuine.ticket(),
        valid_until: genuine.issued_at().plus(Duration::from_secs(600)),
        use_limit: 5,
    };
    tickets.publish(&period(&ticket)).await.expect("published");
    assert_eq!(
        redeem(&tickets, &ticket, &claims).await,
        [Refused(Unknown); 2]
    );
    let new = fixtures.ticket(ticket.issued_at());
    let adopted = tickets.publish(&period(&new)).await.expect("published");
    assert_eq!(adopted, period(&new));
    assert_eq!(
        redeem(&tickets, &new, &claims).await,
        [Repeated; 2],
        "ids are remembered"
    );
    assert_eq!(redeem(&tickets, &new, &fixtures.claims(1)).await, [Granted]);
    assert_eq!(
        redeem(&tickets, &ticket, &claims).await,
        [Refused(Unknown); 2]
    );
}

/// A master whose replica was promoted follows its successor and is promoted
/// again: it is the same process, but has lost the uses that the replica never got.
#[tokio::test]
async fn a_server_that_took_over_again_trusts_no_meter_of_its_own() {
    const LIMIT: u32 = 10;
    let (Some(server), Some(replica)) =
        (servers::Redis::start().await, servers::Redis::start().await)
    else {
        return;
    };
    let (namespace, other) = (Namespace::on(&server).await, Namespace::on(&replica).await);
    let port = |server: &servers::Redis| {
        let port = server.url().rsplit_once(':').expect("a port").1;
        port.trim_end_matches("/0").to_owned()
    };
    let follow = async |who: &Namespace, whom: &servers::Redis| {
        let _: String = who.ask(&["REPLICAOF", "127.0.0.1", &port(whom)]).await;
        eventually(PATIENCE, "it has what its master has", async || {
            let info: String = who.ask(&["INFO", "replication"]).await;
            info.contains("master_link_status:up").then_some(())
        })
        .await;
    };
    let (tickets, fixtures) = (namespace.open().tickets(), Fixtures::new());
    follow(&other, &server).await;
    let ticket = issue(&tickets, &fixtures, LIMIT).await;
    eventually(PATIENCE, "the replica has the ticket", async || {
        let counters: i64 = other.ask(&["ZCARD", &namespace.uses()]).await;
        (counters == 1).then_some(())
    })
    .await;
    let _: String = other.ask(&["REPLICAOF", "NO", "ONE"]).await;
    let claims = fixtures.claims(10);
    assert_eq!(redeem(&tickets, &ticket, &claims).await, [Granted; 10]);

    follow(&namespace, &replica).await;
    let _: String = namespace.ask(&["REPLICAOF", "NO", "ONE"]).await;
    let answers = eventually(PATIENCE, "the way back is found", async || {
        tickets.redeem(&ticket, &fixtures.claims(10)).await.ok()
    });
    assert_eq!(answers.await, [Refused(Unknown); 10], "all uses were taken");
}

/// A replica has the replication epoch of its master, and must not grant uses of its tickets.
#[tokio::test]
async fn a_writable_replica_trusts_no_use_counter_of_its_master() {
    let (Some(server), Some(replica)) =
        (servers::Redis::start().await, servers::Redis::start().await)
    else {
        return;
    };
    let namespace = Namespace::on(&server).await;
    let mut other = Namespace::on(&replica).await;
    other.options.prefix.clone_from(&namespace.options.prefix);
    let port = server.url().rsplit_once(':').expect("a port").1;
    let port = port.trim_end_matches("/0");
    let _: String = other.ask(&["REPLICAOF", "127.0.0.1", port]).await;
    let _: String = other
        .ask(&["CONFIG", "SET", "replica-read-only", "no"])
        .await;
    eventually(PATIENCE, "it has what its master has", async || {
        let info: String = other.ask(&["INFO", "replication"]).await;
        info.contains("master_link_status:up").then_some(())
    })
    .await;
    let (tickets, fixtures) = (namespace.open().tickets(), Fixtures::new());
    let ticket = issue(&tickets, &fixtures, 1).await;
    eventually(PATIENCE, "the replica has the ticket", async || {
        let counters: i64 = other.ask(&["ZCARD", &namespace.uses()]).await;
        (counters == 1).then_some(())
    })
    .await;

    let astray = other.open().tickets();
    let claims = fixtures.claims(1);
    assert_eq!(
        redeem(&astray, &ticket, &claims).await,
        [Refused(Unknown)],
        "it would sell the use again"
    );
    assert_eq!(redeem(&tickets, &ticket, &claims).await, [Granted]);
}

/// Without `INFO` a server could not be distinguished from its successor.
#[tokio::test]
async fn a_user_without_the_permission_for_info_gets_no_tickets() {
    let Some(server) = servers::Redis::start().await else {
        return;
    };
    let mut namespace = Namespace::on(&server).await;
    let _: String = namespace
        .ask(&[
            "ACL", "SETUSER", "blind", "on", ">secret", "~*", "+@all", "-info",
        ])
        .await;
    namespace.options.url = server.url().replace("redis://", "redis://blind:secret@");
    let (tickets, fixtures) = (namespace.open().tickets(), Fixtures::new());
    let now = tickets.now().await.expect("answered");
    let period = PeriodTicket {
        ticket: *fixtures.ticket(now).ticket(),
        valid_until: now.plus(Duration::from_secs(600)),
        use_limit: 1,
    };
    let error = tickets.publish(&period).await.expect_err("it is refused");
    assert_eq!(error.kind(), PortErrorKind::Misconfigured, "{error}");
    let reported = format!("{:?}", error.source().map(ToString::to_string));
    assert!(reported.contains("the command INFO"), "{error}: {reported}");
}
