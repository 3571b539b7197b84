//! A small server of the same contract that can lie.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use poem::{
    Endpoint, Request, Response, Server,
    listener::{Acceptor, Listener, TcpListener},
};
use serde_json::{Value, json};

/// What it does wrong, from its fifth vote on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    /// Nothing.
    Never,
    /// Does not count the fifth vote.
    ForgetsOne,
    /// Counts the fifth vote twice.
    CountsOneTwice,
    /// Says that tickets have 3 uses.
    SellsTooMuch,
    /// Says that it does not know, after every fifth vote.
    HidesOutcomes,
    /// Closes the connection, after every fifth vote.
    HangsUp,
    /// Says that it does not know of every fifth vote, however often it is asked.
    NeverTells,
    /// Answers that it is full.
    RefusesAll,
    /// Shows no votes the first few times that it is asked for tallies.
    ShowsLate,
}

#[derive(Default)]
struct State {
    votes: HashMap<String, u64>,
    ids: HashSet<String>,
    /// Ids that it has counted.
    counted: HashSet<String>,
    /// Ids whose outcome it never reveals.
    silent: HashSet<String>,
    seen: u64,
    /// How often it was asked for tallies.
    asked: u64,
}

struct Lying {
    lie: Lie,
    state: Mutex<State>,
}

/// It runs until the test ends.
pub(super) struct Liar {
    pub(super) url: String,
    running: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Liar {
    pub(super) async fn start(lie: Lie) -> Self {
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await;
        let acceptor = acceptor.unwrap();
        let address = acceptor.local_addr()[0].clone();
        let endpoint = Arc::new(Lying {
            lie,
            state: Mutex::default(),
        });
        Self {
            url: format!("http://{}", address.as_socket_addr().unwrap()),
            running: tokio::spawn(Server::new_with_acceptor(acceptor).run(endpoint)),
        }
    }
}

impl Endpoint for Lying {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let body = request.take_body().into_bytes().await?;
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        let query = body["query"].as_str().expect("a document");
        let variables = &body["variables"];
        let answer = if query.contains("vote(") {
            self.vote(variables)
        } else if query.contains("tallies(") {
            Some(self.tallies(&variables["names"]))
        } else if query.contains("ballot(") {
            Some(self.ballot(&variables["id"]))
        } else {
            Some(self.cas())
        };
        match answer {
            Some(answer) => Ok(Response::builder().body(answer.to_string())),
            // The connection's task ends with it, and the connection.
            None => panic!("this server hangs up"),
        }
    }
}

impl Lying {
    fn cas(&self) -> Value {
        let uses = if self.lie == Lie::SellsTooMuch {
            3
        } else {
            1_000_000
        };
        let (ticket, end) = ("ab".repeat(32), "2999-01-01T00:00:00Z");
        json!({"data": {"cas": {"ticket": ticket, "validUntil": end, "remainingUsage": uses}}})
    }

    fn vote(&self, variables: &Value) -> Option<Value> {
        if self.lie == Lie::RefusesAll {
            return Some(fault("OVERLOADED"));
        }
        let name = variables["names"][0].as_str().unwrap();
        let id = variables["id"].as_str().unwrap();
        let mut state = self.state.lock().unwrap();
        if state.silent.contains(id) {
            return Some(fault("OUTCOME_UNKNOWN"));
        }
        if !state.ids.insert(id.into()) {
            return Some(voted("DUPLICATE", state.votes[name]));
        }
        state.seen += 1;
        let (is_fifth, is_a_fifth) = (state.seen == 5, state.seen.is_multiple_of(5));
        let counts = match self.lie {
            Lie::ForgetsOne if is_fifth => 0,
            Lie::CountsOneTwice if is_fifth => 2,
            _ => 1,
        };
        if counts > 0 {
            state.counted.insert(id.into());
        }
        let votes = state.votes.entry(name.into()).or_default();
        *votes += counts;
        let votes = *votes;
        match self.lie {
            Lie::HidesOutcomes if is_a_fifth => Some(fault("OUTCOME_UNKNOWN")),
            Lie::HangsUp if is_a_fifth => None,
            Lie::NeverTells if is_a_fifth => {
                state.silent.insert(id.into());
                Some(fault("OUTCOME_UNKNOWN"))
            }
            _ => Some(voted("ACCEPTED", votes)),
        }
    }

    fn tallies(&self, names: &Value) -> Value {
        let mut state = self.state.lock().unwrap();
        state.asked += 1;
        let is_late = self.lie == Lie::ShowsLate && state.asked < 4;
        let tally = |name: &Value| {
            let votes = state.votes.get(name.as_str().unwrap());
            let votes = votes.filter(|_| !is_late).unwrap_or(&0);
            json!({"username": name, "votes": votes})
        };
        let tallies: Vec<_> = names.as_array().unwrap().iter().map(tally).collect();
        json!({"data": {"tallies": tallies}})
    }

    fn ballot(&self, id: &Value) -> Value {
        let is_counted = self
            .state
            .lock()
            .unwrap()
            .counted
            .contains(id.as_str().unwrap());
        let ballot = is_counted.then(|| json!({"fate": "COUNTED"}));
        json!({"data": {"ballot": ballot}})
    }
}

fn voted(code: &str, votes: u64) -> Value {
    json!({"data": {"vote": {"success": true, "code": code, "votes": [votes]}}})
}

fn fault(code: &str) -> Value {
    json!({"data": null, "errors": [{"message": code, "extensions": {"code": code}}]})
}
