//! Sessions and rooms.

use std::sync::Arc;

use hub::{RoomInfo, SessionInfo};
use serde_json::{Value, json};

use super::api::{Answered, Query};
use super::reply::{Answer, Problem, time};
use crate::shared::Shared;

/// `GET /sessions`
pub(super) fn sessions(shared: &Shared) -> Answered {
    let now = shared.clock.now();
    let sessions = shared.hub().sessions(now);
    let sessions: Vec<Value> = sessions.iter().map(session).collect();
    Ok(Answer::ok(json!({ "sessions": sessions })))
}

fn session(session: &SessionInfo) -> Value {
    let rooms: Vec<&str> = session.rooms.iter().map(|room| room.name().as_str()).collect();
    json!({
        "user": session.card.as_ref().map(|card| card.name().as_str()),
        "account": session.card.as_ref().and_then(|card| card.account()),
        "protocol": session.dialect.as_str(),
        "address": session.address.to_canonical(),
        "tls": session.secure,
        "connected": session.connected,
        "operator": session.operator,
        "rooms": rooms,
        "since": session.since_ms.map(time),
        "idle_s": session.idle_s,
    })
}

/// `DELETE /sessions/NAME?reason=`
pub(super) fn end(shared: &Shared, name: &str, query: Query) -> Answered {
    let reason = query.get("reason").unwrap_or_default();
    let (ended, _) = shared.by_order(|hub, now, fx| hub.end_named(now, name, reason, fx));
    let card = ended.map_err(|refusal| Problem::refused(&refusal))?;
    Ok(Answer::ok(json!({ "ended": card.name().as_str() })))
}

/// `GET /rooms`
pub(super) fn rooms(shared: &Shared) -> Answered {
    let rooms = shared.hub().rooms();
    let rooms: Vec<Value> = rooms.iter().map(room_info).collect();
    Ok(Answer::ok(json!({ "rooms": rooms })))
}

fn room_info(room: &RoomInfo) -> Value {
    json!({
        "name": room.card.name().as_str(),
        "channel": room.card.channel(),
        "members": room.members,
        "topic": room.topic.as_ref().map(|topic| &*topic.text),
        "made": (room.made_ms > 0).then(|| time(room.made_ms)),
    })
}

/// `GET /rooms/NAME`
pub(super) fn room(shared: &Shared, name: &str) -> Answered {
    let (room, members) = shared.hub().room(name).map_err(|refusal| Problem::refused(&refusal))?;
    let ranks =
        |ranks: hub::Ranks| ranks.iter_names().map(|(name, _)| name.to_lowercase()).collect::<Vec<_>>();
    let members: Vec<Value> = members
        .iter()
        .map(|member| {
            json!({
                "user": member.card.name().as_str(),
                "account": member.card.account(),
                "protocol": member.card.dialect().as_str(),
                "ranks": ranks(member.ranks),
            })
        })
        .collect();
    let flags: Vec<String> = room.modes.flags.iter_names().map(|(name, _)| name.to_lowercase()).collect();
    let mut shown = room_info(&room);
    shown["topic"] = match &room.topic {
        None => Value::Null,
        Some(topic) => json!({ "text": &*topic.text, "by": &*topic.by, "at": time(topic.unix_ms) }),
    };
    shown["modes"] = json!({
        "flags": flags,
        "key": room.modes.key.is_some(),
        "limit": room.modes.limit,
        "slow_s": room.modes.slow_s,
    });
    shown["members"] = json!(members);
    Ok(Answer::ok(shown))
}

/// `DELETE /rooms/NAME?reason=`
pub(super) fn close_room(shared: &Arc<Shared>, name: &str, query: Query) -> Answered {
    let reason = query.get("reason").unwrap_or_default();
    let (closed, _) = shared.by_order(|hub, now, fx| hub.close_room(now, name, reason, fx));
    let members = closed.map_err(|refusal| Problem::refused(&refusal))?;
    Ok(Answer::ok(json!({ "put_out": members })))
}
