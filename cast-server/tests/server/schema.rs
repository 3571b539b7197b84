//! The schema that is committed is the one that is served.

use serde_json::Value;

use crate::{
    reference,
    support::{Server, program, run},
};

#[test]
fn the_committed_schema_is_current() {
    let committed = include_str!("../../schema.graphql");
    assert!(
        committed == cast_server::schema::sdl(),
        "run: cargo run -p cast-server -- schema > cast-server/schema.graphql"
    );
}

#[test]
fn the_committed_settings_reference_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/SETTINGS.md");
    let current = reference::text(&cast_server::commands::command());
    if std::env::var_os("CAST_TEST_RENEW").is_some() {
        std::fs::write(path, current).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == current,
        "run: CAST_TEST_RENEW=1 cargo test -p cast-server --test server settings_reference"
    );
}

#[tokio::test]
async fn the_command_prints_it() {
    let (code, stdout, stderr) = run(program(&["schema"])).await;
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert_eq!(stdout, cast_server::schema::sdl());
}

#[tokio::test]
async fn every_field_argument_and_value_has_a_description() {
    let server = Server::start().await;
    let query = "{ __schema { types { name description fields { name description args { name \
                 description } } enumValues { name description } } } }";
    let data = server.client.data(query, Value::Null).await;
    let mut bare = Vec::new();
    for ty in data["__schema"]["types"].as_array().unwrap() {
        let name = ty["name"].as_str().unwrap();
        // Of GraphQL itself.
        if name.starts_with("__") || name == "ID" {
            continue;
        }
        collect_bare(ty, name, &mut bare);
        for kind in ["fields", "enumValues"] {
            for part in ty[kind].as_array().into_iter().flatten() {
                let place = format!("{name}.{}", part["name"].as_str().unwrap());
                collect_bare(part, &place, &mut bare);
                for arg in part["args"].as_array().into_iter().flatten() {
                    collect_bare(arg, &format!("{place}({})", arg["name"]), &mut bare);
                }
            }
        }
    }
    assert_eq!(bare, Vec::<String>::new());
}

fn collect_bare(part: &Value, place: &str, bare: &mut Vec<String>) {
    if part["description"].as_str().is_none_or(str::is_empty) {
        bare.push(place.to_owned());
    }
}

#[tokio::test]
async fn the_first_casts_part_of_the_schema_is_unchanged() {
    let sdl = cast_server::schema::sdl();
    // Without descriptions and line breaks.
    let bare: Vec<_> = sdl
        .split("\"\"\"")
        .step_by(2)
        .flat_map(str::split_whitespace)
        .collect();
    let bare = bare.join(" ");
    for part in [
        "query( username: String! ): Int!",
        "cas: TicketInfo!",
        "ticket: String!",
        "validUntil: String!",
        "remainingUsage: Int!",
        "usernames: [String!]!",
        "voteCount: [Int!]!",
        "voterUsername: String",
        "): VoteResult!",
        "success: Boolean!",
        "message: String!",
        "votes: [Int!]!",
    ] {
        assert!(bare.contains(part), "{part:?} is not in {bare}");
    }
}
