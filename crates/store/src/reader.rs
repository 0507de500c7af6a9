//! Those that look things up.

use std::path::{Path, PathBuf};

use std::sync::Arc;

use hub::{EventId, HistoryKey, Party, Recall, Recalled, RoomCard, RoomName, Shared, Wanted, Window};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::catch_up::catch_up;
use crate::row::{self, COLUMNS, TABLES, kind};
use crate::{FILE_NAME, SCHEMA_VERSION, StoreError, schema};

/// Bytes of one answer: it has to fit what may wait for a client, and a hundred of the longest messages have to fit it.
const ANSWER_BYTES_MAX: usize = 512 * 1024;
/// What goes over the wire beside a message's text.
const AROUND_BYTES: usize = 256;

/// Looks things up. Each has a connection of its own and doesn't wait for the writer.
#[derive(Debug)]
pub struct Reader {
    pub(crate) db: Connection,
    path: PathBuf,
}

/// Ends what a [`Reader`] is doing, from another thread.
pub struct Interrupter(rusqlite::InterruptHandle);

impl std::fmt::Debug for Interrupter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Interrupter")
    }
}

impl Interrupter {
    /// Ends it, if it does anything.
    pub fn interrupt(&self) {
        self.0.interrupt();
    }
}

/// A history, and what of it may be shown.
struct Place<'p> {
    id: i64,
    begins: i64,
    room: Option<&'p Arc<RoomCard>>,
}

/// A range of ids, both ends in it, and from which end on it counts.
#[derive(Debug, Clone, Copy)]
struct Range {
    first: i64,
    last: i64,
    from_end: bool,
    limit: i64,
}

impl Reader {
    /// Opens a folder's store, also while a server is using it.
    ///
    /// # Errors
    /// If there is none, or it can't be read.
    pub fn at(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE_NAME);
        let db = schema::open_existing(&path)?;
        match schema::check_version(&db, &path)? {
            SCHEMA_VERSION => {
                catch_up(folder)?;
                Ok(Self { db, path })
            }
            found => Err(StoreError::TooOld { path, found }),
        }
    }

    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { db: schema::open_to_read(path)?, path: path.to_owned() })
    }

    /// Looks at every page for damage: takes as long as reading all of it.
    ///
    /// # Errors
    /// [`StoreError::Damaged`]; and when it is interrupted.
    pub fn check(&self) -> Result<(), StoreError> {
        schema::check_all(&self.db, &self.path)
    }

    /// To end from another thread what takes too long.
    #[must_use]
    pub fn interrupter(&self) -> Interrupter {
        Interrupter(self.db.get_interrupt_handle())
    }

    /// Looks something up.
    ///
    /// # Errors
    /// As the disk has it.
    pub fn recall(&mut self, recall: &Recall) -> Result<Recalled, StoreError> {
        match recall {
            Recall::Page { histories, room, floor, window, limit, all_kinds } => {
                let places = self.places(histories.iter().map(|key| (key, room.as_ref())), *floor)?;
                Ok(Recalled::Events(self.page(&places, *window, *limit, *all_kinds)?))
            }
            Recall::Everything { party, floor, rooms, window, limit, all_kinds } => {
                let places = self.everywhere(party, *floor, rooms)?;
                Ok(Recalled::Events(self.page(&places, *window, *limit, *all_kinds)?))
            }
            Recall::Targets { party, floor, rooms, after, before, limit } => {
                self.targets(party, *floor, rooms, (*after, *before), *limit)
            }
            Recall::Missed { rooms, party, after, before, limit } => {
                let mut places =
                    self.places(rooms.iter().map(|(key, room)| (key, Some(room))), EventId::default())?;
                if let Some(party) = party {
                    places.extend(self.conversations(party, None, EventId::default())?);
                }
                let limit = i64::try_from(*limit).unwrap_or(i64::MAX);
                let (first, last) = (bits(*after).saturating_add(1), bits(*before).saturating_sub(1));
                let range = Range { first, last, from_end: true, limit };
                Ok(Recalled::Missed(self.range(&places, range, false)?))
            }
            Recall::Search { rooms, party, histories, floor, wanted, limit } => {
                let mut places =
                    self.places(rooms.iter().map(|(key, room)| (key, Some(room))), EventId::default())?;
                if let Some(party) = party {
                    places.extend(self.conversations(party, histories.as_deref(), *floor)?);
                }
                Ok(Recalled::Events(self.search(&places, wanted, *limit)?))
            }
            Recall::SearchRooms { wanted, limit } => Ok(Recalled::Events(self.search_rooms(wanted, *limit)?)),
        }
    }

    fn places<'p>(
        &self,
        keys: impl Iterator<Item = (&'p HistoryKey, Option<&'p Arc<RoomCard>>)>,
        floor: EventId,
    ) -> rusqlite::Result<Vec<Place<'p>>> {
        let mut find = self.db.prepare_cached("SELECT id, begins FROM history WHERE key = ?1")?;
        let mut places = Vec::new();
        for (key, room) in keys {
            let found = find.query_row([key.as_str()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            places.extend(found.map(|(id, begins): (i64, i64)| Place {
                id,
                begins: begins.max(bits(floor)),
                room,
            }));
        }
        Ok(places)
    }

    /// The conversations that somebody takes part in, or those of them that are wanted.
    fn conversations(
        &self,
        party: &Party,
        wanted: Option<&[HistoryKey]>,
        floor: EventId,
    ) -> rusqlite::Result<Vec<Place<'static>>> {
        let mut find = self.db.prepare_cached(
            "SELECT history.id, history.begins, history.key FROM party JOIN history ON history.id = party.history \
             WHERE party.party = ?1",
        )?;
        let rows = find.query_map([party.as_str()], |row| {
            let begins: i64 = row.get(1)?;
            let place = Place { id: row.get(0)?, begins: begins.max(bits(floor)), room: None };
            Ok((place, row.get::<_, String>(2)?))
        })?;
        let is_wanted = |key: &str| wanted.is_none_or(|wanted| wanted.iter().any(|one| one.as_str() == key));
        rows.filter(|row| row.as_ref().map_or(true, |(_, key)| is_wanted(key)))
            .map(|row| row.map(|(place, _)| place))
            .collect()
    }

    /// Rooms, and all of somebody's conversations.
    fn everywhere<'p>(
        &self,
        party: &Party,
        floor: EventId,
        rooms: &'p [(HistoryKey, Arc<RoomCard>)],
    ) -> rusqlite::Result<Vec<Place<'p>>> {
        let mut places =
            self.places(rooms.iter().map(|(key, room)| (key, Some(room))), EventId::default())?;
        places.extend(self.conversations(party, None, floor)?);
        Ok(places)
    }

    fn page(
        &self,
        places: &[Place<'_>],
        window: Window,
        limit: usize,
        all_kinds: bool,
    ) -> rusqlite::Result<Vec<Shared>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let ranges: Vec<Range> = match window {
            Window::Latest(after) => {
                vec![Range { first: bits(after) + 1, last: i64::MAX, from_end: true, limit }]
            }
            Window::Before(before) => {
                vec![Range { first: 0, last: bits(before).saturating_sub(1), from_end: true, limit }]
            }
            Window::After(after) => {
                vec![Range { first: bits(after).saturating_add(1), last: i64::MAX, from_end: false, limit }]
            }
            Window::Between(from, to) => {
                let (low, high) = (bits(from.min(to)), bits(from.max(to)));
                vec![Range {
                    first: low.saturating_add(1),
                    last: high.saturating_sub(1),
                    from_end: from > to,
                    limit,
                }]
            }
            Window::Around(at) => {
                let before = limit / 2;
                vec![
                    Range { first: 0, last: bits(at).saturating_sub(1), from_end: true, limit: before },
                    Range { first: bits(at), last: i64::MAX, from_end: false, limit: limit - before },
                ]
            }
        };
        let mut events = Vec::new();
        for range in ranges {
            events.extend(self.range(places, range, all_kinds)?);
        }
        Ok(events)
    }

    /// The events of a range in several histories, oldest first.
    fn range(&self, places: &[Place<'_>], range: Range, all_kinds: bool) -> rusqlite::Result<Vec<Shared>> {
        let order = if range.from_end { "DESC" } else { "ASC" };
        let mut find = self.db.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM {TABLES} WHERE event.history = ?1 AND event.id BETWEEN ?2 AND ?3 \
             AND event.kind <= ?4 ORDER BY event.id {order} LIMIT ?5"
        ))?;
        let kinds = if all_kinds { u8::MAX } else { kind::LAST_SAID };
        let mut events: Vec<Shared> = Vec::new();
        for place in places {
            let first = range.first.max(place.begins);
            let rows = find.query_map(params![place.id, first, range.last, kinds, range.limit], |row| {
                row::event(row, place.room)
            })?;
            for event in rows {
                events.push(event?);
            }
        }
        events.sort_by_key(|event| event.id);
        let limit = usize::try_from(range.limit).unwrap_or(usize::MAX);
        if let Some(more) = events.len().checked_sub(limit) {
            if range.from_end {
                events.drain(..more)
            } else {
                events.drain(limit..)
            };
        }
        within_bytes(&mut events, range.from_end);
        Ok(events)
    }

    fn targets(
        &self,
        party: &Party,
        floor: EventId,
        rooms: &[(HistoryKey, Arc<RoomCard>)],
        (after, before): (EventId, EventId),
        limit: usize,
    ) -> Result<Recalled, StoreError> {
        let (low, high) =
            (bits(after.min(before)).saturating_add(1), bits(after.max(before)).saturating_sub(1));
        let places = self.everywhere(party, floor, rooms)?;
        let mut latest = self.db.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM {TABLES} WHERE event.history = ?1 AND event.kind <= ?2 AND event.id >= ?3 \
             ORDER BY event.id DESC LIMIT 1"
        ))?;
        let mut found = Vec::new();
        for place in &places {
            let event = latest
                .query_row(params![place.id, kind::LAST_SAID, place.begins], |row| {
                    row::event(row, place.room)
                })
                .optional()?;
            let Some(event) = event.filter(|event| (low..=high).contains(&bits(event.id))) else { continue };
            let name = match place.room {
                Some(room) => room.channel().to_owned(),
                None => other_party(&event, party).unwrap_or_default(),
            };
            found.push((event.id, name));
        }
        found.sort();
        // One person under several histories is one target, where it was last.
        let mut names: Vec<(String, u64)> = Vec::new();
        for (id, name) in found {
            names.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
            names.push((name, id.unix_ms()));
        }
        match after > before {
            true => drop(names.drain(..names.len().saturating_sub(limit))),
            false => names.truncate(limit),
        }
        Ok(Recalled::Targets(names))
    }

    /// Looks in every room that is or was.
    fn search_rooms(&self, wanted: &Wanted, limit: usize) -> rusqlite::Result<Vec<Shared>> {
        let (first, last) = bounds(wanted);
        let terms = terms(&wanted.text);
        let filter = filter(&terms);
        let mut find = self.db.prepare_cached(&format!(
            "SELECT {COLUMNS}, history.name AS room FROM {TABLES} JOIN history ON history.id = event.history \
             WHERE history.key LIKE ?1 AND event.id BETWEEN ?2 AND ?3 AND event.id >= history.begins AND {filter} \
             AND event.kind <= ?5 AND (?6 IS NULL OR lower(f.nick) = lower(?6) OR lower(f.name) = lower(?6)) \
             ORDER BY event.id DESC LIMIT ?7"
        ))?;
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let bound = params!["#%", first, last, terms, kind::LAST_SAID, wanted.from, most];
        let rows = find.query_map(bound, |row| {
            let name: String = row.get("room")?;
            row::event(row, Some(&Arc::new(RoomCard::former(RoomName::kept(&name)))))
        })?;
        let mut events = rows.collect::<Result<Vec<_>, _>>()?;
        events.reverse();
        Ok(events)
    }

    fn search(&self, places: &[Place<'_>], wanted: &Wanted, limit: usize) -> rusqlite::Result<Vec<Shared>> {
        let (first, last) = bounds(wanted);
        let terms = terms(&wanted.text);
        let filter = filter(&terms);
        let mut find = self.db.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM {TABLES} WHERE event.history = ?1 AND event.id BETWEEN ?2 AND ?3 AND {filter} \
             AND event.kind <= ?5 AND (?6 IS NULL OR lower(f.nick) = lower(?6) OR lower(f.name) = lower(?6)) \
             ORDER BY event.id DESC LIMIT ?7"
        ))?;
        let mut events: Vec<Shared> = Vec::new();
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        for place in places {
            let first = first.max(place.begins);
            let bound = params![place.id, first, last, terms, kind::LAST_SAID, wanted.from, most];
            for event in find.query_map(bound, |row| row::event(row, place.room))? {
                events.push(event?);
            }
        }
        events.sort_by_key(|event| event.id);
        let more = events.len().saturating_sub(limit);
        events.drain(..more);
        Ok(events)
    }
}

/// The first and the last id that are wanted.
fn bounds(wanted: &Wanted) -> (i64, i64) {
    let first = wanted.after.map_or(0, |after| bits(after).saturating_add(1));
    (first, wanted.before.map_or(i64::MAX, |before| bits(before).saturating_sub(1)))
}

/// What finds the terms (`?4`) between the bounds (`?2`, `?3`).
fn filter(terms: &str) -> &'static str {
    if terms.is_empty() {
        "?4 = ''"
    } else {
        "event.id IN (SELECT rowid FROM words WHERE words MATCH ?4 AND rowid BETWEEN ?2 AND ?3)"
    }
}

/// What is looked for as FTS5 writes it: all words, each as it stands, whatever signs are in it.
fn terms(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let quoted = words.map(|word| format!("\"{}\"", word.replace('"', "\"\"")));
    quoted.collect::<Vec<_>>().join(" ")
}

/// The name of the other one in a conversation.
fn other_party(event: &Shared, party: &Party) -> Option<String> {
    let hub::Kind::Message { from, scope: hub::Scope::Private { to: Some(to), .. }, .. } = &event.kind else {
        return None;
    };
    let other = if Party::of(from) == *party { to } else { from };
    Some(other.wire_name(hub::Namespace::Irc).to_owned())
}

/// Leaves out what would be too much for one answer, from the end that counts less.
fn within_bytes(events: &mut Vec<Shared>, from_end: bool) {
    let mut rest = ANSWER_BYTES_MAX;
    let mut has_room = |event: &Shared| {
        let text = if let hub::Kind::Message { text, .. } = &event.kind { text.as_str().len() } else { 0 };
        let bytes = text + AROUND_BYTES;
        let fits = rest >= bytes;
        rest = rest.saturating_sub(bytes);
        fits
    };
    if from_end {
        let kept = events.iter().rev().take_while(|event| has_room(event)).count();
        events.drain(..events.len() - kept);
    } else {
        let kept = events.iter().take_while(|event| has_room(event)).count();
        events.truncate(kept);
    }
}

fn bits(id: EventId) -> i64 {
    i64::try_from(id.bits()).unwrap_or(i64::MAX)
}
