//! The server as a whole: how it is, words to everybody, its end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Answered;
use super::reply::{Answer, Problem, time};
use crate::drain;
use crate::shared::Shared;

/// How long it is waited for everybody to leave if it isn't said, in seconds.
const DRAIN_S: u64 = 60;
/// How long it may be waited.
const DRAIN_S_MAX: u64 = 24 * 60 * 60;

/// `GET /status`
pub(super) fn status(shared: &Shared) -> Answered {
    let now = shared.clock.now();
    let (sessions, users, rooms, counts) = {
        let hub = shared.hub();
        (hub.session_count(), hub.present_count(), hub.room_count(), hub.counts().clone())
    };
    let listening: Vec<Value> = shared
        .listening
        .iter()
        .map(
            |(address, dialect)| json!({ "address": address, "protocol": dialect.map(hub::Dialect::as_str) }),
        )
        .collect();
    let started_ms = shared.settings.started_ms;
    Ok(Answer::ok(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "started": time(started_ms),
        "uptime_s": now.unix_ms.saturating_sub(started_ms) / 1000,
        "connections": shared.connection_count(),
        "sessions": sessions,
        "users": users,
        "rooms": rooms,
        "messages": counts.messages,
        "deliveries": counts.deliveries,
        "bans": shared.bans.list(now.unix_ms).len(),
        "listening": listening,
        "store": shared.folder.as_deref().map(|folder| store(shared, folder)),
        "draining_until": shared.drain.until().map(|until| time(until.unix_ms)),
    })))
}

fn store(shared: &Shared, folder: &Path) -> Value {
    let path = folder.join(store::FILE_NAME);
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    // What was written last is in a file of its own.
    let mut log = path.clone().into_os_string();
    log.push("-wal");
    json!({
        "path": path.display().to_string(),
        "bytes": size(&path) + size(Path::new(&log)),
        "failing": shared.journal.is_failing(),
    })
}

/// Words to everybody.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Broadcast {
    text: String,
}

/// `POST /broadcast`
pub(super) fn broadcast(shared: &Shared, wanted: &Broadcast) -> Answered {
    let (people, _) = shared.by_order(|hub, now, fx| hub.broadcast(now, &wanted.text, fx));
    let people = people.map_err(|refusal| Problem::refused(&refusal))?;
    Ok(Answer::ok(json!({ "people": people })))
}

/// An end that everybody is told of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Drain {
    /// How long it is waited for everybody to leave.
    seconds: Option<u64>,
    /// What everybody is told.
    text: Option<String>,
}

/// `POST /drain`
pub(super) fn drain(shared: &Arc<Shared>, wanted: Drain) -> Answered {
    let seconds = wanted.seconds.unwrap_or(DRAIN_S);
    if seconds > DRAIN_S_MAX {
        let what = format!("{seconds} seconds are more than {DRAIN_S_MAX}");
        return Err(Problem::malformed(what, "give it less time"));
    }
    let text = wanted.text.unwrap_or_else(|| match seconds {
        0 => "The server is ending now.".to_owned(),
        seconds => format!("The server is ending in {seconds} seconds, or when everybody has left."),
    });
    let (people, _) = shared.by_order(|hub, now, fx| hub.broadcast(now, &text, fx));
    let people = people.map_err(|refusal| Problem::refused(&refusal))?;
    let until = drain::begin(shared, Duration::from_secs(seconds));
    Ok(Answer::ok(json!({ "people": people, "until": time(until.unix_ms) })))
}

/// `DELETE /drain`
pub(super) fn cancel_drain(shared: &Shared) -> Answered {
    if !drain::cancel(shared) {
        return Err(Problem::conflict("the server isn't about to end", "POST /drain is how it begins"));
    }
    let (_, _) = shared.by_order(|hub, now, fx| hub.broadcast(now, "The server goes on after all.", fx));
    Ok(Answer::ok(json!({ "draining_until": null })))
}
