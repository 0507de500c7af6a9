//! What is kept and not in the database yet, as the database is going to have it.

use std::ops::Range;
use std::thread;

use rusqlite::{Connection, Result};
use rustc_hash::FxHashMap;

use crate::block::{Blocks, Entry};
use crate::expire::Expiry;
use crate::known::Known;
use crate::numbers::{News, Numbered, Numbers};
use crate::record::{Place, Record, Said};

/// Memory that is kept for what comes: events, and bytes.
const SPARE_EVENTS: usize = 16 * 1024;
const SPARE_BYTES: usize = 2 * 1024 * 1024;

/// Events that are put into blocks in one go: who shares a core with this is let in between.
const YIELDS_EVERY: usize = 1024;

/// What was said since somebody last took all of it to enter it.
#[derive(Debug, Default)]
pub struct Lot {
    /// Everybody whom the events name.
    faces: Vec<Somebody>,
    places: Vec<Somewhere>,
    events: Vec<Piece>,
    /// What [`crate::record::Face::append`] and [`Entry::append_said`] wrote of them, and what may be between.
    bytes: Vec<u8>,
}

/// An event in bytes.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub(crate) place: u32,
    pub(crate) id: u64,
    pub(crate) said: Range<usize>,
}

/// A face in bytes.
#[derive(Debug, Clone)]
pub(crate) struct Somebody {
    pub(crate) number: i64,
    pub(crate) look: Range<usize>,
}

/// A [`Place`] that outlasts what it was found in.
#[derive(Debug)]
pub(crate) struct Somewhere {
    history: Box<str>,
    room: Box<str>,
    parties: Box<[Box<str>]>,
}

impl Lot {
    /// How many events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// How much memory the events take.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len() + self.events.len() * size_of::<Piece>() + self.faces.len() * size_of::<Somebody>()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Whether there is nothing of any, not even who was going to be named.
    #[cfg(test)]
    pub(crate) fn is_blank(&self) -> bool {
        self.is_empty() && self.faces.is_empty() && self.places.is_empty() && self.bytes.is_empty()
    }

    /// Forgets them; later ones may use the memory.
    pub fn clear(&mut self) {
        self.faces.clear();
        self.faces.shrink_to(SPARE_EVENTS);
        self.places.clear();
        self.events.clear();
        self.events.shrink_to(SPARE_EVENTS);
        self.bytes.clear();
        self.bytes.shrink_to(SPARE_BYTES);
    }

    /// Takes all of a later one.
    pub(crate) fn take_all_of(&mut self, other: &mut Self) {
        if self.is_empty() {
            std::mem::swap(self, other);
        } else {
            let places = number(self.places.len());
            self.places.append(&mut other.places);
            self.take(&other.bytes, &other.faces, &other.events, places);
        }
        other.clear();
    }

    /// The places that events may be in.
    pub(crate) fn places_mut(&mut self) -> &mut Vec<Somewhere> {
        &mut self.places
    }

    /// Takes people and events with the bytes that they are in. The events' places come after so many.
    pub(crate) fn take(&mut self, bytes: &[u8], faces: &[Somebody], events: &[Piece], places: u32) {
        let start = self.bytes.len();
        let moved = |at: &Range<usize>| start + at.start..start + at.end;
        self.bytes.extend_from_slice(bytes);
        self.faces.extend(
            faces.iter().map(|Somebody { number, look }| Somebody { number: *number, look: moved(look) }),
        );
        self.events.extend(events.iter().map(|Piece { place, id, said }| Piece {
            place: place + places,
            id: *id,
            said: moved(said),
        }));
    }

    /// Takes who is going to be named. Places are taken already.
    fn hear(faces: &mut Vec<Somebody>, bytes: &mut Vec<u8>, news: &News<'_, '_>) {
        if let News::Face(number, look) = news {
            let begins = bytes.len();
            bytes.extend_from_slice(look);
            faces.push(Somebody { number: *number, look: begins..bytes.len() });
        }
    }

    fn push(&mut self, Numbered { place, from, whom }: Numbered, entry: Entry<'_>) {
        let start = self.bytes.len();
        let entry = Entry { face: from, whom, ..entry };
        entry.append_said(&mut self.bytes);
        self.events.push(Piece { place, id: entry.id, said: start..self.bytes.len() });
    }

    /// Takes an event as the hub has it.
    pub(crate) fn push_said(&mut self, numbers: &mut Numbers, said: &Said<'_>) {
        let Self { faces, places, bytes, .. } = self;
        let numbered = numbers.of(said, places, |news| Self::hear(faces, bytes, &news));
        self.push(numbered, said.entry(numbered.from, numbered.whom));
    }

    /// Takes an event that was read.
    pub(crate) fn push_record(&mut self, numbers: &mut Numbers, record: &Record<'_>) {
        let Self { faces, places, bytes, .. } = self;
        let numbered = numbers.of_record(record, places, |news| Self::hear(faces, bytes, &news));
        self.push(numbered, record.entry.clone());
    }

    /// Enters it, in a transaction. Nothing up to the last needs to be looked for in the log then.
    pub(crate) fn enter(
        &self,
        change: &Connection,
        known: &mut Known,
        blocks: &mut Blocks,
        expiry: &mut Expiry,
    ) -> Result<()> {
        let Some(newest) = self.events.iter().map(|event| event.id).max() else { return Ok(()) };
        blocks.clear();
        let mut last_blocks = vec![None; self.places.len()];
        for (number, Piece { place, id, said }) in self.events.iter().enumerate() {
            if number % YIELDS_EVERY == YIELDS_EVERY - 1 {
                thread::yield_now();
            }
            if let (Some(last), Some(said)) =
                (last_blocks.get_mut(*place as usize), self.bytes.get(said.clone()))
            {
                blocks.push((*place).into(), last, *id, said);
            }
        }
        self.enter_faces(change, known, blocks)?;
        let mut histories = Vec::with_capacity(self.places.len());
        for Somewhere { history, room, parties } in &self.places {
            histories.push((known.history(change, history, room, parties)?, !room.is_empty()));
        }
        let of = |place| {
            let place = usize::try_from(place).ok().and_then(|place| histories.get(place));
            place.copied().ok_or(rusqlite::Error::InvalidQuery)
        };
        for (place, count) in blocks.counts() {
            let (history, is_room) = of(place)?;
            if is_room {
                expiry.note(history, count as usize);
            }
        }
        blocks.enter(change, |place| Ok(of(place)?.0))?;
        let mut note =
            change.prepare_cached("UPDATE note SET value = max(value, ?1) WHERE key = 'entered_upto'")?;
        note.execute([newest.cast_signed()])?;
        Ok(())
    }

    /// Enters who is not there. Whoever has a number of somebody who was erased meanwhile gets another.
    fn enter_faces(&self, change: &Connection, known: &mut Known, blocks: &mut Blocks) -> Result<()> {
        let (mut others, mut insert) = (FxHashMap::default(), None);
        for Somebody { number, look } in &self.faces {
            let (mut number, look) = (*number, self.bytes.get(look.clone()).unwrap_or_default());
            if known.is_retired(number) {
                number = *others.entry(number).or_insert_with(|| known.new_face());
            }
            known.see_to_face(change, &mut insert, number, look)?;
        }
        if !others.is_empty() {
            blocks.renumber(|face| others.get(&face).copied().unwrap_or(face))?;
        }
        Ok(())
    }
}

/// Somewhere an event is going to be; its number.
pub(crate) fn add_place(places: &mut Vec<Somewhere>, there: &Place<'_>) -> u32 {
    let Place { history, room, parties } = there;
    let parties = parties.iter().map(|party| (*party).into()).collect();
    places.push(Somewhere { history: (*history).into(), room: (*room).into(), parties });
    number(places.len() - 1)
}

/// There are far less than can be counted.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
