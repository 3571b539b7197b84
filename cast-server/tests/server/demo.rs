//! `demo`, the real program: against real servers, and against such that do not do what it says.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    rewriting_proxy::{RewritingProxy, vote_of},
    support::{Process, Server, program, run},
};

/// Runs `demo`: its exit code, what it prints and what it says.
async fn demo(url: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let mut all = vec!["demo", "--url", url];
    all.extend(args);
    run(program(&all)).await
}

/// Runs `demo`, which must pass; what it prints.
async fn passes(url: &str) -> String {
    let (code, stdout, stderr) = demo(url, &[]).await;
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    for step in [
        "1. The ticket that is good now",
        "2. A ballot for three names",
        "3. The votes of each of them",
        "4. A forged ticket",
        "5. Several uses of one ticket",
        "6. The end of a ticket",
        "7. The same ballot twice",
    ] {
        assert!(stdout.contains(step), "{step:?} is not in {stdout}");
    }
    assert_eq!(stdout.matches("\n   ok: ").count(), 7, "{stdout}");
    assert!(stdout.ends_with("\n\nEach step went as it must.\n"));
    assert_eq!(
        stdout.matches("  vote(usernames:").count(),
        1,
        "once: {stdout}"
    );
    assert!(!stdout.contains('\u{1b}'), "no colour without a terminal");
    stdout
}

#[tokio::test]
async fn a_server_that_does_as_it_says_is_shown_step_by_step() {
    let server = Process::serve(&[]).await;
    // With a slash behind it, and a second time at the same server.
    for _ in 0..2 {
        let shown = passes(&format!("{}/", server.url())).await;
        // What is asked, what with, and what is answered.
        for words in [
            "   > mutation Vote($usernames: [String!]!, ",
            "\"voteCount\":[3,2,1]",
            "   < {\"vote\":{",
            "\"message\":\"Votes recorded successfully\"",
            "\"message\":\"Invalid ticket\"",
            "\"message\":\"Ticket expired\"",
            "\"code\":\"DUPLICATE\"",
        ] {
            assert!(shown.contains(words), "{words:?} is not in {shown}");
        }
    }
    let query = "{ leaderboard(first: 100) { username votes } }";
    let data = server.client().data(query, json!({})).await;
    let leaders = data["leaderboard"].as_array().unwrap();
    // Mallory has none; each walk has names of its own.
    let is_of = |who: &str, leader: &Value| leader["username"].as_str().unwrap().starts_with(who);
    for (who, votes) in [("alice-", 3), ("bob-", 2), ("carol-", 1), ("frank-", 1)] {
        let theirs: Vec<_> = leaders.iter().filter(|it| is_of(who, it)).collect();
        assert_eq!(theirs.len(), 2, "{who}: {data}");
        assert!(theirs.iter().all(|it| it["votes"] == votes), "{data}");
    }
    assert!(!leaders.iter().any(|it| is_of("mallory-", it)), "{data}");
}

#[tokio::test]
async fn a_ticket_with_one_use_is_enough() {
    let period = ["--ticket-period", "500ms", "--ticket-ttl", "500ms"];
    let mut args = vec!["--ticket-uses", "1"];
    args.extend(period);
    let server = Process::serve(&args).await;
    let shown = passes(&server.url()).await;
    assert!(
        shown.contains("1 uses were left, and 0 are after 1 ballots"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_vote_whose_answer_is_lost_is_sent_again_and_counts_once() {
    let server = Process::serve(&[]).await;
    let votes = AtomicUsize::new(0);
    let hangs_up = move |request: &Value, answer| {
        let is_first = vote_of(request).is_some() && votes.fetch_add(1, Relaxed) == 0;
        (!is_first).then_some(answer)
    };
    let proxy = RewritingProxy::before(&server.client(), hangs_up).await;
    let shown = passes(&proxy.url).await;
    assert!(shown.contains("the connection broke"), "{shown}");
}

/// Each request meets something that passes, once: an answer that is lost, a server that is full, a counter
/// that does not answer, and a ticket that other clients use up before its end.
#[tokio::test]
async fn what_passes_is_waited_for() {
    let server = Process::serve(&[]).await;
    let (tickets, erin, stale) = <(AtomicUsize, AtomicUsize, AtomicUsize)>::default();
    let rewrite = move |request: &Value, mut answer: Value| {
        let full = json!({"data": null, "errors": [{"message": "full",
            "extensions": {"code": "OVERLOADED", "retryable": true}}]});
        let Some(vote) = vote_of(request) else {
            let asks = request["query"].as_str().unwrap_or_default();
            let is_full = asks.contains("cas") && tickets.fetch_add(1, Relaxed) % 2 == 0;
            return Some(if is_full { full } else { answer });
        };
        let names = vote["usernames"].to_string();
        if names.contains("alice") && stale.fetch_add(1, Relaxed) == 0 {
            answer["data"]["vote"]["stale"] = json!(true);
            answer["data"]["vote"]["votes"] = json!([0, 0, 0]);
        }
        if names.contains("erin") && erin.fetch_add(1, Relaxed) == 0 {
            answer["data"]["vote"] = json!({
                "success": false, "message": "Ticket usage limit exceeded", "usernames": [],
                "votes": [], "stale": false, "code": "TICKET_EXHAUSTED", "retryable": true,
            });
        }
        Some(answer)
    };
    let proxy = RewritingProxy::before(&server.client(), rewrite).await;
    passes(&proxy.url).await;
}

/// A server that does something wrong: what, and at which step that is seen, and in what words.
struct Lie {
    rewrite: fn(&Value, &mut Value),
    step: usize,
    words: &'static str,
}

/// The candidate whose votes are asked for first, without the suffix of the run.
fn asked(request: &Value) -> &str {
    let name = request["variables"]["name0"].as_str().unwrap_or_default();
    name.split('-').next().unwrap_or_default()
}

fn replace(place: &mut Value, from: &Value, to: Value) {
    if place == from {
        *place = to;
    }
}

const ACCEPTED: &str = "Votes recorded successfully";

const LIES: [Lie; 14] = [
    Lie {
        rewrite: |_, answer| answer["data"]["cas"]["ticket"] = json!("abc"),
        step: 1,
        words: "64 hex digits",
    },
    Lie {
        rewrite: |_, answer| answer["data"]["cas"]["validUntil"] = json!("soon"),
        step: 1,
        words: "validUntil must be a time",
    },
    Lie {
        rewrite: |_, answer| {
            let votes = &mut answer["data"]["vote"]["votes"];
            replace(votes, &json!([3, 2, 1]), json!([3, 2, 2]));
        },
        step: 2,
        words: "votes must be [3, 2, 1], and is [3, 2, 2]",
    },
    Lie {
        rewrite: |_, answer| {
            if let Some(names) = answer["data"]["vote"]["usernames"].as_array_mut() {
                names.reverse();
            }
        },
        step: 2,
        words: "usernames must be",
    },
    Lie {
        rewrite: |_, answer| {
            let message = &mut answer["data"]["vote"]["message"];
            replace(message, &json!(ACCEPTED), json!("Thank you"));
        },
        step: 2,
        words: "message must be",
    },
    Lie {
        rewrite: |_, answer| replace(&mut answer["data"]["votes1"], &json!(2), json!(3)),
        step: 3,
        words: "votes must be [3, 2, 1], and is [3, 3, 1]",
    },
    Lie {
        rewrite: |_, answer| replace(&mut answer["data"]["votes2"], &json!(1), json!(0)),
        step: 3,
        words: "still, after 2s: votes must be [3, 2, 1], and are [3, 2, 0]",
    },
    Lie {
        rewrite: |_, answer| {
            if answer["data"]["vote"]["code"] == "TICKET_INVALID" {
                answer["data"]["vote"]["success"] = json!(true);
            }
        },
        step: 4,
        words: "must be refused as \"TICKET_INVALID\", and is accepted",
    },
    Lie {
        rewrite: |request, answer| {
            if asked(request) == "mallory" {
                answer["data"]["votes0"] = json!(1);
            }
        },
        step: 4,
        words: "votes must be [0], and is [1]",
    },
    Lie {
        // It returns the used number, as the first CAST did.
        rewrite: |_, answer| {
            let left = &mut answer["data"]["cas"]["remainingUsage"];
            *left = left.as_u64().map_or(Value::Null, |left| json!(200 - left));
        },
        step: 5,
        words: "after 3 ballots, remainingUsage must be at most",
    },
    Lie {
        rewrite: |_, answer| {
            let vote = &mut answer["data"]["vote"];
            if vote["code"] == "TICKET_EXPIRED" {
                vote["success"] = json!(true);
            }
        },
        step: 6,
        words: "and still votes, 3s after it was fetched",
    },
    Lie {
        rewrite: |_, answer| {
            let message = &mut answer["data"]["vote"]["message"];
            replace(message, &json!("Ticket expired"), json!("Invalid ticket"));
        },
        step: 6,
        words: "message must be \"Ticket expired\", and is \"Invalid ticket\"",
    },
    Lie {
        rewrite: |_, answer| {
            let code = &mut answer["data"]["vote"]["code"];
            replace(code, &json!("DUPLICATE"), json!("ACCEPTED"));
        },
        step: 7,
        words: "code must be \"DUPLICATE\", and is \"ACCEPTED\"",
    },
    Lie {
        rewrite: |request, answer| {
            if asked(request) == "frank" {
                answer["data"]["votes0"] = json!(2);
            }
        },
        step: 7,
        words: "votes must be [1], and is [2]",
    },
];

#[tokio::test]
async fn a_server_that_does_something_else_fails_at_that_step() {
    let server = Process::serve(&[]).await;
    let client = server.client();
    let checks = LIES.iter().map(async |lie| {
        let rewrite = |request: &Value, mut answer| {
            (lie.rewrite)(request, &mut answer);
            Some(answer)
        };
        let proxy = RewritingProxy::before(&client, rewrite).await;
        let args = ["--timeout", "2s", "--expiry-timeout", "3s"];
        let (code, stdout, stderr) = demo(&proxy.url, &args).await;
        assert_eq!(code, Some(1), "{}: {stdout}\n{stderr}", lie.words);
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        let begins = format!("error: step {}, ", lie.step);
        assert!(stderr.starts_with(&begins), "{begins}: {stderr}");
        assert!(stderr.contains(lie.words), "{}: {stderr}", lie.words);
        assert!(!stdout.contains("Each step"), "{stdout}");
    });
    join_all(checks).await;
}

#[tokio::test]
async fn at_a_url_without_a_cast_server_it_says_so() {
    let url = format!("http://{}", cast_testkit::servers::free_address());
    let server = Process::serve(&[]).await;
    let elsewhere = format!("{}/elsewhere", server.url());
    for (url, words) in [
        (&url, "refused"),
        (&elsewhere, "Not found: GraphQL is at /graphql"),
    ] {
        let (code, _, stderr) = demo(url, &[]).await;
        assert_eq!(code, Some(1), "{stderr}");
        for words in [url, words, "Is that a CAST server?"] {
            assert!(stderr.contains(words), "{words:?} is not in {stderr}");
        }
    }
}

#[tokio::test]
async fn a_ticket_that_lasts_too_long_to_wait_for_is_named() {
    let server = Server::start().await;
    let (code, _, stderr) = demo(&server.client.url, &["--expiry-timeout", "1s"]).await;
    assert_eq!(code, Some(1), "{stderr}");
    let words = "give a longer --expiry-timeout";
    assert!(stderr.contains(words), "{stderr}");
}

#[tokio::test]
async fn wrong_usage_is_reported() {
    let (code, _, stderr) = demo("https://127.0.0.1", &[]).await;
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("TLS"), "{stderr}");
}
