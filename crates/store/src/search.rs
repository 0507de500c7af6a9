//! Searches.

use std::ops::ControlFlow;
use std::sync::Arc;

use hub::{RoomCard, RoomName, Shared, Wanted};
use rusqlite::params;
use rustc_hash::FxHashMap;

use crate::Reader;
use crate::block::{Entry, walk};
use crate::reader::{Place, Range, bits};
use crate::row::Faces;

impl Reader {
    /// The latest that is wanted and was said in some histories, oldest first.
    pub(crate) fn search(
        &self,
        places: &[Place<'_>],
        wanted: &Wanted,
        limit: usize,
    ) -> rusqlite::Result<Vec<Shared>> {
        let first = wanted.after.map_or(0, |after| bits(after).saturating_add(1));
        let last = wanted.before.map_or(i64::MAX, |before| bits(before).saturating_sub(1));
        let range = Range { first, last, from_end: true, limit };
        let terms = terms(&wanted.text);
        let mut events = if terms.is_empty() {
            self.said(places, range, wanted)?
        } else {
            self.found(places, range, wanted, &terms)?
        };
        events.sort_by_key(|event| event.id);
        let more = events.len().saturating_sub(limit);
        events.drain(..more);
        Ok(events)
    }

    /// Looks in every room that is or was.
    pub(crate) fn search_rooms(&self, wanted: &Wanted, limit: usize) -> rusqlite::Result<Vec<Shared>> {
        let mut find = self.db.prepare_cached("SELECT id, begins, name FROM history WHERE key LIKE '#%'")?;
        let found = find.query_map([], |row| {
            let name: String = row.get(2)?;
            Ok((row.get(0)?, row.get(1)?, Arc::new(RoomCard::former(RoomName::kept(&name)))))
        })?;
        let rooms = found.collect::<rusqlite::Result<Vec<(i64, i64, Arc<RoomCard>)>>>()?;
        let places =
            rooms.iter().map(|(id, begins, room)| Place { id: *id, begins: *begins, room: Some(room) });
        let places: Vec<Place<'_>> = places.collect();
        self.search(&places, wanted, limit)
    }

    /// What is wanted, whatever its words.
    fn said(&self, places: &[Place<'_>], range: Range, wanted: &Wanted) -> rusqlite::Result<Vec<Shared>> {
        let mut faces = Faces::new(&self.db)?;
        let mut events = Vec::new();
        for place in places {
            events
                .extend(self.look(&mut faces, place, range, |entry, faces| is_wanted(entry, faces, wanted))?);
        }
        Ok(events)
    }

    /// What is wanted and has all the terms.
    fn found(
        &self,
        places: &[Place<'_>],
        range: Range,
        wanted: &Wanted,
        terms: &str,
    ) -> rusqlite::Result<Vec<Shared>> {
        let places: FxHashMap<i64, &Place<'_>> = places.iter().map(|place| (place.id, place)).collect();
        let mut faces = Faces::new(&self.db)?;
        let mut events = Vec::new();
        let mut find = self.db.prepare_cached(
            "SELECT said.event, said.history FROM words CROSS JOIN said ON said.event = words.rowid \
             WHERE words MATCH ?1 AND words.rowid BETWEEN ?2 AND ?3 ORDER BY words.rowid DESC",
        )?;
        let mut rows = find.query(params![terms, range.first, range.last])?;
        while let Some(row) = rows.next()?
            && events.len() < range.limit
        {
            let (id, history): (i64, i64) = (row.get(0)?, row.get(1)?);
            let Some(place) = places.get(&history).filter(|place| id >= place.begins) else { continue };
            walk(&self.db, history, &(id..=id), true, |entry| {
                if is_wanted(&entry, &mut faces, wanted)? {
                    events.extend(faces.event(&entry, place.room)?);
                }
                Ok(ControlFlow::Break(()))
            })?;
        }
        Ok(events)
    }
}

/// Whether it is something said, and by whom it is wanted.
fn is_wanted(entry: &Entry<'_>, faces: &mut Faces<'_>, wanted: &Wanted) -> rusqlite::Result<bool> {
    let Some(from) = wanted.from.as_deref().filter(|_| entry.is_said()) else { return Ok(entry.is_said()) };
    let card = faces.card(entry.face)?;
    Ok(card.is_some_and(|card| {
        card.name().as_str().eq_ignore_ascii_case(from)
            || card.wire_name(hub::Namespace::Irc).eq_ignore_ascii_case(from)
    }))
}

/// What is looked for as FTS5 writes it: all words, each as it stands, whatever signs are in it.
fn terms(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let quoted = words.map(|word| format!("\"{}\"", word.replace('"', "\"\"")));
    quoted.collect::<Vec<_>>().join(" ")
}
