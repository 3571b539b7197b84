//! A proxy between a client and a server that rewrites the server's responses.

use std::sync::Arc;

use poem::{
    Endpoint, Request, Response, Server,
    listener::{Acceptor, Listener, TcpListener},
};
use serde_json::Value;

use crate::support::Client;

/// Forwards requests, and rewrites the responses. It runs until the test ends.
pub(crate) struct RewritingProxy {
    pub(crate) url: String,
    running: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Drop for RewritingProxy {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// The response to a request, made of the server's; `None` closes the connection.
type Rewrite = dyn Fn(&Value, Value) -> Option<Value> + Send + Sync;

struct Rewriting {
    server: Client,
    rewrite: Box<Rewrite>,
}

impl RewritingProxy {
    /// One in front of this server.
    pub(crate) async fn before(
        server: &Client,
        rewrite: impl Fn(&Value, Value) -> Option<Value> + Send + Sync + 'static,
    ) -> Self {
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await;
        let acceptor = acceptor.unwrap();
        let address = acceptor.local_addr()[0].clone();
        let endpoint = Arc::new(Rewriting {
            server: server.clone(),
            rewrite: Box::new(rewrite),
        });
        Self {
            url: format!("http://{}", address.as_socket_addr().unwrap()),
            running: tokio::spawn(Server::new_with_acceptor(acceptor).run(endpoint)),
        }
    }
}

impl Endpoint for Rewriting {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let body = request.take_body().into_bytes().await?;
        let request: Value = serde_json::from_slice(&body).expect("JSON");
        let answer = self.server.post(&request).await.body;
        match (self.rewrite)(&request, answer) {
            Some(answer) => Ok(Response::builder()
                .content_type("application/json")
                .body(answer.to_string())),
            // The connection's task ends with it, and the connection.
            None => panic!("this proxy closes the connection"),
        }
    }
}

/// The variables of a vote; nothing if it is another request.
pub(crate) fn vote_of(request: &Value) -> Option<&Value> {
    let is_vote = request["query"].as_str()?.contains("vote(");
    is_vote.then(|| &request["variables"])
}
