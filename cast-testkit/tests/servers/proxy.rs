use std::time::Duration;

use cast_testkit::servers::{Link, Proxy};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::client::{A_WHILE, Client, DEADLINE};

/// The URL of a server that answers each question with itself, and what it was asked so far.
async fn echo() -> (String, tokio::sync::mpsc::UnboundedReceiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let (asked, questions) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let asked = asked.clone();
            tokio::spawn(async move {
                let mut bytes = Vec::new();
                while client.read_buf(&mut bytes).await.is_ok_and(|read| read > 0) {
                    let question = std::mem::take(&mut bytes);
                    let _ = asked.send(question.clone());
                    client
                        .write_all(&question)
                        .await
                        .expect("the client is there");
                }
            });
        }
    });
    (format!("redis://{address}/0"), questions)
}

#[tokio::test]
async fn an_open_link_carries_all_both_ways() {
    let (url, _questions) = echo().await;
    let proxy = Proxy::before(&url).await;
    assert_eq!(proxy.url(), format!("redis://{}/0", proxy.address()));
    let mut client = Client::to(proxy.url()).await;
    client.ask(b"one").await;
    assert_eq!(
        client.answer_within(DEADLINE).await.as_deref(),
        Some(&b"one"[..])
    );
}

#[tokio::test]
async fn a_delayed_link_is_late_but_as_wide() {
    let (url, _questions) = echo().await;
    let proxy = Proxy::before(&url).await;
    proxy.set(Link::Delayed(A_WHILE));
    let mut client = Client::to(proxy.url()).await;
    // Twenty questions at once take as long as one: there and back.
    for _ in 0..20 {
        client.ask(b"?").await;
    }
    assert_eq!(client.answer_within(A_WHILE).await, None);
    let mut answers = 0;
    while answers < 20 {
        let answer = client
            .answer_within(A_WHILE * 10)
            .await
            .expect("it is not that late");
        answers += answer.len();
    }
}

#[tokio::test]
async fn a_frozen_link_delivers_when_it_is_open_again() {
    let (url, mut questions) = echo().await;
    let proxy = Proxy::before(&url).await;
    proxy.set(Link::Frozen);
    let mut client = Client::to(proxy.url()).await;
    client.ask(b"one").await;
    assert_eq!(client.answer_within(A_WHILE).await, None);
    assert!(questions.try_recv().is_err());
    proxy.set(Link::Open);
    assert_eq!(
        client.answer_within(DEADLINE).await.as_deref(),
        Some(&b"one"[..])
    );
}

#[tokio::test]
async fn a_mute_link_asks_and_does_not_tell() {
    let (url, mut questions) = echo().await;
    let proxy = Proxy::before(&url).await;
    proxy.set(Link::Mute);
    let mut client = Client::to(proxy.url()).await;
    client.ask(b"one").await;
    assert_eq!(questions.recv().await.as_deref(), Some(&b"one"[..]));
    assert_eq!(client.answer_within(A_WHILE).await, None);
    proxy.set(Link::Open);
    assert_eq!(
        client.answer_within(DEADLINE).await.as_deref(),
        Some(&b"one"[..])
    );
}

#[tokio::test]
async fn a_cut_link_closes_connections_old_and_new() {
    let (url, _questions) = echo().await;
    let proxy = Proxy::before(&url).await;
    let mut old = Client::to(proxy.url()).await;
    old.ask(b"one").await;
    assert!(old.answer_within(DEADLINE).await.is_some());
    proxy.set(Link::Cut);
    assert_eq!(old.answer_within(DEADLINE).await.as_deref(), Some(&b""[..]));
    let mut new = Client::to(proxy.url()).await;
    assert_eq!(new.answer_within(DEADLINE).await.as_deref(), Some(&b""[..]));

    proxy.set(Link::Open);
    let mut newest = Client::to(proxy.url()).await;
    newest.ask(b"two").await;
    assert_eq!(
        newest.answer_within(DEADLINE).await.as_deref(),
        Some(&b"two"[..])
    );
    // However short the cut: the connection of before it is gone.
    proxy.set(Link::Cut);
    proxy.set(Link::Open);
    assert_eq!(
        newest.answer_within(DEADLINE).await.as_deref(),
        Some(&b""[..])
    );
}

#[tokio::test]
async fn connections_are_reset_while_the_link_stays_open() {
    let (url, _questions) = echo().await;
    let proxy = Proxy::before(&url).await;
    let mut old = Client::to(proxy.url()).await;
    old.ask(b"one").await;
    assert!(old.answer_within(DEADLINE).await.is_some());
    proxy.reset_connections();
    assert_eq!(old.answer_within(DEADLINE).await.as_deref(), Some(&b""[..]));
    let mut new = Client::to(proxy.url()).await;
    new.ask(b"two").await;
    assert_eq!(
        new.answer_within(DEADLINE).await.as_deref(),
        Some(&b"two"[..])
    );
}

#[tokio::test]
async fn a_proxy_ends_when_it_is_dropped() {
    let (url, _questions) = echo().await;
    let proxy = Proxy::before(&url).await;
    let mut client = Client::to(proxy.url()).await;
    client.ask(b"one").await;
    assert!(client.answer_within(DEADLINE).await.is_some());
    drop(proxy);
    assert_eq!(
        client
            .answer_within(Duration::from_secs(5))
            .await
            .as_deref(),
        Some(&b""[..])
    );
}
