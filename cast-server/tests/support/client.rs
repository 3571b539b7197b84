//! Speaks GraphQL over HTTP.

use serde_json::{Value, json};

use super::SOON;

/// A client of one server.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
}

/// An HTTP answer with JSON in it.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    /// The code of the first error; empty without one.
    pub(crate) fn code(&self) -> &str {
        self.body["errors"][0]["extensions"]["code"]
            .as_str()
            .unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) const VOTE: &str = "mutation Vote($usernames: [String!]!, $voteCount: [Int!]!, \
    $ticket: String!, $voterUsername: String, $ballotId: ID) { vote(usernames: $usernames, \
    voteCount: $voteCount, ticket: $ticket, voterUsername: $voterUsername, ballotId: $ballotId) \
    { success message usernames votes ballotId code retryable stale } }";

impl Client {
    pub(crate) fn new(url: &str) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(SOON)
            .build()
            .unwrap();
        let url = url.to_owned();
        Self { url, http }
    }

    pub(crate) fn graphql_url(&self) -> String {
        format!("{}/graphql", self.url)
    }

    /// Sends a request; an error where the server may be gone.
    pub(crate) async fn try_send(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<Reply, reqwest::Error> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Reply {
            status,
            headers,
            body,
        })
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        self.try_send(request).await.expect("an answer")
    }

    /// Asks with a document; an error where the server may be gone.
    pub(crate) async fn try_ask(
        &self,
        query: &str,
        variables: Value,
    ) -> Result<Reply, reqwest::Error> {
        let body = json!({"query": query, "variables": variables});
        self.try_send(self.http.post(self.graphql_url()).json(&body))
            .await
    }

    pub(crate) async fn ask(&self, query: &str, variables: Value) -> Reply {
        self.try_ask(query, variables).await.expect("an answer")
    }

    /// The data of an answer without errors.
    pub(crate) async fn data(&self, query: &str, variables: Value) -> Value {
        let reply = self.ask(query, variables).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(reply.body.get("errors").is_none(), "{reply:?}");
        reply.body["data"].clone()
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(self.http.get(format!("{}{path}", self.url)))
            .await
    }
}
