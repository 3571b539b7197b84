//! Redis may vanish at any moment, whole or in part, and says of no call that it did not happen when
//! it did.

mod redis;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use cast_adapters::redis::{Redis, RedisCounter, RedisOptions, RedisTickets};
use cast_core::{
    domain::{
        Candidate, GenuineTicket, LogPosition, Offset, Partition, PeriodTicket, Prefix,
        Redemption::{self, Granted, Refused, Repeated},
        RedemptionRefusal::Unknown,
        Ticket,
    },
    ports::{PortError, PortErrorKind, Reading, Settlement, Tail, TicketSource, VoteCounter},
};
use cast_testkit::{
    eventually,
    fixtures::Fixtures,
    servers::{self, Link, Private, Proxy},
    within,
};
use tokio::task::JoinSet;

use redis::{Corner, PATIENCE};

/// What a test's adapters wait for: short, so that there is something to wait for in vain.
const TIMEOUT: Duration = Duration::from_millis(250);

/// A server to break, and a corner of it.
async fn to_break() -> Option<(Private<servers::Redis>, Corner)> {
    let server = servers::Redis::start().await?;
    let corner = Corner::on(&server).await;
    Some((server, corner))
}

/// Handles that lose patience soon.
fn impatient(corner: &Corner, url: &str) -> Redis {
    let options = RedisOptions {
        url: url.to_owned(),
        connect_timeout: TIMEOUT,
        response_timeout: TIMEOUT,
        ..corner.options.clone()
    };
    Redis::open(options).expect("the options make sense")
}

/// A ticket for a period that begins now.
async fn issue(
    tickets: &RedisTickets,
    fixtures: &Fixtures,
    uses: u32,
) -> Result<GenuineTicket, PortError> {
    let now = tickets.now().await?;
    let genuine = fixtures.ticket(now);
    let period = PeriodTicket {
        ticket: *genuine.ticket(),
        valid_until: now.plus(Duration::from_secs(600)),
        use_limit: uses,
    };
    tickets.publish(&period).await.map(|_| genuine)
}

fn tail(candidate: &Candidate, offset: u64) -> Tail {
    Tail {
        position: LogPosition {
            partition: Partition::new(0),
            offset: Offset::new(offset),
        },
        votes: vec![(candidate.clone(), 1)],
    }
}

/// One vote a record, up to `as_of`.
fn whole(candidate: &Candidate, as_of: u64) -> Settlement {
    Settlement {
        candidate: candidate.clone(),
        prefixes: vec![Prefix {
            partition: Partition::new(0),
            votes: as_of,
            as_of: Offset::new(as_of),
        }],
        whole: true,
    }
}

async fn read(counter: &RedisCounter, candidate: &Candidate) -> Result<Reading, PortError> {
    let readings = counter.read(std::slice::from_ref(candidate)).await?;
    Ok(readings[0].clone())
}

async fn votes(counter: &RedisCounter, candidate: &Candidate) -> u64 {
    let reading = read(counter, candidate).await;
    reading.expect("the counter reads").tally.votes
}

fn kind<T: std::fmt::Debug>(result: Result<T, PortError>) -> PortErrorKind {
    result.expect_err("nobody answers").kind()
}

/// Doors that redeem and record without a pause, each finding the current ticket as a voter does,
/// and publishing one where there is none; and what they know to be true.
struct Load {
    grants: Mutex<HashMap<Ticket, u32>>,
    /// How many records the log has: each has one vote.
    log_end: AtomicU64,
    answered: AtomicU64,
    errors: Mutex<Vec<PortErrorKind>>,
    stop: AtomicBool,
    candidate: Candidate,
    fixtures: Fixtures,
}

const USES: u32 = 40;

impl Load {
    fn begin(corner: &Corner, doors: usize) -> (Arc<Self>, JoinSet<()>) {
        let fixtures = Fixtures::new();
        let load = Arc::new(Self {
            grants: Mutex::default(),
            log_end: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            errors: Mutex::default(),
            stop: AtomicBool::new(false),
            candidate: fixtures.candidate("alice"),
            fixtures,
        });
        let mut tasks = JoinSet::new();
        for _ in 0..doors {
            let (load, redis) = (Arc::clone(&load), impatient(corner, &corner.options.url));
            tasks.spawn(async move { load.door(redis).await });
        }
        (load, tasks)
    }

    async fn door(&self, redis: Redis) {
        let (tickets, counter) = (redis.tickets(), redis.counter());
        while !self.stop.load(Ordering::Relaxed) {
            match self.vote(&tickets, &counter).await {
                Ok(()) => drop(self.answered.fetch_add(1, Ordering::Relaxed)),
                Err(error) => {
                    self.errors.lock().expect("whole").push(error.kind());
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    async fn vote(&self, tickets: &RedisTickets, counter: &RedisCounter) -> Result<(), PortError> {
        let usable = tickets.current().await?.filter(|shown| shown.uses_left > 0);
        let ticket = match usable {
            Some(shown) => {
                let genuine = self.fixtures.keys().verify(&shown.id);
                genuine.expect("only the doors here publish")
            }
            None => issue(tickets, &self.fixtures, USES).await?,
        };
        let claims = self.fixtures.claims(3);
        let answers = tickets.redeem(&ticket, &claims).await?;
        let granted = answers.iter().filter(|answer| **answer == Granted).count();
        let granted = u32::try_from(granted).expect("of three");
        *self
            .grants
            .lock()
            .expect("whole")
            .entry(*ticket.ticket())
            .or_default() += granted;
        if granted > 0 {
            let offset = self.log_end.fetch_add(1, Ordering::Relaxed);
            let show = std::slice::from_ref(&self.candidate);
            counter
                .record(&[tail(&self.candidate, offset)], show)
                .await?;
        }
        Ok(())
    }

    /// Waits until the doors got some more answers, so that what follows meets them at work.
    async fn more_answers(&self) {
        let goal = self.answered.load(Ordering::Relaxed) + 20;
        eventually(PATIENCE, "the doors are answered", async || {
            (self.answered.load(Ordering::Relaxed) >= goal).then_some(())
        })
        .await;
    }

    async fn end(&self, tasks: JoinSet<()>) {
        self.stop.store(true, Ordering::Relaxed);
        within(PATIENCE, "the doors close", tasks.join_all()).await;
        let grants = self.grants.lock().expect("whole");
        assert!(
            grants.values().all(|grants| *grants <= USES),
            "a ticket bought more than its limit: {grants:?}"
        );
    }

    /// Whatever was lost, a shown tally is never above the log, and is exact once it is settled.
    async fn tally_heals(&self, counter: &RedisCounter) {
        let end = self.log_end.load(Ordering::Relaxed);
        assert!(end > 40, "there was load");
        assert!(votes(counter, &self.candidate).await <= end);
        let half = counter.settle(&[whole(&self.candidate, end / 2)]).await;
        half.expect("the counter settles");
        assert!(votes(counter, &self.candidate).await <= end);
        let all = counter.settle(&[whole(&self.candidate, end)]).await;
        all.expect("the counter settles");
        assert_eq!(votes(counter, &self.candidate).await, end);
    }

    fn errors(&self) -> Vec<PortErrorKind> {
        self.errors.lock().expect("whole").clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgotten_scripts_are_sent_again_unnoticed() {
    let Some((_server, corner)) = to_break().await else {
        return;
    };
    let (load, tasks) = Load::begin(&corner, 4);
    for _ in 0..10 {
        load.more_answers().await;
        let _: String = corner.ask(&["SCRIPT", "FLUSH"]).await;
    }
    load.more_answers().await;
    load.end(tasks).await;
    assert_eq!(load.errors(), [], "nobody noticed");
    load.tally_heals(&corner.open().counter()).await;
}

/// Each of many scripts of a pipeline is sent again, and only those that were lacking.
#[tokio::test]
async fn a_pipeline_survives_forgotten_scripts() {
    let Some((_server, corner)) = to_break().await else {
        return;
    };
    let counter = corner.open().counter();
    let fixtures = Fixtures::new();
    let everybody: Vec<Candidate> = (0..50)
        .map(|n| fixtures.candidate(&n.to_string()))
        .collect();
    for offset in 0..3 {
        let _: String = corner.ask(&["SCRIPT", "FLUSH"]).await;
        let tail = Tail {
            votes: everybody[..25].iter().map(|who| (who.clone(), 2)).collect(),
            ..tail(&everybody[0], offset)
        };
        let readings = counter.record(&[tail], &everybody).await;
        for (at, reading) in readings.expect("recorded").iter().enumerate() {
            let expected = if at < 25 { 2 * (offset + 1) } else { 0 };
            assert_eq!(reading.tally.votes, expected);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flushed_under_load_it_exceeds_no_limit_and_heals() {
    let Some((mut server, corner)) = to_break().await else {
        return;
    };
    let (load, tasks) = Load::begin(&corner, 6);
    for _ in 0..15 {
        load.more_answers().await;
        server.empty().await;
    }
    load.more_answers().await;
    load.end(tasks).await;
    assert_eq!(load.errors(), [], "to lose everything is no error");
    load.tally_heals(&corner.open().counter()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn single_keys_deleted_under_load_exceed_no_limit_and_heal() {
    let Some((_server, corner)) = to_break().await else {
        return;
    };
    let (load, tasks) = Load::begin(&corner, 6);
    for round in 0..40 {
        load.more_answers().await;
        let keys = corner.keys().await;
        let _: i64 = corner.ask(&["DEL", &keys[round % keys.len()]]).await;
    }
    load.more_answers().await;
    load.end(tasks).await;
    assert_eq!(load.errors(), []);
    load.tally_heals(&corner.open().counter()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_connections_are_replaced() {
    let Some((_server, corner)) = to_break().await else {
        return;
    };
    let (load, tasks) = Load::begin(&corner, 4);
    for _ in 0..10 {
        load.more_answers().await;
        let killed: i64 = corner.ask(&["CLIENT", "KILL", "TYPE", "normal"]).await;
        assert!(killed >= 4, "{killed}");
    }
    load.more_answers().await;
    load.end(tasks).await;
    let errors = load.errors();
    let honest = [PortErrorKind::OutcomeUnknown, PortErrorKind::Unavailable];
    assert!(
        errors.iter().all(|kind| honest.contains(kind)),
        "{errors:?}"
    );
    load.tally_heals(&corner.open().counter()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_restarted_empty_it_goes_on_with_the_next_ticket() {
    let Some((mut server, corner)) = to_break().await else {
        return;
    };
    let redis = impatient(&corner, server.url());
    let (load, tasks) = Load::begin(&corner, 4);
    let old = issue(&redis.tickets(), &load.fixtures, USES).await;
    let old = old.expect("published");
    for _ in 0..3 {
        load.more_answers().await;
        server.kill().await;
        eventually(PATIENCE, "a dead server is unavailable", async || {
            let error = redis.ping().await.err()?;
            (error.kind() == PortErrorKind::Unavailable).then_some(())
        })
        .await;
        server.restart_empty().await;
    }
    load.more_answers().await;
    load.end(tasks).await;
    let errors = load.errors();
    let honest = [PortErrorKind::OutcomeUnknown, PortErrorKind::Unavailable];
    assert!(
        errors.iter().all(|kind| honest.contains(kind)),
        "{errors:?}"
    );
    assert!(errors.contains(&PortErrorKind::Unavailable), "{errors:?}");
    let answers = redis.tickets().redeem(&old, &load.fixtures.claims(1)).await;
    assert_eq!(answers.expect("it is back"), [Refused(Unknown)]);
    load.tally_heals(&redis.counter()).await;
}

#[tokio::test]
async fn frozen_beyond_the_deadline_it_is_unknown_and_then_unavailable() {
    let Some((mut server, corner)) = to_break().await else {
        return;
    };
    let redis = impatient(&corner, server.url());
    let (tickets, counter) = (redis.tickets(), redis.counter());
    let fixtures = Fixtures::new();
    let ticket = issue(&tickets, &fixtures, 100).await.expect("published");
    let claims = fixtures.claims(5);
    tickets.redeem(&ticket, &claims).await.expect("redeemed");

    server.freeze().await;
    let asked = fixtures.claims(5);
    let late = within(4 * TIMEOUT, "a deadline", tickets.redeem(&ticket, &asked)).await;
    assert_eq!(kind(late), PortErrorKind::OutcomeUnknown);
    // The connections that gave no answer are not asked again, and new ones are not made.
    eventually(PATIENCE, "nothing more is sent", async || {
        let reading = within(4 * TIMEOUT, "a deadline", counter.read(&[])).await;
        assert_eq!(reading.expect("nothing was asked for"), []);
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
async fn what_happened_and_was_not_told_is_unknown_and_not_sent_again() {
    let Some((server, corner)) = to_break().await else {
        return;
    };
    let proxy = Proxy::before(server.url()).await;
    let redis = impatient(&corner, proxy.url());
    let (tickets, counter) = (redis.tickets(), redis.counter());
    let fixtures = Fixtures::new();
    let ticket = issue(&tickets, &fixtures, 100).await.expect("published");
    let alice = fixtures.candidate("alice");
    // The server has the scripts by then, or else it would ask for them in vain.
    let first = tickets.redeem(&ticket, &fixtures.claims(5)).await;
    first.expect("redeemed");
    counter
        .record(&[tail(&alice, 0)], &[])
        .await
        .expect("recorded");

    proxy.set(Link::Mute);
    let claims = fixtures.claims(5);
    let redeemed = tickets.redeem(&ticket, &claims).await;
    assert_eq!(kind(redeemed), PortErrorKind::OutcomeUnknown);
    let recorded = counter.record(&[tail(&alice, 1)], &[]).await;
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
        .record(&[tail(&alice, 1)], &[])
        .await
        .expect("recorded");
    assert_eq!(votes(&counter, &alice).await, 2);
}

#[tokio::test]
async fn a_closed_connection_is_noticed_before_it_is_used() {
    let Some((server, corner)) = to_break().await else {
        return;
    };
    let proxy = Proxy::before(server.url()).await;
    let tickets = impatient(&corner, proxy.url()).tickets();
    tickets.now().await.expect("told the time");
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
async fn what_a_server_refuses_did_not_happen() {
    let Some((_server, corner)) = to_break().await else {
        return;
    };
    let redis = corner.open();
    let (tickets, counter) = (redis.tickets(), redis.counter());
    let fixtures = Fixtures::new();
    let alice = fixtures.candidate("alice");
    let ticket = issue(&tickets, &fixtures, 10).await.expect("published");
    let claims = fixtures.claims(2);

    let _: String = corner.ask(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let full = tickets.redeem(&ticket, &claims).await;
    assert_eq!(kind(full), PortErrorKind::Unavailable, "out of memory");
    let full = counter.record(&[tail(&alice, 0)], &[]).await;
    assert_eq!(kind(full), PortErrorKind::Unavailable, "out of memory");
    let _: String = corner.ask(&["CONFIG", "SET", "maxmemory", "0"]).await;

    let _: String = corner.ask(&["REPLICAOF", "127.0.0.1", "1"]).await;
    let replica = tickets.redeem(&ticket, &claims).await;
    assert_eq!(kind(replica), PortErrorKind::Unavailable, "a replica");
    let _: String = corner.ask(&["REPLICAOF", "NO", "ONE"]).await;

    let key = corner.tally(&fixtures.candidate("bob"));
    let _: String = corner.ask(&["SET", &key, "a text"]).await;
    let strange = read(&counter, &fixtures.candidate("bob")).await;
    assert_eq!(kind(strange), PortErrorKind::Corrupt, "another's key");

    assert_eq!(votes(&counter, &alice).await, 0);
    let answers = tickets.redeem(&ticket, &claims).await.expect("redeemed");
    assert_eq!(answers, [Granted; 2]);
}

#[tokio::test]
async fn one_key_that_fails_leaves_the_others_done_and_the_whole_unknown() {
    let Some((_server, corner)) = to_break().await else {
        return;
    };
    let counter = corner.open().counter();
    let fixtures = Fixtures::new();
    let (alice, bob) = (fixtures.candidate("alice"), fixtures.candidate("bob"));
    let _: String = corner.ask(&["SET", &corner.tally(&bob), "a text"]).await;
    let both = Tail {
        votes: vec![(alice.clone(), 1), (bob.clone(), 1)],
        ..tail(&alice, 0)
    };
    let partly = counter.record(std::slice::from_ref(&both), &[]).await;
    assert_eq!(kind(partly), PortErrorKind::OutcomeUnknown);
    assert_eq!(votes(&counter, &alice).await, 1);
    let _: i64 = corner.ask(&["DEL", &corner.tally(&bob)]).await;
    counter.record(&[both], &[]).await.expect("recorded");
    assert_eq!(votes(&counter, &alice).await, 1);
    assert_eq!(votes(&counter, &bob).await, 1);
}

#[tokio::test]
async fn nobody_there_is_unavailable_at_once() {
    let redis = Redis::open(RedisOptions {
        connect_timeout: PATIENCE,
        ..RedisOptions::at("redis://127.0.0.1:1")
    });
    let redis = redis.expect("the options make sense");
    let refused = within(PATIENCE / 3, "a refusal", redis.ping()).await;
    assert_eq!(kind(refused), PortErrorKind::Unavailable);
}

#[tokio::test]
async fn passwords_are_sent_and_not_told() {
    let Some((_server, corner)) = to_break().await else {
        return;
    };
    let _: String = corner
        .ask(&["CONFIG", "SET", "requirepass", "open sesame"])
        .await;
    let address = corner.options.url.replace("redis://", "");
    let at = |user: &str| RedisOptions {
        url: format!("redis://{user}{address}"),
        ..corner.options.clone()
    };
    let redis = |user| Redis::open(at(user)).expect("the options make sense");
    let right = redis(":open%20sesame@").ping().await;
    right.expect("the password is right");
    for wrong in ["", ":abracadabra@", "nobody:abracadabra@"] {
        let error = redis(wrong).ping().await.expect_err("no entry");
        assert_eq!(error.kind(), PortErrorKind::Misconfigured, "{wrong:?}");
        let told = format!("{error:?} {} {:?}", error.chain(), at(wrong));
        assert!(!told.contains("abracadabra"), "{told}");
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
