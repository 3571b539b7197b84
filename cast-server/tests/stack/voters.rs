//! Voters, many at once, who write down each answer.

use std::{sync::atomic::Ordering, time::Duration};

use cast_adapters::system::SystemClock;
use cast_core::domain::Clock as _;
use cast_testkit::{Seed, SeededEntropy, pause, within};
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinSet};
use uuid::Uuid;

use crate::{
    ledger::{Ledger, Sending, VoteResponse},
    program::{Client, Reply, VOTE},
    stack::{LATER, until},
    workload::{VoteInput, Workload},
};

/// How long a voter who was not served waits before the next try.
const PATIENCE: Duration = Duration::from_millis(20);

/// One voter, at one server after the other.
pub(crate) struct Voter {
    pub(crate) name: String,
    random: SeededEntropy,
    workload: Workload,
    ticket: Option<String>,
}

impl Voter {
    pub(crate) fn new(name: &str, seed: Seed, workload: &Workload) -> Self {
        Self {
            name: name.to_owned(),
            random: seed.entropy(),
            workload: workload.clone(),
            ticket: None,
        }
    }

    /// Sends a ballot, again and again until it is acknowledged.
    pub(crate) async fn vote(&mut self, name: &str, ballot: &VoteInput) {
        self.workload.enter(name, ballot);
        until("an acknowledgement", async || {
            self.send(name, ballot)
                .await
                .is_acknowledgement()
                .then_some(())
        })
        .await;
    }

    /// Sends a new ballot, once, to this server; writes down the answer.
    pub(crate) async fn vote_once(
        &mut self,
        api: &Client,
        name: &str,
        ballot: &VoteInput,
    ) -> VoteResponse {
        self.workload.enter(name, ballot);
        self.again(api, name, ballot).await
    }

    /// Sends a ballot to this server; writes down the answer.
    pub(crate) async fn again(
        &mut self,
        api: &Client,
        name: &str,
        ballot: &VoteInput,
    ) -> VoteResponse {
        let ticket = until("a ticket", async || ticket(api).await).await;
        self.send_to(api, name, ballot, ticket).await
    }

    /// Sends a new ballot, once, with this ticket to this server; writes down the answer.
    pub(crate) async fn vote_with(
        &mut self,
        api: &Client,
        name: &str,
        ticket: String,
    ) -> VoteResponse {
        let ballot = VoteInput::one(name);
        self.workload.enter(name, &ballot);
        self.send_to(api, name, &ballot, ticket).await
    }

    async fn send(&mut self, name: &str, ballot: &VoteInput) -> VoteResponse {
        let Some(api) = self.api() else {
            pause(PATIENCE).await;
            return VoteResponse::Unavailable("there is no server".into());
        };
        let known = match self.ticket.take() {
            Some(known) => Ok(known),
            None => try_ticket(&api).await,
        };
        let ticket = match known {
            Ok(ticket) => ticket,
            Err(code) => {
                *self
                    .workload
                    .locked()
                    .no_ticket
                    .entry(code.clone())
                    .or_default() += 1;
                pause(PATIENCE).await;
                return VoteResponse::Unavailable(code);
            }
        };
        let response = self.send_to(&api, name, ballot, ticket.clone()).await;
        match &response {
            VoteResponse::Accepted | VoteResponse::Duplicate => self.ticket = Some(ticket),
            VoteResponse::Refused(code) if code == "TICKET_EXPIRED" => {}
            _ => pause(PATIENCE).await,
        }
        response
    }

    async fn send_to(
        &self,
        api: &Client,
        name: &str,
        ballot: &VoteInput,
        ticket: String,
    ) -> VoteResponse {
        let (usernames, counts): (Vec<_>, Vec<_>) = ballot.selections.iter().cloned().unzip();
        // VoteResponse in the meantime, where the voter brought none.
        let id = self.workload.locked().ballots[name].id;
        let vote = json!({
            "usernames": usernames, "voteCount": counts, "ticket": ticket,
            "voterUsername": name, "ballotId": id,
        });
        let reply = api.try_ask(VOTE, vote).await;
        let (response, id) = match &reply {
            Ok(reply) => read(reply),
            Err(error) if error.is_connect() => {
                (VoteResponse::Unavailable("no connection".into()), None)
            }
            Err(error) if error.is_timeout() => (VoteResponse::TimedOut, None),
            Err(error) => (VoteResponse::Unknown(format!("no answer: {error}")), None),
        };
        let request = reply.as_ref().map(|reply| reply.header("x-request-id"));
        let stale = reply
            .as_ref()
            .map(|reply| &reply.body["data"]["vote"]["stale"]);
        let sending = Sending {
            ticket,
            server: api.url.clone(),
            at_unix_ms: SystemClock.now().as_unix_ms(),
            request: request.unwrap_or_default().to_owned(),
            response: response.clone(),
            stale: stale.is_ok_and(|stale| stale.as_bool() == Some(true)),
        };
        self.workload.locked().record(name, id, sending);
        response
    }

    fn api(&self) -> Option<Client> {
        let apis = self.workload.apis.lock().unwrap();
        let at = (!apis.is_empty()).then(|| self.random.index(apis.len()));
        at.map(|at| apis[at].clone())
    }

    /// Votes until `stop` is set. A ballot whose fate is not known is not given up, where it
    /// has an id.
    async fn vote_until(mut self, stop: watch::Receiver<bool>) {
        for number in 0.. {
            if *stop.borrow() {
                return;
            }
            let (name, ballot) = (
                format!("{}-{number}", self.name),
                VoteInput::random(&self.random),
            );
            self.workload.enter(&name, &ballot);
            let what = format!("the end of {name}");
            within(LATER * 2, what, self.see_through(&name, &ballot, &stop)).await;
            self.rest().await;
        }
    }

    /// After a burst of some ballots.
    async fn rest(&self) {
        let longest = u64::try_from(self.workload.rest.as_millis()).expect("a while");
        if longest > 0 && self.random.below(16) == 0 {
            pause(Duration::from_millis(self.random.below(longest))).await;
        }
    }

    async fn see_through(&mut self, name: &str, ballot: &VoteInput, stop: &watch::Receiver<bool>) {
        loop {
            let response = self.send(name, ballot).await;
            if !self.sends_again(name, &response, *stop.borrow()) {
                return;
            }
        }
    }

    /// Whether to send it again.
    fn sends_again(&self, name: &str, response: &VoteResponse, is_stopping: bool) -> bool {
        if response.is_acknowledgement() {
            return false;
        }
        let ledger = self.workload.locked();
        let ballot = &ledger.ballots[name];
        if ballot.was_unknown() {
            return ballot.id.is_some();
        }
        // Some give up what was refused: such ballots must be in no tally.
        !is_stopping && self.random.below(4) > 0
    }
}

/// The ticket that is good now, if there is one.
pub(crate) async fn ticket(api: &Client) -> Option<String> {
    try_ticket(api).await.ok()
}

/// The ticket that is good now, or why there is none.
async fn try_ticket(api: &Client) -> Result<String, String> {
    let asked = api.try_ask("{ cas { ticket } }", Value::Null).await;
    let reply = asked.map_err(|error| error.to_string())?;
    let ticket = reply.body["data"]["cas"]["ticket"].as_str();
    ticket.map(String::from).ok_or(reply.code().into())
}

/// What an answer says, and of which ballot.
fn read(reply: &Reply) -> (VoteResponse, Option<Uuid>) {
    let id = |value: &Value| value.as_str().map(|id| id.parse().expect("a UUID"));
    let result = &reply.body["data"]["vote"];
    let response = match (result["code"].as_str(), reply.code()) {
        (Some("ACCEPTED"), "") => VoteResponse::Accepted,
        (Some("DUPLICATE"), "") => VoteResponse::Duplicate,
        // Another one is minted for the next sending.
        (Some(code), "") => return (VoteResponse::Refused(code.into()), None),
        (None, code @ ("UNAVAILABLE" | "OVERLOADED")) => VoteResponse::Unavailable(code.into()),
        (None, "OUTCOME_UNKNOWN") => {
            let ballot = id(&reply.body["errors"][0]["extensions"]["ballotId"]);
            assert!(ballot.is_some(), "the answer has no ballot id: {reply:?}");
            return (VoteResponse::Unknown("OUTCOME_UNKNOWN".into()), ballot);
        }
        _ => panic!("request {}: {reply:?}", reply.header("x-request-id")),
    };
    (response, id(&result["ballotId"]))
}

/// Many voters, each of whom votes all the time.
pub(crate) struct Voters {
    workload: Workload,
    stop: watch::Sender<bool>,
    running: JoinSet<()>,
}

impl Voters {
    /// So many voters begin.
    pub(crate) fn start(seed: Seed, workload: &Workload, count: usize) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut voters = Self {
            workload: workload.clone(),
            stop,
            running: JoinSet::new(),
        };
        for (_, part) in (0..count).zip(0..) {
            let number = workload.voters.fetch_add(1, Ordering::Relaxed);
            let voter = Voter::new(&format!("voter{number}"), seed.part(part), workload);
            voters.running.spawn(voter.vote_until(stopped.clone()));
        }
        voters
    }

    /// Waits until so many more ballots were acknowledged.
    pub(crate) async fn until_acknowledged(&mut self, more: usize) {
        let before = self.workload.locked().acknowledged();
        self.until_ledger(&format!("{more} more acknowledged ballots"), |ledger| {
            ledger.acknowledged() >= before + more
        })
        .await;
    }

    /// Waits until the ledger is so.
    pub(crate) async fn until_ledger(&mut self, what: &str, is_so: impl Fn(&Ledger) -> bool) {
        let workload = self.workload.clone();
        let waiting = until(what, async || is_so(&workload.locked()).then_some(()));
        tokio::select! {
            () = waiting => {}
            Some(ended) = self.running.join_next() => ended.expect("no voter gives up"),
        }
    }

    /// Waits for a voter to fail, for good.
    pub(crate) async fn watch(&mut self) {
        while let Some(ended) = self.running.join_next().await {
            ended.expect("no voter gives up");
        }
        std::future::pending::<()>().await;
    }

    /// Waits until each voter has finished with the ballot in hand.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        let ending = async {
            while let Some(ended) = self.running.join_next().await {
                ended.expect("no voter gives up");
            }
        };
        within(LATER, "the voters' last ballots", ending).await;
    }
}
