//! Those that look things up.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hub::{EventId, HistoryKey, Party, Recall, Recalled, RoomCard, Shared, Window};
use rusqlite::{Connection, OptionalExtension as _};

use crate::block::{Entry, walk};
use crate::catch_up::catch_up;
use crate::row::{Faces, kind};
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
pub(crate) struct Place<'p> {
    pub(crate) id: i64,
    pub(crate) begins: i64,
    pub(crate) room: Option<&'p Arc<RoomCard>>,
}

/// A range of ids, both ends in it, and from which end on it counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) from_end: bool,
    pub(crate) limit: usize,
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
        // What was said and who said it are of one moment.
        let _moment = self.db.unchecked_transaction()?;
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
                let limit = *limit;
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
        let kinds = if all_kinds { u8::MAX } else { kind::LAST_SAID };
        let Range { from_end, limit, .. } = range;
        let mut faces = Faces::new(&self.db)?;
        let mut events: Vec<Shared> = Vec::new();
        for place in places {
            events.extend(self.look(&mut faces, place, range, |entry, _| Ok(entry.kind <= kinds))?);
        }
        events.sort_by_key(|event| event.id);
        if let Some(more) = events.len().checked_sub(limit) {
            if from_end {
                events.drain(..more)
            } else {
                events.drain(limit..)
            };
        }
        within_bytes(&mut events, from_end);
        Ok(events)
    }

    /// The events of a range in one history that are meant, in the order in which they are come upon.
    pub(crate) fn look(
        &self,
        faces: &mut Faces<'_>,
        place: &Place<'_>,
        range: Range,
        mut is_meant: impl FnMut(&Entry<'_>, &mut Faces<'_>) -> rusqlite::Result<bool>,
    ) -> rusqlite::Result<Vec<Shared>> {
        let Range { first, last, from_end, limit } = range;
        let mut found = Vec::new();
        if limit == 0 {
            return Ok(found);
        }
        walk(&self.db, place.id, &(first.max(place.begins)..=last), from_end, |entry| {
            if is_meant(&entry, faces)? {
                found.extend(faces.event(&entry, place.room)?);
            }
            Ok(if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(found)
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
        let mut faces = Faces::new(&self.db)?;
        let mut found = Vec::new();
        for place in &places {
            let range = Range { first: 0, last: i64::MAX, from_end: true, limit: 1 };
            let event = self.look(&mut faces, place, range, |entry, _| Ok(entry.is_said()))?.pop();
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

pub(crate) fn bits(id: EventId) -> i64 {
    i64::try_from(id.bits()).unwrap_or(i64::MAX)
}
