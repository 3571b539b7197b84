//! The error of a failed call says whether it may have happened, and no command is sent twice to
//! find out.

#[path = "redis/calls.rs"]
mod calls;
#[path = "redis/faults.rs"]
mod faults;
mod redis;

use std::time::Duration;

use cast_adapters::redis::{Redis, RedisOptions};
use cast_core::{
    domain::{
        Candidate,
        Redemption::{self, Granted, Repeated},
    },
    ports::{PendingVotes, PortError, PortErrorKind, TicketSource, VoteCounter},
};
use cast_testkit::{
    eventually,
    fixtures::Fixtures,
    servers::{Link, Proxy},
    within,
};

use self::{
    calls::calls_of,
    faults::{TIMEOUT, issue, pending, private_server, votes, with_short_timeouts},
    redis::PATIENCE,
};

fn kind<T: std::fmt::Debug>(result: Result<T, PortError>) -> PortErrorKind {
    result.expect_err("no server answers").kind()
}

/// Only the commands of a pipeline whose script was missing are sent again.
#[tokio::test]
async fn a_pipeline_survives_forgotten_scripts() {
    let Some((_server, namespace)) = private_server().await else {
        return;
    };
    let counter = namespace.open().counter();
    let fixtures = Fixtures::new();
    let candidates: Vec<Candidate> = (0..50)
        .map(|n| fixtures.candidate(&n.to_string()))
        .collect();
    for offset in 0..3 {
        let _: String = namespace.ask(&["SCRIPT", "FLUSH"]).await;
        let votes = PendingVotes {
            votes: candidates[..25]
                .iter()
                .map(|candidate| (candidate.clone(), 2))
                .collect(),
            ..pending(&candidates[0], offset)
        };
        let readings = counter.record(&[votes], &candidates).await;
        for (at, reading) in readings.expect("recorded").iter().enumerate() {
            let expected = if at < 25 { 2 * (offset + 1) } else { 0 };
            assert_eq!(reading.tally.votes, expected);
        }
    }
}

#[tokio::test]
async fn frozen_beyond_the_deadline_it_is_unknown_and_then_unavailable() {
    let Some((mut server, namespace)) = private_server().await else {
        return;
    };
    let tickets = with_short_timeouts(&namespace, server.url()).tickets();
    let fixtures = Fixtures::new();
    let ticket = issue(&tickets, &fixtures, 100).await.expect("published");
    let claims = fixtures.claims(5);
    tickets.redeem(&ticket, &claims).await.expect("redeemed");

    server.freeze().await;
    let asked = fixtures.claims(5);
    let late = within(4 * TIMEOUT, "a deadline", tickets.redeem(&ticket, &asked)).await;
    assert_eq!(kind(late), PortErrorKind::OutcomeUnknown);
    // The connections without an answer are not used again, and no new ones can be opened.
    eventually(PATIENCE, "nothing more is sent", async || {
        let late = within(4 * TIMEOUT, "a deadline", tickets.current()).await;
        (kind(late) == PortErrorKind::Unavailable).then_some(())
    })
    .await;

    server.thaw().await;
    let answers = eventually(PATIENCE, "the way back is found", async || {
        tickets.redeem(&ticket, &asked).await.ok()
    })
    .await;
    assert!(
        [[Granted; 5], [Repeated; 5]].contains(&answers.clone().try_into().expect("five")),
        "as a whole or not at all: {answers:?}"
    );
    let again = tickets.redeem(&ticket, &claims).await.expect("redeemed");
    assert_eq!(again, [Repeated; 5]);
    let shown = tickets.current().await.expect("shown").expect("current");
    assert_eq!(shown.uses_left, 90, "nothing was sent twice");
}

#[tokio::test]
async fn a_call_without_an_answer_is_unknown_and_not_sent_again() {
    let Some((server, namespace)) = private_server().await else {
        return;
    };
    let proxy = Proxy::before(server.url()).await;
    let redis = with_short_timeouts(&namespace, proxy.url());
    let (tickets, counter) = (redis.tickets(), redis.counter());
    let fixtures = Fixtures::new();
    let ticket = issue(&tickets, &fixtures, 100).await.expect("published");
    let alice = fixtures.candidate("alice");
    // The server has the scripts by then; otherwise it would answer NOSCRIPT.
    let first = tickets.redeem(&ticket, &fixtures.claims(5)).await;
    first.expect("redeemed");
    counter
        .record(&[pending(&alice, 0)], &[])
        .await
        .expect("recorded");

    proxy.set(Link::Mute);
    let calls = async || calls_of(&namespace, "cmdstat_eval").await;
    let before = calls().await;
    let claims = fixtures.claims(5);
    let redeemed = tickets.redeem(&ticket, &claims).await;
    assert_eq!(kind(redeemed), PortErrorKind::OutcomeUnknown);
    assert_eq!(calls().await, before + 1, "it was sent once");
    let recorded = counter.record(&[pending(&alice, 1)], &[]).await;
    assert_eq!(kind(recorded), PortErrorKind::OutcomeUnknown);

    proxy.set(Link::Open);
    let answers: Vec<Redemption> = eventually(PATIENCE, "the way back is found", async || {
        tickets.redeem(&ticket, &claims).await.ok()
    })
    .await;
    assert_eq!(answers, [Repeated; 5], "it had happened");
    let shown = tickets.current().await.expect("shown").expect("current");
    assert_eq!(shown.uses_left, 90, "once");
    assert_eq!(votes(&counter, &alice).await, 2);
    counter
        .record(&[pending(&alice, 1)], &[])
        .await
        .expect("recorded");
    assert_eq!(votes(&counter, &alice).await, 2);
}

#[tokio::test]
async fn a_closed_connection_is_noticed_before_it_is_used() {
    let Some((server, namespace)) = private_server().await else {
        return;
    };
    let proxy = Proxy::before(server.url()).await;
    let tickets = with_short_timeouts(&namespace, proxy.url()).tickets();
    tickets.now().await.expect("answered");
    proxy.set(Link::Cut);
    eventually(PATIENCE, "nothing is sent any more", async || {
        let error = tickets.now().await.err()?;
        (error.kind() == PortErrorKind::Unavailable).then_some(())
    })
    .await;
    for _ in 0..5 {
        assert_eq!(kind(tickets.now().await), PortErrorKind::Unavailable);
    }
    proxy.set(Link::Open);
    eventually(PATIENCE, "the way back is found", async || {
        tickets.now().await.ok()
    })
    .await;
}

#[tokio::test]
async fn a_refused_call_did_not_happen() {
    let Some((_server, namespace)) = private_server().await else {
        return;
    };
    let redis = namespace.open();
    let (tickets, counter) = (redis.tickets(), redis.counter());
    let fixtures = Fixtures::new();
    let alice = fixtures.candidate("alice");
    let ticket = issue(&tickets, &fixtures, 10).await.expect("published");
    let claims = fixtures.claims(2);

    let _: String = namespace.ask(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let full = tickets.redeem(&ticket, &claims).await;
    assert_eq!(kind(full), PortErrorKind::Unavailable, "out of memory");
    let full = counter.record(&[pending(&alice, 0)], &[]).await;
    assert_eq!(kind(full), PortErrorKind::Unavailable, "out of memory");
    let _: String = namespace.ask(&["CONFIG", "SET", "maxmemory", "0"]).await;

    let _: String = namespace.ask(&["REPLICAOF", "127.0.0.1", "1"]).await;
    let replica = tickets.redeem(&ticket, &claims).await;
    assert_eq!(kind(replica), PortErrorKind::Unavailable, "a replica");
    let _: String = namespace.ask(&["REPLICAOF", "NO", "ONE"]).await;

    let key = namespace.tally(&fixtures.candidate("bob"));
    let _: String = namespace.ask(&["SET", &key, "a text"]).await;
    let strange = counter.read(&[fixtures.candidate("bob")]).await;
    assert_eq!(kind(strange), PortErrorKind::Corrupt, "another's key");

    assert_eq!(votes(&counter, &alice).await, 0);
    // It was a replica meanwhile, so the ticket is refused.
    let ticket = issue(&tickets, &fixtures, 10).await.expect("published");
    let answers = tickets.redeem(&ticket, &claims).await.expect("redeemed");
    assert_eq!(answers, [Granted; 2]);
}

#[tokio::test]
async fn one_failed_key_makes_the_outcome_of_the_whole_call_unknown() {
    let Some((_server, namespace)) = private_server().await else {
        return;
    };
    let counter = namespace.open().counter();
    let fixtures = Fixtures::new();
    let (alice, bob) = (fixtures.candidate("alice"), fixtures.candidate("bob"));
    let _: String = namespace
        .ask(&["SET", &namespace.tally(&bob), "a text"])
        .await;
    let both = PendingVotes {
        votes: vec![(alice.clone(), 1), (bob.clone(), 1)],
        ..pending(&alice, 0)
    };
    let partly = counter.record(std::slice::from_ref(&both), &[]).await;
    assert_eq!(kind(partly), PortErrorKind::OutcomeUnknown);
    assert_eq!(votes(&counter, &alice).await, 1);
    let _: i64 = namespace.ask(&["DEL", &namespace.tally(&bob)]).await;
    counter.record(&[both], &[]).await.expect("recorded");
    assert_eq!(votes(&counter, &alice).await, 1);
    assert_eq!(votes(&counter, &bob).await, 1);
}

#[tokio::test]
async fn a_missing_server_is_unavailable_at_once() {
    let redis = Redis::open(RedisOptions {
        connect_timeout: PATIENCE,
        ..RedisOptions::at("redis://127.0.0.1:1")
    });
    let redis = redis.expect("the options make sense");
    let refused = within(PATIENCE / 3, "a refusal", redis.ping()).await;
    assert_eq!(kind(refused), PortErrorKind::Unavailable);
}

#[tokio::test]
async fn passwords_are_sent_and_appear_in_no_message() {
    let Some((_server, namespace)) = private_server().await else {
        return;
    };
    let _: String = namespace
        .ask(&["CONFIG", "SET", "requirepass", "open sesame"])
        .await;
    let address = namespace.options.url.replace("redis://", "");
    let at = |user: &str| RedisOptions {
        url: format!("redis://{user}{address}"),
        ..namespace.options.clone()
    };
    let redis = |user| Redis::open(at(user)).expect("the options make sense");
    let right = redis(":open%20sesame@").ping().await;
    right.expect("the password is right");
    for wrong in ["", ":abracadabra@", "unknown:abracadabra@"] {
        let error = redis(wrong).ping().await.expect_err("no entry");
        assert_eq!(error.kind(), PortErrorKind::Misconfigured, "{wrong:?}");
        let reported = format!("{error:?} {} {:?}", error.chain(), at(wrong));
        assert!(!reported.contains("abracadabra"), "{reported}");
    }
}

#[tokio::test]
async fn options_that_make_no_sense_are_misconfigured() {
    let good = || RedisOptions::at("redis://127.0.0.1:1");
    let mut cases = vec![
        RedisOptions::at("http://127.0.0.1"),
        RedisOptions::at("not a url"),
        RedisOptions::at("redis://127.0.0.1:1/not-a-number"),
    ];
    for prefix in ["", "{a}", "ä", "a b"] {
        let prefix = prefix.to_owned();
        cases.push(RedisOptions { prefix, ..good() });
    }
    let (connections, none) = (0, Duration::ZERO);
    cases.push(RedisOptions {
        connections,
        ..good()
    });
    cases.push(RedisOptions {
        retry_window: none,
        ..good()
    });
    cases.push(RedisOptions {
        response_timeout: none,
        ..good()
    });
    cases.push(RedisOptions {
        idle_kept: Duration::MAX,
        ..good()
    });
    cases.push(RedisOptions {
        root_certificates: Some(b"no certificate".to_vec()),
        ..good()
    });
    for options in cases {
        let opened = Redis::open(options.clone()).map(drop);
        assert_eq!(
            kind(opened),
            PortErrorKind::Misconfigured,
            "{:?} at {}",
            options,
            options.url
        );
    }
}
