//! Servers that break a promise: `bench` must notice.

use serde_json::{Value, json};

use super::{
    MANY_USES, bench,
    liar::{Liar, Lie},
    number, sum, until_voted,
};
use crate::support::{Process, SOON, program};

/// Runs against a liar, and waits no longer than must be for what never comes.
async fn lied_to(lie: Lie) -> (Option<i32>, Value) {
    let liar = Liar::start(lie).await;
    let reconcile_timeout = match lie {
        Lie::ForgetsOne | Lie::CountsOneTwice | Lie::NeverTells => "500ms",
        _ => "10s",
    };
    let args = [
        "--duration",
        "300ms",
        "--candidates",
        "3",
        "--reconcile-timeout",
        reconcile_timeout,
        "--seed",
        "1",
    ];
    bench(&liar.url, &args).await
}

#[tokio::test]
async fn an_honest_small_server_passes() {
    let (code, object) = lied_to(Lie::Never).await;
    assert_eq!(
        (code, &object["verdict"]),
        (Some(0), &json!("exact")),
        "{object}"
    );
}

#[tokio::test]
async fn tallies_that_show_late_are_waited_for() {
    let (code, object) = lied_to(Lie::ShowsLate).await;
    assert_eq!(
        (code, &object["verdict"]),
        (Some(0), &json!("exact")),
        "{object}"
    );
}

#[tokio::test]
async fn a_vote_that_was_acknowledged_and_not_counted_is_found_and_named() {
    let (code, object) = lied_to(Lie::ForgetsOne).await;
    assert_eq!(
        (code, &object["verdict"]),
        (Some(3), &json!("missing")),
        "{object}"
    );
    let [missing] = &object["missing"].as_array().unwrap()[..] else {
        panic!("one candidate: {object}");
    };
    let name = missing["candidate"].as_str().unwrap();
    assert!(name.starts_with("bench-0000000000000001-"), "{name}");
    assert_eq!(
        number(missing, "shown") + 1,
        number(missing, "expected_min")
    );
    // The ballot, too.
    let lost = &object["lost_ballots"];
    assert_eq!(lost.as_array().map(Vec::len), Some(1), "{object}");
    assert_eq!(lost[0]["candidate"], missing["candidate"]);
    assert_eq!(lost[0]["fate"], Value::Null);
}

#[tokio::test]
async fn a_vote_that_was_counted_twice_is_found_and_named() {
    let (code, object) = lied_to(Lie::CountsOneTwice).await;
    assert_eq!(
        (code, &object["verdict"]),
        (Some(3), &json!("doubled")),
        "{object}"
    );
    let doubled = object["doubled"].as_array().unwrap();
    assert_eq!(doubled.len(), 1, "{object}");
    assert_eq!(
        number(&doubled[0], "shown"),
        number(&doubled[0], "expected_max") + 1
    );
}

#[tokio::test]
async fn a_ticket_that_buys_too_much_is_found() {
    let (code, object) = lied_to(Lie::SellsTooMuch).await;
    assert_eq!(
        (code, &object["verdict"]),
        (Some(3), &json!("oversold")),
        "{object}"
    );
    assert_eq!(object["oversold_tickets"][0]["uses"], 3);
}

#[tokio::test]
async fn votes_without_an_answer_are_sent_again_until_their_fate_is_known() {
    for lie in [Lie::HidesOutcomes, Lie::HangsUp] {
        let (code, object) = lied_to(lie).await;
        assert_eq!(
            (code, &object["verdict"]),
            (Some(0), &json!("exact")),
            "{object}"
        );
        let unknown = sum(&object["unknown"]);
        assert!(unknown > 0, "{object}");
        assert_eq!(number(&object, "unknown_resolved"), unknown);
        assert_eq!(number(&object, "unknown_open"), 0);
        let code = match lie {
            Lie::HangsUp => "CONNECTION_BROKEN",
            _ => "OUTCOME_UNKNOWN",
        };
        assert!(object["unknown"][code].is_u64(), "{object}");
    }
}

#[tokio::test]
async fn what_stays_unknown_is_no_proof() {
    let (code, object) = lied_to(Lie::NeverTells).await;
    assert_eq!(
        (code, &object["verdict"]),
        (Some(1), &json!("unproven")),
        "{object}"
    );
    assert!(number(&object, "unknown_open") > 0);
}

#[tokio::test]
async fn a_run_in_which_nothing_was_accepted_fails() {
    let (code, object) = lied_to(Lie::RefusesAll).await;
    assert_eq!(code, Some(1), "{object}");
    assert_eq!(
        (number(&object, "accepted"), &object["latency_ms"]),
        (0, &Value::Null)
    );
    assert!(
        object["faults"]["OVERLOADED"].as_u64() > Some(0),
        "{object}"
    );
}

#[tokio::test]
async fn a_server_that_is_killed_and_forgets_is_found_out_and_the_run_continues() {
    let server = Process::serve(&MANY_USES).await;
    let (url, client) = (server.url(), server.client());
    let running = tokio::spawn({
        let url = url.clone();
        async move {
            let args = [
                "--duration",
                "4s",
                "--candidates",
                "3",
                "--reconcile-timeout",
                "1s",
            ];
            bench(&url, &args).await
        }
    });
    until_voted(&client).await;
    server.signal("KILL").await;
    server.ended().await;
    let listen = url.trim_start_matches("http://");
    // No other process is likely to take the port, but its connections must be gone.
    let second = cast_testkit::eventually(SOON, "the port", || async {
        let mut command = program(&["serve", "--listen", listen, "--log", "error"]);
        command.args(MANY_USES);
        Process::try_start(command).await
    })
    .await;
    until_voted(&second.client()).await;
    let (code, object) = running.await.unwrap();
    assert_eq!(
        (code, &object["verdict"]),
        (Some(3), &json!("missing")),
        "{object}"
    );
    assert_eq!(number(&object, "unknown_open"), 0, "{object}");
    // What was accepted by the second is there.
    assert!(
        object["missing"]
            .as_array()
            .unwrap()
            .iter()
            .all(|it| number(it, "shown") > 0)
    );
}
