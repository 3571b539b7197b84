//! GraphQL over HTTP by its draft, and the other paths of the server.

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::support::{Reply, Server, one_vote, raw};

const JSON: &str = "application/json; charset=utf-8";
const GRAPHQL: &str = "application/graphql-response+json; charset=utf-8";

impl Server {
    async fn post_as(&self, accept: &str, body: &str) -> Reply {
        let request = self
            .client
            .http
            .post(self.client.graphql_url())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, accept)
            .body(body.to_owned());
        self.client.send(request).await
    }

    async fn get_as(&self, method: Method, parameters: &[(&str, &str)]) -> Reply {
        let url = self.client.graphql_url();
        let url = reqwest::Url::parse_with_params(&url, parameters).unwrap();
        self.client
            .send(self.client.http.request(method, url))
            .await
    }
}

#[tokio::test]
async fn the_status_follows_from_the_media_type_and_from_what_happened() {
    let server = Server::start().await;
    let document = |query: &str| json!({"query": query}).to_string();
    for (body, legacy, standard, code) in [
        (document("{ query(username: \"a\") }"), 200, 200, ""),
        (
            document("{ query(username: \"a\") b: query(username: \"\") }"),
            200,
            294,
            "BAD_USER_INPUT",
        ),
        (
            document("{ query(username: \"\") }"),
            200,
            294,
            "BAD_USER_INPUT",
        ),
        (document("{"), 200, 400, "GRAPHQL_PARSE_FAILED"),
        (document(""), 200, 400, "GRAPHQL_PARSE_FAILED"),
        (
            document("{ colour }"),
            200,
            422,
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            document("query A { cas { ticket } } query B { cas { ticket } }"),
            200,
            422,
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            document("subscription { cas { ticket } }"),
            200,
            422,
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            document("query($u: String!) { query(username: $u) }"),
            200,
            422,
            "BAD_USER_INPUT",
        ),
        ("NONSENSE".into(), 400, 400, "BAD_USER_INPUT"),
        ("{\"query\":".into(), 400, 400, "BAD_USER_INPUT"),
        (String::new(), 400, 400, "BAD_USER_INPUT"),
        ("[]".into(), 400, 400, "BAD_USER_INPUT"),
        (
            "[{\"query\":\"{ cas { ticket } }\"}]".into(),
            400,
            400,
            "BAD_USER_INPUT",
        ),
        (
            "{\"qeury\":\"{__typename}\"}".into(),
            422,
            422,
            "BAD_USER_INPUT",
        ),
        (
            "{\"query\":\"{__typename}\",\"variables\":[7]}".into(),
            422,
            422,
            "BAD_USER_INPUT",
        ),
    ] {
        for (accept, media_type, status) in [
            ("application/json", JSON, legacy),
            ("*/*", JSON, legacy),
            ("application/graphql-response+json", GRAPHQL, standard),
        ] {
            let reply = server.post_as(accept, &body).await;
            assert_eq!(
                (reply.status, reply.code()),
                (status, code),
                "{accept} {body} {reply:?}"
            );
            assert_eq!(reply.header("content-type"), media_type, "{body}");
            let is_executed = matches!(standard, 200 | 294);
            assert_eq!(
                reply.body.get("data").is_some(),
                is_executed,
                "{body} {reply:?}"
            );
        }
    }
}

#[tokio::test]
async fn unsupported_requests_get_the_status_that_says_why() {
    let server = Server::start().await;
    let body = "{\"query\":\"{ cas { ticket } }\"}";
    assert_eq!(server.post_as("text/html", body).await.status, 406);
    assert_eq!(
        server.post_as("application/json;q=0", body).await.status,
        406
    );
    let (http, url) = (&server.client.http, server.client.graphql_url());
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json; charset=utf-16",
    ] {
        let request = http
            .post(&url)
            .header(header::CONTENT_TYPE, content_type)
            .body(body);
        let reply = server.client.send(request).await;
        assert_eq!(
            (reply.status, reply.code()),
            (415, "BAD_USER_INPUT"),
            "{content_type}"
        );
    }
    assert_eq!(
        server.client.send(http.post(&url).body(body)).await.status,
        415
    );
    for method in [
        Method::PUT,
        Method::DELETE,
        Method::PATCH,
        Method::HEAD,
        Method::OPTIONS,
    ] {
        let reply = server.client.send(http.request(method.clone(), &url)).await;
        assert_eq!(
            (reply.status, reply.header("allow")),
            (405, "GET, POST"),
            "{method}"
        );
    }
    let reply = server.client.get("/nowhere").await;
    assert_eq!((reply.status, reply.header("content-type")), (404, JSON));
    assert!(reply.body["errors"][0]["message"].is_string());
}

#[tokio::test]
async fn queries_are_answered_over_get_and_mutations_are_not() {
    let server = Server::start().await;
    let query = "query($u: String!) { query(username: $u) }";
    let variables = "{\"u\":\"a\"}";
    let good = [
        ("query", query),
        ("variables", variables),
        ("extensions", "{}"),
    ];
    let reply = server.get_as(Method::GET, &good).await;
    assert_eq!(
        (reply.status, &reply.body["data"]),
        (200, &json!({"query": 0}))
    );

    let two = "query A { a: query(username: \"a\") } mutation B { vote(usernames: [\"got\"], \
               voteCount: [1], ticket: \"x\") { success } }";
    let reply = server
        .get_as(Method::GET, &[("query", two), ("operationName", "A")])
        .await;
    assert_eq!(reply.body["data"], json!({"a": 0}));
    let reply = server
        .get_as(Method::GET, &[("query", two), ("operationName", "B")])
        .await;
    assert_eq!((reply.status, reply.header("allow")), (405, "POST"));

    let ticket = server.client.ticket().await;
    let mutation = crate::support::VOTE;
    let vote = one_vote(&ticket, "got").to_string();
    let parameters = [("query", mutation), ("variables", &*vote)];
    // Before the document is cached, and after.
    assert_eq!(server.get_as(Method::GET, &parameters).await.status, 405);
    server.client.vote(one_vote(&ticket, "posted")).await;
    assert_eq!(server.get_as(Method::GET, &parameters).await.status, 405);
    assert_eq!(server.client.tally("got").await, 0);

    for bad in [
        &[][..],
        &[("query", query), ("variables", "[7]")],
        &[("query", query), ("variables", "{")],
    ] {
        assert_eq!(server.get_as(Method::GET, bad).await.status, 422, "{bad:?}");
    }
}

#[tokio::test]
async fn an_operation_is_selected_by_its_name() {
    let server = Server::start().await;
    let query = "query A { a: query(username: \"a\") } query B { b: query(username: \"b\") }";
    let ask = |name: Value| {
        let client = server.client.clone();
        async move {
            client
                .post(&json!({"query": query, "operationName": name}))
                .await
        }
    };
    assert_eq!(ask(json!("A")).await.body["data"], json!({"a": 0}));
    assert_eq!(ask(json!("B")).await.body["data"], json!({"b": 0}));
    for name in [json!("C"), json!(""), Value::Null] {
        assert_eq!(ask(name).await.code(), "GRAPHQL_VALIDATION_FAILED");
    }
}

#[tokio::test]
async fn every_response_has_a_request_id_the_clients_if_it_is_well_formed() {
    let server = Server::start().await;
    let ask = |path: &'static str, id: Option<&'static str>| {
        let client = server.client.clone();
        async move {
            let request = client.http.get(format!("{}{path}", client.url));
            let request = id
                .into_iter()
                .fold(request, |r, id| r.header("x-request-id", id));
            client.send(request).await.header("x-request-id").to_owned()
        }
    };
    assert_eq!(ask("/graphql", Some("trace-7.a_B")).await, "trace-7.a_B");
    let mut seen = std::collections::HashSet::new();
    for path in ["/", "/graphql", "/livez", "/readyz", "/healthz"] {
        for id in [None, Some("not well formed"), Some("<script>")] {
            let id = ask(path, id).await;
            assert!(
                id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{id}"
            );
            assert!(seen.insert(id));
        }
    }
}

#[tokio::test]
async fn health_checks_are_plain_text() {
    let server = Server::start().await;
    for path in ["/livez", "/readyz", "/healthz"] {
        let reply = server.client.get(path).await;
        assert_eq!((reply.status, &reply.body), (200, &json!("ok\n")), "{path}");
        assert_eq!(reply.header("content-type"), "text/plain; charset=utf-8");
        let head = server
            .client
            .http
            .head(format!("{}{path}", server.client.url));
        let head = server.client.send(head).await;
        assert_eq!(
            (head.status, head.header("content-length")),
            (200, "3"),
            "{path}"
        );
        let post = server
            .client
            .http
            .post(format!("{}{path}", server.client.url));
        let reply = server.client.send(post).await;
        assert_eq!(
            (reply.status, reply.header("allow")),
            (405, "GET, HEAD"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn head_has_the_length_of_the_body_that_get_has_and_no_body() {
    let server = Server::start().await;
    for path in ["/livez", "/readyz", "/healthz", "/metrics"] {
        let mut stream = server.connect().await;
        let request = format!("HEAD {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answer = raw(&mut stream, request.as_bytes()).await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let mut lines = head.lines();
        let length = lines.find_map(|line| line.strip_prefix("content-length: "));
        assert!(length.is_some_and(|length| length != "0"), "{path} {head}");
        assert_eq!(body, "", "{path}");
    }
}

#[tokio::test]
async fn requests_may_be_pipelined() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    let one = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
    let last = "GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answer = raw(&mut stream, format!("\r\n{one}{one}{last}").as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 3, "{answer}");
}

#[tokio::test]
async fn the_introspection_query_of_common_tools_is_answered() {
    let server = Server::start().await;
    let data = server.client.data(INTROSPECTION, Value::Null).await;
    assert_eq!(data["__schema"]["mutationType"]["name"], "Mutation");
}

/// What graphql-js makes by default: `getIntrospectionQuery()`.
const INTROSPECTION: &str = "query IntrospectionQuery { __schema { queryType { name } mutationType { \
    name } subscriptionType { name } types { ...FullType } directives { name description locations \
    args { ...InputValue } } } } fragment FullType on __Type { kind name description fields( \
    includeDeprecated: true) { name description args { ...InputValue } type { ...TypeRef } \
    isDeprecated deprecationReason } inputFields { ...InputValue } interfaces { ...TypeRef } \
    enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } \
    possibleTypes { ...TypeRef } } fragment InputValue on __InputValue { name description type { \
    ...TypeRef } defaultValue } fragment TypeRef on __Type { kind name ofType { kind name ofType { \
    kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { \
    kind name ofType { kind name ofType { kind name } } } } } } } } } }";
