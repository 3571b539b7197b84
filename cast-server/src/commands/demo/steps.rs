//! What is shown, in its order, and what the answers must be.

use std::{fmt::Write as _, time::Duration};

use serde_json::{Map, Value, json};

use super::{
    ballot::{Ballot, VOTE, VoteResult, same},
    guide::{CAS, Guide, PAUSE, cas},
    output::{end, note, show_response},
};
use crate::client::{Cas, not_cast};

/// How many uses of one ticket are shown.
const USES: u64 = 3;

/// Goes through all steps; why the first that does not go as it must does not.
pub(super) async fn walk(guide: &mut Guide<'_>) -> Result<(), String> {
    current_ticket(guide).await?;
    let elected = three_names(guide).await?;
    tallies(guide, &elected).await?;
    forged_ticket(guide).await?;
    several_uses(guide).await?;
    expiry(guide).await?;
    sent_twice(guide).await
}

async fn current_ticket(guide: &mut Guide<'_>) -> Result<(), String> {
    guide.begin(
        "The ticket that is good now",
        "Any client with the ticket may vote: there are no accounts. A new ticket comes every period, the\n\
         same for all; it is valid until `validUntil`, for `remainingUsage` more votes.",
    );
    let ticket = shown_ticket(guide).await?;
    let is_hex = |ticket: &str| ticket.bytes().all(|byte| byte.is_ascii_hexdigit());
    if ticket.ticket.len() != 64 || !is_hex(&ticket.ticket) {
        return Err(format!(
            "a ticket is 64 hex digits, not {:?}",
            ticket.ticket
        ));
    }
    let left = left_ms(guide, &ticket)?;
    end(&format!(
        "64 hex digits, good for another {left} ms by this machine's clock, with {} uses left",
        ticket.remaining_usage
    ));
    Ok(())
}

/// Asks for the ticket that is good now, and shows it, until there is an answer.
async fn shown_ticket(guide: &mut Guide<'_>) -> Result<Cas, String> {
    let deadline = guide.deadline();
    loop {
        match guide.ask(CAS, &Value::Null).await {
            Ok(data) => return cas(&data),
            // The server is there, and has no ticket yet.
            Err(failure) if failure.is_transient() => {
                guide.pause(deadline, &failure.to_string()).await?;
            }
            Err(failure) => return Err(not_cast(&guide.config.url, &failure.to_string())),
        }
    }
}

/// How long a ticket is good yet, by our clock; below 0 when it has ended.
fn left_ms(guide: &Guide<'_>, ticket: &Cas) -> Result<i64, String> {
    let text = &ticket.valid_until;
    let end: jiff::Timestamp = text
        .parse()
        .map_err(|_| format!("validUntil must be a time as RFC 3339 writes it, not {text:?}"))?;
    let now = i64::try_from(guide.clock.now().as_unix_ms()).unwrap_or(i64::MAX);
    Ok(end.as_millisecond().saturating_sub(now))
}

/// Votes for three names; returns each with its votes.
async fn three_names(guide: &mut Guide<'_>) -> Result<Vec<(String, u32)>, String> {
    guide.begin(
        "A ballot for three names",
        "One use of a ticket buys one ballot, with up to 16 names. All of it counts, or none of it: the\n\
         answer says `success` only when the log of votes has it for good. It shows each name's votes,\n\
         this ballot's included.",
    );
    let elected = [("alice", 3), ("bob", 2), ("carol", 1)];
    let elected: Vec<_> = elected
        .into_iter()
        .map(|(name, count)| (guide.name(name), count))
        .collect();
    let ballot = Ballot {
        id: guide.mint(),
        usernames: elected.iter().map(|(name, _)| name.clone()).collect(),
        counts: elected.iter().map(|(_, count)| *count).collect(),
        voter: Some(guide.name("voter")),
    };
    let result = guide.cast(&ballot).await?;
    result.is_success()?;
    same("usernames", &result.usernames, &ballot.usernames)?;
    // A ballot that had no answer the first time, and was sent again, shows only when it reconciles; and a
    // counter that did not answer cannot say.
    if result.code != "DUPLICATE" && !result.stale {
        same("code", result.code.as_str(), "ACCEPTED")?;
        let counts: Vec<_> = ballot.counts.iter().copied().map(u64::from).collect();
        same("votes", &result.votes, &counts)?;
    }
    end("it is accepted, and each name has the votes that it was given");
    Ok(elected)
}

async fn tallies(guide: &mut Guide<'_>, elected: &[(String, u32)]) -> Result<(), String> {
    guide.begin(
        "The votes of each of them",
        "Any client may ask, without a ticket. A vote shows as soon as it is accepted, before it is in\n\
         the database.",
    );
    let expected: Vec<_> = elected.iter().map(|(_, count)| u64::from(*count)).collect();
    let names: Vec<_> = elected.iter().map(|(name, _)| &**name).collect();
    until_shown(guide, &names, &expected).await?;
    end("as voted");
    Ok(())
}

/// Asks for the votes of `names`, one field each, until they are as expected.
async fn until_shown(
    guide: &mut Guide<'_>,
    names: &[&str],
    expected: &[u64],
) -> Result<(), String> {
    let (mut arguments, mut fields, mut variables) = (String::new(), String::new(), Map::new());
    for (at, name) in names.iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        // Writing to a text does not fail.
        let _ = write!(arguments, "{comma}$name{at}: String!");
        let _ = write!(fields, " votes{at}: query(username: $name{at})");
        variables.insert(format!("name{at}"), json!(name));
    }
    let query = format!("query Votes({arguments}) {{{fields} }}");
    let variables = Value::Object(variables);
    guide.show_request(&query, &variables);
    let deadline = guide.deadline();
    loop {
        let why = match guide.ask_quietly(&query, &variables).await {
            Ok(data) => {
                let votes = (0..names.len()).map(|at| data[format!("votes{at}")].as_u64());
                let votes: Option<Vec<_>> = votes.collect();
                let votes = votes.ok_or_else(|| format!("the answer holds no votes: {data}"))?;
                if votes == expected {
                    show_response(&data);
                    return Ok(());
                }
                // No other client votes for them: what is too much stays.
                if votes.iter().zip(expected).any(|(votes, most)| votes > most) {
                    show_response(&data);
                    return same("votes", votes.as_slice(), expected);
                }
                format!("votes must be {expected:?}, and are {votes:?}")
            }
            Err(failure) if failure.is_transient() => failure.to_string(),
            Err(failure) => return Err(failure.into()),
        };
        guide.pause(deadline, &why).await?;
    }
}

async fn forged_ticket(guide: &mut Guide<'_>) -> Result<(), String> {
    guide.begin(
        "A forged ticket",
        "A ticket carries a tag that only the servers' keys can make. One digit is changed: every server\n\
         detects that by itself, without I/O.",
    );
    let mut forged = guide.ticket(None).await?.ticket;
    let last = forged.pop();
    forged.push(if last == Some('0') { '1' } else { '0' });
    let mallory = guide.name("mallory");
    let ballot = Ballot::of(guide.mint(), mallory.clone());
    let result = guide.vote_once(&ballot, &forged).await?;
    result.is_refusal("Invalid ticket", "TICKET_INVALID")?;
    until_shown(guide, &[&mallory], &[0]).await?;
    end("it is refused, as an answer and not as an error, and counts nothing");
    Ok(())
}

async fn several_uses(guide: &mut Guide<'_>) -> Result<(), String> {
    guide.begin(
        "Several uses of one ticket",
        "Each ballot takes one use, whichever server it comes to, and `remainingUsage` says how many are\n\
         left for all. A ballot more than that is refused as `Ticket usage limit exceeded`.",
    );
    let deadline = guide.deadline();
    loop {
        if let Some((uses, before, after)) = uses_of_one_ticket(guide).await? {
            if before.saturating_sub(after) < uses {
                return Err(format!(
                    "after {uses} ballots, remainingUsage must be at most {}, and is {after}",
                    before.saturating_sub(uses)
                ));
            }
            let others = before - after - uses;
            let others = match others {
                0 => String::new(),
                others => format!(", and others took {others}"),
            };
            end(&format!(
                "{before} uses were left, and {after} are after {uses} ballots{others}"
            ));
            return Ok(());
        }
        note("the ticket ended meanwhile, or others used it up: once more, with the next one");
        guide
            .pause(deadline, "no ticket lasted long enough")
            .await?;
    }
}

/// Votes some times with one ticket: how often, and how many uses it had left before and after.
/// Nothing if it did not last so long.
async fn uses_of_one_ticket(guide: &mut Guide<'_>) -> Result<Option<(u64, u64, u64)>, String> {
    let before = guide.ticket(None).await?;
    let uses = USES.min(before.remaining_usage);
    for _ in 0..uses {
        let ballot = Ballot::of(guide.mint(), guide.name("dora"));
        let result = guide.vote_once(&ballot, &before.ticket).await?;
        if result.is_at_an_end() {
            return Ok(None);
        }
        result.is_success()?;
    }
    let after = shown_ticket(guide).await?;
    let left = (uses, before.remaining_usage, after.remaining_usage);
    Ok((after.ticket == before.ticket).then_some(left))
}

async fn expiry(guide: &mut Guide<'_>) -> Result<(), String> {
    guide.begin(
        "The end of a ticket",
        "From `validUntil` on a ticket is expired, so that tickets cannot be hoarded. The next one is\n\
         valid by then.",
    );
    let old = shown_ticket(guide).await?;
    let ballot = Ballot::of(guide.mint(), guide.name("erin"));
    let refused = until_refused(guide, &ballot, &old).await?;
    refused.is_refusal("Ticket expired", "TICKET_EXPIRED")?;
    same("retryable", &refused.retryable, &true)?;
    let result = guide.cast(&ballot).await?;
    result.is_success()?;
    end("the old ticket is refused, and the next one takes the same ballot");
    Ok(())
}

/// Waits for a ticket's end, and votes with it; again as long as it is accepted. If the server's
/// clock is not ours, its end comes later, or came already.
async fn until_refused(
    guide: &mut Guide<'_>,
    ballot: &Ballot,
    old: &Cas,
) -> Result<VoteResult, String> {
    let limit = guide.config.expiry_timeout;
    let left = u64::try_from(left_ms(guide, old)?).unwrap_or(0);
    let left = Duration::from_millis(left);
    if left > limit {
        return Err(format!(
            "the ticket is good for another {left:?}, and this does not wait longer than {limit:?}: \
             give a longer --expiry-timeout"
        ));
    }
    let deadline = guide.clock.monotonic() + limit;
    note(&format!("waiting {left:?} for its end"));
    guide.clock.sleep(left).await;
    let variables = ballot.variables(&old.ticket);
    guide.show_request(VOTE, &variables);
    loop {
        let why = match guide.ask_quietly(VOTE, &variables).await {
            Ok(data) => {
                let result = VoteResult::of(&data)?;
                if !result.success && !result.is_used_up() {
                    show_response(&data);
                    return Ok(result);
                }
                // Others may have taken its last use, and it has yet to end.
                let does = if result.success {
                    "still votes"
                } else {
                    "has not"
                };
                format!("it was to end at {}, and {does}", old.valid_until)
            }
            Err(failure) if failure.is_transient() => failure.to_string(),
            Err(failure) => return Err(failure.into()),
        };
        if guide.clock.monotonic() >= deadline {
            return Err(format!("{why}, {limit:?} after it was fetched"));
        }
        guide.clock.sleep(PAUSE).await;
    }
}

async fn sent_twice(guide: &mut Guide<'_>) -> Result<(), String> {
    guide.begin(
        "The same ballot twice",
        "An answer can be lost. `ballotId` is an idempotency key, a UUID: retries with the same id count\n\
         once and take no second use.",
    );
    let frank = guide.name("frank");
    let ballot = Ballot::of(guide.mint(), frank.clone());
    let first = guide.cast(&ballot).await?;
    first.is_success()?;
    let second = guide.cast(&ballot).await?;
    second.is_success()?;
    same("code", second.code.as_str(), "DUPLICATE")?;
    until_shown(guide, &[&frank], &[1]).await?;
    end("both answers are a success, and there is one vote");
    Ok(())
}
