//! What the server answers, for people.

use std::fmt::Write as _;

use serde_json::Value;

use super::arguments::{AccountOrder, BanOrder, InvitationOrder, Order, RoomOrder, SessionOrder};
use super::table::{plain, table};

/// An answer in words.
pub(super) fn shown(order: &Order, answer: &Value) -> String {
    match order {
        Order::Status => status(answer),
        Order::Sessions { order: None } => sessions(answer),
        Order::Sessions { order: Some(SessionOrder::End { .. }) } => {
            format!("ended {}\n", word(&answer["ended"]))
        }
        Order::Rooms { order: None } => rooms(answer),
        Order::Rooms { order: Some(RoomOrder::Show { .. }) } => room(answer),
        Order::Rooms { order: Some(RoomOrder::Close { .. }) } => {
            format!("put out {}\n", counted(&answer["put_out"], "person", "people"))
        }
        Order::Rooms { order: Some(RoomOrder::History { .. }) } | Order::Search { .. } => events(answer),
        Order::Accounts { order: None } => accounts(answer),
        Order::Accounts { order: Some(AccountOrder::Add { .. }) } => {
            format!("made the account {}\n", word(&answer["name"]))
        }
        Order::Accounts { order: Some(AccountOrder::Password { .. }) } => {
            format!("{} has another password\n", word(&answer["name"]))
        }
        Order::Accounts { order: Some(AccountOrder::Remove { .. }) } => {
            format!("removed the account {}\n", word(&answer["removed"]))
        }
        Order::Accounts { order: Some(AccountOrder::Erase { .. }) } => {
            let messages = counted(&answer["messages"], "message", "messages");
            format!("erased {messages}\n")
        }
        // Copied as it came.
        Order::Accounts { order: Some(AccountOrder::Export { .. }) } => String::new(),
        Order::Invitations { order: None | Some(InvitationOrder::List) } => invitations(answer),
        Order::Invitations { order: Some(InvitationOrder::Create { .. }) } => {
            format!("{}\n", word(&answer["url"]))
        }
        Order::Invitations { order: Some(InvitationOrder::Revoke { .. }) } => {
            format!("took back {}\n", word(&answer["revoked"]))
        }
        Order::Bans { order: None } => bans(answer),
        Order::Bans { order: Some(BanOrder::Add { .. }) } => {
            let until = match &answer["until"] {
                Value::Null => "for ever".to_owned(),
                until => format!("until {}", moment(until)),
            };
            let ended = counted(&answer["sessions_ended"], "session", "sessions");
            format!("banned {} {until}; ended {ended}\n", word(&answer["net"]))
        }
        Order::Bans { order: Some(BanOrder::Remove { .. }) } => {
            format!("no longer banned: {}\n", word(&answer["lifted"]))
        }
        Order::Broadcast { .. } => format!("told {}\n", counted(&answer["people"], "person", "people")),
        Order::Drain { cancel: true, .. } => "the server goes on\n".to_owned(),
        Order::Drain { cancel: false, .. } => {
            let people = counted(&answer["people"], "person", "people");
            format!(
                "told {people}; the server ends when all have left, at {} at the latest\n",
                moment(&answer["until"])
            )
        }
    }
}

/// A value as one word or some, without quotation marks; a dash for nothing.
fn word(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => plain(text),
        Value::Array(all) if all.is_empty() => "-".to_owned(),
        Value::Array(all) => all.iter().map(word).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn counted(count: &Value, one: &str, many: &str) -> String {
    if count.as_u64() == Some(1) { format!("1 {one}") } else { format!("{count} {many}") }
}

/// A time without what nobody reads.
fn moment(value: &Value) -> String {
    let text = word(value);
    match text.split_once('.') {
        Some((whole, _)) => format!("{}Z", whole.replace('T', " ")),
        None => text,
    }
}

fn span(seconds: &Value) -> String {
    let Some(seconds) = seconds.as_u64() else { return "-".to_owned() };
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

fn list<'v>(answer: &'v Value, name: &str) -> &'v [Value] {
    answer[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn or_nothing(rows: usize, nothing: &str, text: String) -> String {
    if rows == 0 { format!("{nothing}\n") } else { text }
}

fn sessions(answer: &Value) -> String {
    let all = list(answer, "sessions");
    let rows: Vec<_> = all
        .iter()
        .map(|session| {
            let mut name = word(&session["user"]);
            if session["operator"] == true {
                name.push('*');
            }
            let address = match session["connected"].as_bool() {
                Some(false) => format!("({})", word(&session["address"])),
                _ => word(&session["address"]),
            };
            let tls = if session["tls"] == true { "yes" } else { "-" }.to_owned();
            [
                name,
                word(&session["account"]),
                word(&session["protocol"]),
                address,
                tls,
                moment(&session["since"]),
                span(&session["idle_s"]),
                word(&session["rooms"]),
            ]
        })
        .collect();
    let head = ["NAME", "ACCOUNT", "PROTOCOL", "ADDRESS", "TLS", "SINCE", "IDLE", "ROOMS"];
    or_nothing(rows.len(), "nobody is here", table(head, &rows))
}

fn rooms(answer: &Value) -> String {
    let cells = |room: &Value| {
        [word(&room["name"]), word(&room["members"]), moment(&room["made"]), word(&room["topic"])]
    };
    let rows: Vec<_> = list(answer, "rooms").iter().map(cells).collect();
    table(["ROOM", "MEMBERS", "MADE", "TOPIC"], &rows)
}

fn room(answer: &Value) -> String {
    let modes = &answer["modes"];
    let mut text = format!("room    {}\n", word(&answer["name"]));
    // Writing to a string can't fail.
    let _ = writeln!(text, "topic   {}", word(&answer["topic"]["text"]));
    let mut set = list(modes, "flags").iter().map(word).collect::<Vec<_>>();
    if modes["key"] == true {
        set.push("key".to_owned());
    }
    set.extend(modes["limit"].as_u64().map(|limit| format!("limit {limit}")));
    set.extend(modes["slow_s"].as_u64().map(|slow_s| format!("slow {slow_s}s")));
    let _ = writeln!(text, "modes   {}\n", if set.is_empty() { "-".to_owned() } else { set.join(", ") });
    let cells = |member: &Value| {
        [word(&member["user"]), word(&member["account"]), word(&member["protocol"]), word(&member["ranks"])]
    };
    let rows: Vec<_> = list(answer, "members").iter().map(cells).collect();
    let members = table(["NAME", "ACCOUNT", "PROTOCOL", "RANKS"], &rows);
    text.push_str(&or_nothing(rows.len(), "nobody is in it", members));
    text
}

fn accounts(answer: &Value) -> String {
    let cells = |account: &Value| {
        [
            word(&account["name"]),
            moment(&account["since"]),
            word(&account["sessions"]),
            word(&account["certificates"]),
            word(&account["app_passwords"]),
        ]
    };
    let rows: Vec<_> = list(answer, "accounts").iter().map(cells).collect();
    let head = ["ACCOUNT", "SINCE", "SESSIONS", "CERTIFICATES", "APP PASSWORDS"];
    or_nothing(rows.len(), "there are no accounts", table(head, &rows))
}

fn invitations(answer: &Value) -> String {
    let cells = |invitation: &Value| {
        [
            word(&invitation["id"]),
            word(&invitation["room"]),
            word(&invitation["uses"]),
            word(&invitation["by"]),
            moment(&invitation["since"]),
            moment(&invitation["until"]),
        ]
    };
    let rows: Vec<_> = list(answer, "invitations").iter().map(cells).collect();
    let head = ["ID", "ROOM", "USES", "BY", "SINCE", "UNTIL"];
    or_nothing(rows.len(), "there are no invitations", table(head, &rows))
}

fn bans(answer: &Value) -> String {
    let cells =
        |ban: &Value| [word(&ban["net"]), moment(&ban["since"]), moment(&ban["until"]), word(&ban["reason"])];
    let rows: Vec<_> = list(answer, "bans").iter().map(cells).collect();
    or_nothing(rows.len(), "nobody is banned", table(["NETWORK", "SINCE", "UNTIL", "REASON"], &rows))
}

fn events(answer: &Value) -> String {
    let mut text = String::new();
    let all = list(answer, "events");
    for event in all {
        let (from, said) = (word(&event["from"]), plain(event["text"].as_str().unwrap_or_default()));
        let said = match event["kind"].as_str() {
            Some("action") => format!("* {from} {said}"),
            _ => format!("<{from}> {said}"),
        };
        let _ = writeln!(text, "{} {} {said}", moment(&event["time"]), word(&event["room"]));
    }
    or_nothing(all.len(), "nothing was found", text)
}

fn status(answer: &Value) -> String {
    let store = &answer["store"];
    let store = match store {
        Value::Null => "nothing is kept".to_owned(),
        store => {
            let state = if store["failing"] == true { "CAN'T BE WRITTEN" } else { "fine" };
            format!("{} ({} bytes, {state})", word(&store["path"]), store["bytes"])
        }
    };
    let doors = list(answer, "listening").iter();
    let doors: Vec<_> = doors
        .map(|door| match &door["protocol"] {
            Value::Null => word(&door["address"]),
            protocol => format!("{}={}", word(&door["address"]), word(protocol)),
        })
        .collect();
    let mut text = String::new();
    for (name, value) in [
        ("version", word(&answer["version"])),
        ("running for", span(&answer["uptime_s"])),
        ("listening", doors.join(", ")),
        ("connections", word(&answer["connections"])),
        ("sessions", word(&answer["sessions"])),
        ("users", word(&answer["users"])),
        ("rooms", word(&answer["rooms"])),
        ("messages", word(&answer["messages"])),
        ("bans", word(&answer["bans"])),
        ("store", store),
    ] {
        let _ = writeln!(text, "{name:<12} {value}");
    }
    if !answer["draining_until"].is_null() {
        let _ = writeln!(text, "{:<12} {}", "ends by", moment(&answer["draining_until"]));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn people_are_shown_in_columns_and_can_not_write_to_the_terminal() {
        let answer = json!({ "sessions": [
            { "user": "a\u{1b}[2Jna", "account": null, "protocol": "irc", "address": "192.0.2.7", "tls": true,
              "connected": true, "operator": true, "rooms": ["den", "lobby"], "since": "2026-01-31T12:00:00.123Z",
              "idle_s": 3700 },
        ]});
        assert_eq!(
            shown(&Order::Sessions { order: None }, &answer),
            "NAME      ACCOUNT  PROTOCOL  ADDRESS    TLS  SINCE                 IDLE   ROOMS\n\
             a [2Jna*  -        irc       192.0.2.7  yes  2026-01-31 12:00:00Z  1h 1m  den, lobby\n"
        );
        assert_eq!(shown(&Order::Sessions { order: None }, &json!({ "sessions": [] })), "nobody is here\n");
    }

    #[test]
    fn spans_are_short() {
        let spans = [0, 59, 60, 3_600, 90_000].map(|seconds| span(&json!(seconds)));
        assert_eq!(spans, ["0s", "59s", "1m", "1h 0m", "1d 1h"]);
    }
}
