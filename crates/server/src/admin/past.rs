//! What was said in rooms: pages of it, and searching.

use hub::{EventId, Recall, Recalled, Wanted, Window};
use serde_json::{Value, json};
use smallvec::smallvec;

use super::api::{Answered, Query};
use super::reply::{Answer, Problem, event};
use crate::shared::Shared;

/// How many events are answered if it isn't said.
const LIMIT: usize = 100;
/// How many may be asked for.
const LIMIT_MAX: usize = 1000;

/// `GET /rooms/NAME/history`
pub(super) async fn page(shared: &Shared, room: &str, query: Query) -> Answered {
    let (after, before) = bounds(&query)?;
    let limit = limit(&query)?;
    let (history, room) = shared.hub().room_history(room).map_err(|refusal| Problem::refused(&refusal))?;
    let window = match (after, before) {
        (None, None) => Window::Latest(EventId::default()),
        (Some(after), None) => Window::After(after),
        (None, Some(before)) => Window::Before(before),
        (Some(after), Some(before)) => Window::Between(after, before),
    };
    let recall = Recall::Page {
        histories: smallvec![history],
        room: Some(room),
        floor: EventId::default(),
        window,
        limit,
        all_kinds: false,
    };
    look_up(shared, recall).await
}

/// `GET /history/search`
pub(super) async fn search(shared: &Shared, query: Query) -> Answered {
    let (after, before) = bounds(&query)?;
    let limit = limit(&query)?;
    let wanted = Wanted {
        text: query.get("text").unwrap_or_default().to_owned(),
        from: query.get("from").map(str::to_owned),
        after,
        before,
    };
    let recall = match query.get("room") {
        None => Recall::SearchRooms { wanted, limit },
        Some(room) => {
            let place = shared.hub().room_history(room).map_err(|refusal| Problem::refused(&refusal))?;
            let floor = EventId::default();
            Recall::Search { rooms: vec![place], party: None, histories: None, floor, wanted, limit }
        }
    };
    look_up(shared, recall).await
}

async fn look_up(shared: &Shared, recall: Recall) -> Answered {
    if shared.folder.is_none() {
        return Err(Problem::nothing_kept());
    }
    match shared.recall(recall).await {
        Ok(Recalled::Events(events)) => {
            let events: Vec<Value> = events.iter().map(event).collect();
            Ok(Answer::ok(json!({ "events": events })))
        }
        Ok(Recalled::Targets(_) | Recalled::Missed(_) | Recalled::Failed) | Err(_) => {
            Err(Problem::unavailable("it can't be looked up now", "the server's log says why"))
        }
    }
}

fn limit(query: &Query) -> Result<usize, Problem> {
    let Some(text) = query.get("limit") else { return Ok(LIMIT) };
    let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| {
        Problem::malformed(format!("limit is {text:?}"), format!("it is a number from 1 to {LIMIT_MAX}"))
    })
}

/// After and before which event, neither of them included.
fn bounds(query: &Query) -> Result<(Option<EventId>, Option<EventId>), Problem> {
    let moment = |name: &str, edge: fn(u64) -> EventId| {
        let Some(text) = query.get(name) else { return Ok(None) };
        let found = text.parse().ok().or_else(|| unix_ms(text).map(edge));
        found.map(Some).ok_or_else(|| {
            let hint = "write a message's id, or a time like 2026-01-31 or 2026-01-31T12:00:00Z";
            Problem::malformed(format!("{name} is {text:?}"), hint)
        })
    };
    Ok((moment("after", EventId::last_of)?, moment("before", EventId::first_of)?))
}

fn unix_ms(text: &str) -> Option<u64> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let at = humantime::parse_rfc3339_weak(&whole).ok()?;
    let since = at.duration_since(std::time::SystemTime::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_days_or_moments() {
        assert_eq!(unix_ms("1970-01-02"), Some(86_400_000));
        assert_eq!(unix_ms("1970-01-01T00:00:01.500Z"), Some(1_500));
        assert_eq!(unix_ms("1970-01-01 00:00:01"), Some(1_000));
        for no in ["", "yesterday", "1969-01-01", "2026-13-01"] {
            assert_eq!(unix_ms(no), None, "{no}");
        }
    }
}
