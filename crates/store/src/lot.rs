//! What is kept and not in the database yet, put together as it comes: to enter it, hardly more than to hand it over is left.

use hub::EventId;
use rusqlite::{Connection, Result};
use rustc_hash::FxHashMap;

use crate::block::{Blocks, Entry};
use crate::expire::Expiry;
use crate::known::Known;
use crate::numbers::{Look, Numbered, Numbers};
use crate::record::{Place, Record, Said};

/// What was said since somebody last took all of it to enter it.
#[derive(Debug, Default)]
pub struct Lot {
    /// Everybody whom the events name.
    faces: Vec<(i64, Look)>,
    places: Vec<Somewhere>,
    /// The last block of each place.
    last_blocks: Vec<Option<u32>>,
    blocks: Blocks,
    count: usize,
    last: EventId,
}

/// A [`Place`] that outlasts what it was found in.
#[derive(Debug)]
struct Somewhere {
    history: Box<str>,
    room: Box<str>,
    parties: Box<[Box<str>]>,
}

impl Lot {
    /// How many events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Forgets them; later ones may use the memory.
    pub fn clear(&mut self) {
        self.faces.clear();
        self.places.clear();
        self.last_blocks.clear();
        self.blocks.clear();
        (self.count, self.last) = (0, EventId::default());
    }

    /// Takes all of a later one.
    pub(crate) fn take_all_of(&mut self, other: &mut Self) {
        if self.is_empty() {
            std::mem::swap(self, other);
        } else {
            self.blocks.take_all_of(&mut other.blocks, number(self.places.len()).into());
            self.faces.append(&mut other.faces);
            self.places.append(&mut other.places);
            // Nothing more comes to those that are there.
            self.last_blocks.resize(self.places.len(), None);
            self.count += other.count;
            self.last = self.last.max(other.last);
        }
        other.clear();
    }

    /// Somebody whom an event is going to name.
    pub(crate) fn add_face(&mut self, number: i64, look: Look) {
        self.faces.push((number, look));
    }

    /// Somewhere an event is going to be; its number.
    pub(crate) fn add_place(&mut self, there: &Place<'_>) -> u32 {
        let Place { history, room, parties } = there;
        let parties = parties.iter().map(|party| (*party).into()).collect();
        self.places.push(Somewhere { history: (*history).into(), room: (*room).into(), parties });
        self.last_blocks.push(None);
        number(self.places.len() - 1)
    }

    /// Takes an event, as [`Entry::append_said`] wrote it.
    #[inline]
    pub(crate) fn push(&mut self, place: u32, id: u64, said: &[u8]) {
        let Some(last_block) = self.last_blocks.get_mut(place as usize) else { return };
        self.count += 1;
        self.last = self.last.max(EventId::from_bits(id));
        self.blocks.push(place.into(), last_block, id, said);
    }

    /// Takes an event as the hub has it.
    pub(crate) fn push_said(&mut self, numbers: &mut Numbers, said: &Said<'_>) {
        let Numbered { place, from, whom } = numbers.of(said, self, |_| {});
        self.push(place, said.id(), &said.entry(from, whom).said());
    }

    /// Takes an event that was read.
    pub(crate) fn push_record(&mut self, numbers: &mut Numbers, record: &Record<'_>) {
        let Numbered { place, from, whom } = numbers.of_record(record, self);
        let entry = Entry { face: from, whom, ..record.entry.clone() };
        self.push(place, entry.id, &entry.said());
    }

    /// Enters it, in a transaction. Nothing up to the last needs to be looked for in the log then.
    pub(crate) fn enter(
        &mut self,
        change: &Connection,
        known: &mut Known,
        expiry: &mut Expiry,
    ) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        self.renumber(known)?;
        for (number, look) in &self.faces {
            known.see_to_face(change, *number, look)?;
        }
        let mut histories = Vec::with_capacity(self.places.len());
        for Somewhere { history, room, parties } in &self.places {
            histories.push((known.history(change, history, room, parties)?, !room.is_empty()));
        }
        let of = |place| {
            let place = usize::try_from(place).ok().and_then(|place| histories.get(place));
            place.copied().ok_or(rusqlite::Error::InvalidQuery)
        };
        for (place, count) in self.blocks.counts() {
            let (history, is_room) = of(place)?;
            if is_room {
                expiry.note(history, count as usize);
            }
        }
        self.blocks.enter(change, |place| Ok(of(place)?.0))?;
        let mut note =
            change.prepare_cached("UPDATE note SET value = max(value, ?1) WHERE key = 'entered_upto'")?;
        note.execute([self.last.bits().cast_signed()])?;
        Ok(())
    }

    /// Whoever has a number of somebody who was erased meanwhile gets another.
    fn renumber(&mut self, known: &Known) -> Result<()> {
        let mut others = FxHashMap::default();
        for (number, _) in &mut self.faces {
            if known.is_retired(*number) {
                *number = *others.entry(*number).or_insert_with(|| known.new_face());
            }
        }
        if !others.is_empty() {
            self.blocks.renumber(|face| others.get(&face).copied().unwrap_or(face))?;
        }
        Ok(())
    }
}

/// There are far less than can be counted.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
