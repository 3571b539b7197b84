//! Voters, many at once, who write down what they are told.

use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cast_adapters::system::SystemClock;
use cast_core::ports::{Clock as _, Entropy as _};
use cast_testkit::{Seed, SeededEntropy, pause, within};
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinSet};
use uuid::Uuid;

use crate::{
    ledger::{Ledger, Sending, Told},
    program::{Client, Reply, VOTE},
    stack::{LATER, until},
};

/// How long a voter who was not served waits before the next try.
const PATIENCE: Duration = Duration::from_millis(20);

/// Whom all vote for.
const CANDIDATES: [&str; 8] = ["ada", "bo", "cy", "dee", "eve", "fay", "gus", "zoë"];

/// What the voters of a test share.
#[derive(Clone)]
pub(crate) struct Book {
    ledger: Arc<Mutex<Ledger>>,
    /// The API servers that are there; a test may change them at any time.
    pub(crate) doors: Arc<Mutex<Vec<Client>>>,
    /// How many voters of crowds there were so far.
    voters: Arc<AtomicUsize>,
    /// For how long a voter rests after a burst of ballots, at most.
    pub(crate) rest: Duration,
}

impl Book {
    pub(crate) fn new(doors: Vec<Client>) -> Self {
        Self {
            ledger: Arc::default(),
            doors: Arc::new(Mutex::new(doors)),
            voters: Arc::default(),
            rest: Duration::ZERO,
        }
    }

    pub(crate) fn ledger(&self) -> Ledger {
        self.locked().clone()
    }

    /// Looks at the ledger where it is.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        look(&self.locked())
    }

    /// Leaves these servers alone from now on, and goes to those.
    pub(crate) fn set_doors(&self, doors: Vec<Client>) {
        *self.doors.lock().unwrap() = doors;
    }

    fn locked(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap()
    }

    fn enter(&self, name: &str, ballot: &Paper) {
        self.locked().enter(name, ballot.id, &ballot.selections);
    }
}

/// A ballot, without the ticket.
#[derive(Clone, Debug)]
pub(crate) struct Paper {
    pub(crate) id: Option<Uuid>,
    pub(crate) selections: Vec<(String, u64)>,
}

impl Paper {
    /// One vote for somebody, with an id of the voter's.
    pub(crate) fn one(candidate: &str) -> Self {
        Self::numbered(candidate, Seed::random().get())
    }

    /// One vote for somebody; the id follows from a number.
    pub(crate) fn numbered(candidate: &str, number: u64) -> Self {
        Self {
            id: Some(uuid_of(&Seed::new(number).entropy())),
            selections: vec![(candidate.into(), 1)],
        }
    }

    fn of(random: &SeededEntropy) -> Self {
        let count = 1 + random.index(3);
        let select = |_| {
            let name = CANDIDATES[random.index(CANDIDATES.len())];
            (name.to_owned(), 1 + random.below(5))
        };
        Self {
            id: (random.below(4) > 0).then(|| uuid_of(random)),
            selections: (0..count).map(select).collect(),
        }
    }
}

fn uuid_of(random: &SeededEntropy) -> Uuid {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// One voter, at one server after the other.
pub(crate) struct Voter {
    pub(crate) name: String,
    random: SeededEntropy,
    book: Book,
    ticket: Option<String>,
}

impl Voter {
    pub(crate) fn new(name: &str, seed: Seed, book: &Book) -> Self {
        Self {
            name: name.to_owned(),
            random: seed.entropy(),
            book: book.clone(),
            ticket: None,
        }
    }

    /// Sends a ballot, again and again until it is acknowledged.
    pub(crate) async fn vote(&mut self, name: &str, ballot: &Paper) {
        self.book.enter(name, ballot);
        until("an acknowledgement", async || {
            self.send(name, ballot)
                .await
                .is_acknowledgement()
                .then_some(())
        })
        .await;
    }

    /// Sends a new ballot, once, to this server; writes down what is told.
    pub(crate) async fn vote_once(&mut self, door: &Client, name: &str, ballot: &Paper) -> Told {
        self.book.enter(name, ballot);
        self.again(door, name, ballot).await
    }

    /// Sends a ballot to this server; writes down what is told.
    pub(crate) async fn again(&mut self, door: &Client, name: &str, ballot: &Paper) -> Told {
        let ticket = until("a ticket", async || ticket(door).await).await;
        self.send_to(door, name, ballot, ticket).await
    }

    /// Sends a new ballot, once, with this ticket to this server; writes down what is told.
    pub(crate) async fn vote_with(&mut self, door: &Client, name: &str, ticket: String) -> Told {
        let ballot = Paper::one(name);
        self.book.enter(name, &ballot);
        self.send_to(door, name, &ballot, ticket).await
    }

    async fn send(&mut self, name: &str, ballot: &Paper) -> Told {
        let Some(door) = self.door() else {
            pause(PATIENCE).await;
            return Told::NotTaken("there is no server".into());
        };
        let known = match self.ticket.take() {
            Some(known) => Ok(known),
            None => try_ticket(&door).await,
        };
        let ticket = match known {
            Ok(ticket) => ticket,
            Err(code) => {
                *self
                    .book
                    .locked()
                    .no_ticket
                    .entry(code.clone())
                    .or_default() += 1;
                pause(PATIENCE).await;
                return Told::NotTaken(code);
            }
        };
        let told = self.send_to(&door, name, ballot, ticket.clone()).await;
        match &told {
            Told::Accepted | Told::Duplicate => self.ticket = Some(ticket),
            Told::Refused(code) if code == "TICKET_EXPIRED" => {}
            _ => pause(PATIENCE).await,
        }
        told
    }

    async fn send_to(&self, door: &Client, name: &str, ballot: &Paper, ticket: String) -> Told {
        let (usernames, counts): (Vec<_>, Vec<_>) = ballot.selections.iter().cloned().unzip();
        // Told in the meantime, where the voter brought none.
        let id = self.book.locked().ballots[name].id;
        let vote = json!({
            "usernames": usernames, "voteCount": counts, "ticket": ticket,
            "voterUsername": name, "ballotId": id,
        });
        let reply = door.try_ask(VOTE, vote).await;
        let (told, id) = match &reply {
            Ok(reply) => read(reply),
            Err(error) if error.is_connect() => (Told::NotTaken("nobody is there".into()), None),
            Err(error) if error.is_timeout() => (Told::Late, None),
            Err(error) => (Told::Unknown(format!("no answer: {error}")), None),
        };
        let request = reply.as_ref().map(|reply| reply.header("x-request-id"));
        let stale = reply
            .as_ref()
            .map(|reply| &reply.body["data"]["vote"]["stale"]);
        let sending = Sending {
            ticket,
            door: door.url.clone(),
            at_unix_ms: SystemClock.now().as_unix_ms(),
            request: request.unwrap_or_default().to_owned(),
            told: told.clone(),
            stale: stale.is_ok_and(|stale| stale.as_bool() == Some(true)),
        };
        self.book.locked().note(name, id, sending);
        told
    }

    fn door(&self) -> Option<Client> {
        let doors = self.book.doors.lock().unwrap();
        let at = (!doors.is_empty()).then(|| self.random.index(doors.len()));
        at.map(|at| doors[at].clone())
    }

    /// Votes until it is told to stop. A ballot whose fate is not known is not given up, where it
    /// has an id.
    async fn vote_until(mut self, stop: watch::Receiver<bool>) {
        for number in 0.. {
            if *stop.borrow() {
                return;
            }
            let (name, ballot) = (format!("{}-{number}", self.name), Paper::of(&self.random));
            self.book.enter(&name, &ballot);
            let what = format!("the end of {name}");
            within(LATER * 2, what, self.see_through(&name, &ballot, &stop)).await;
            self.rest().await;
        }
    }

    /// After a burst of some ballots.
    async fn rest(&self) {
        let longest = u64::try_from(self.book.rest.as_millis()).expect("a while");
        if longest > 0 && self.random.below(16) == 0 {
            pause(Duration::from_millis(self.random.below(longest))).await;
        }
    }

    async fn see_through(&mut self, name: &str, ballot: &Paper, stop: &watch::Receiver<bool>) {
        loop {
            let told = self.send(name, ballot).await;
            if !self.goes_on(name, &told, *stop.borrow()) {
                return;
            }
        }
    }

    /// Whether to send it again.
    fn goes_on(&self, name: &str, told: &Told, is_told_to_stop: bool) -> bool {
        if told.is_acknowledgement() {
            return false;
        }
        let ledger = self.book.locked();
        let entry = &ledger.ballots[name];
        if entry.was_in_the_dark() {
            return entry.id.is_some();
        }
        // Some give up what was refused: such ballots must be in no tally.
        !is_told_to_stop && self.random.below(4) > 0
    }
}

/// The ticket that is good now, if there is one.
pub(crate) async fn ticket(door: &Client) -> Option<String> {
    try_ticket(door).await.ok()
}

/// The ticket that is good now, or why there is none.
async fn try_ticket(door: &Client) -> Result<String, String> {
    let asked = door.try_ask("{ cas { ticket } }", Value::Null).await;
    let reply = asked.map_err(|error| error.to_string())?;
    let ticket = reply.body["data"]["cas"]["ticket"].as_str();
    ticket.map(String::from).ok_or(reply.code().into())
}

/// What an answer says, and of which ballot.
fn read(reply: &Reply) -> (Told, Option<Uuid>) {
    let id = |value: &Value| value.as_str().map(|id| id.parse().expect("a UUID"));
    let result = &reply.body["data"]["vote"];
    let told = match (result["code"].as_str(), reply.code()) {
        (Some("ACCEPTED"), "") => Told::Accepted,
        (Some("DUPLICATE"), "") => Told::Duplicate,
        // Another one is minted for the next sending.
        (Some(code), "") => return (Told::Refused(code.into()), None),
        (None, code @ ("UNAVAILABLE" | "OVERLOADED")) => Told::NotTaken(code.into()),
        (None, "OUTCOME_UNKNOWN") => {
            let ballot = id(&reply.body["errors"][0]["extensions"]["ballotId"]);
            assert!(ballot.is_some(), "not told of which ballot: {reply:?}");
            return (Told::Unknown("OUTCOME_UNKNOWN".into()), ballot);
        }
        _ => panic!("request {}: {reply:?}", reply.header("x-request-id")),
    };
    (told, id(&result["ballotId"]))
}

/// Many voters, each of whom votes all the time.
pub(crate) struct Crowd {
    book: Book,
    stop: watch::Sender<bool>,
    voters: JoinSet<()>,
}

impl Crowd {
    /// So many voters begin.
    pub(crate) fn gather(seed: Seed, book: &Book, voters: usize) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut crowd = Self {
            book: book.clone(),
            stop,
            voters: JoinSet::new(),
        };
        for (_, part) in (0..voters).zip(0..) {
            let number = book.voters.fetch_add(1, Ordering::Relaxed);
            let voter = Voter::new(&format!("voter{number}"), seed.part(part), book);
            crowd.voters.spawn(voter.vote_until(stopped.clone()));
        }
        crowd
    }

    /// Waits until so many more ballots were acknowledged.
    pub(crate) async fn until_acknowledged(&mut self, more: usize) {
        let before = self.book.locked().acknowledged();
        self.until_ledger(&format!("{more} more acknowledged ballots"), |ledger| {
            ledger.acknowledged() >= before + more
        })
        .await;
    }

    /// Waits until the ledger is so.
    pub(crate) async fn until_ledger(&mut self, what: &str, is_so: impl Fn(&Ledger) -> bool) {
        let book = self.book.clone();
        let waiting = until(what, async || is_so(&book.locked()).then_some(()));
        tokio::select! {
            () = waiting => {}
            Some(ended) = self.voters.join_next() => ended.expect("no voter gives up"),
        }
    }

    /// Waits for a voter to fail, for good.
    pub(crate) async fn watch(&mut self) {
        while let Some(ended) = self.voters.join_next().await {
            ended.expect("no voter gives up");
        }
        std::future::pending::<()>().await;
    }

    /// Waits until each voter has finished with the ballot in hand.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        let ending = async {
            while let Some(ended) = self.voters.join_next().await {
                ended.expect("no voter gives up");
            }
        };
        within(LATER, "the voters' last ballots", ending).await;
    }
}
