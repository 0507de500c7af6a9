//! Events entered in the database, and the numbers that people and histories have there.

use hub::EventId;
use rusqlite::{Connection, OptionalExtension as _, params};
use rustc_hash::FxHashMap;

use crate::block::{Blocks, Head};
use crate::expire::Expiry;
use crate::record::{Face, Line, Named, Passing, Place, Said};

/// People and histories whose numbers are remembered; beyond that histories are looked up again, and people get others.
const REMEMBERED_MAX: usize = 16 * 1024;

/// Numbers of people and histories.
#[derive(Debug, Default)]
pub(crate) struct Known {
    histories: FxHashMap<Box<str>, i64>,
    faces: FxHashMap<Box<str>, i64>,
    /// For the name under which a face is remembered.
    scratch: String,
}

/// Enters events, and remembers the last.
pub(crate) struct Entering<'c> {
    change: &'c Connection,
    known: &'c mut Known,
    blocks: &'c mut Blocks,
    expiry: &'c mut Expiry,
    /// The database's numbers for the log's; of a place also whether it is a room.
    named: Named<i64, (i64, bool)>,
    last: EventId,
}

impl<'c> Entering<'c> {
    /// Begins, in a transaction.
    pub(crate) fn new(
        change: &'c Connection,
        known: &'c mut Known,
        blocks: &'c mut Blocks,
        expiry: &'c mut Expiry,
    ) -> Self {
        Self { change, known, blocks, expiry, named: Named::default(), last: EventId::default() }
    }

    /// Takes what is to be entered.
    pub(crate) fn push(&mut self, said: &Said<'_>) -> rusqlite::Result<()> {
        let place = self.place(&said.whereabouts().place())?;
        let face = self.known.face(self.change, &said.from())?;
        let whom = said.whom().map(|whom| self.known.face(self.change, &whom)).transpose()?;
        let entry = said.entry(face, whom);
        self.push_entry(place, &entry.head(), &entry.said()?)
    }

    /// Takes a line of the log.
    pub(crate) fn push_line(&mut self, line: &[u8]) -> rusqlite::Result<()> {
        let name = match Passing::read(line) {
            Some(Ok(Passing { place, ref head, said })) => return self.push_event(place, head, said),
            Some(Err(error)) => Err(error),
            None => postcard::from_bytes(line),
        };
        match name {
            Err(error) => tracing::error!(%error, "a record makes no sense"),
            Ok(Line::Face(number, face)) => {
                let face = self.known.face(self.change, &face)?;
                self.named.face(number, face);
            }
            Ok(Line::Place(number, place)) => {
                let place = self.place(&place)?;
                self.named.place(number, place);
            }
            Ok(Line::Event(place, entry)) => self.push_event(place, &entry.head(), &entry.said()?)?,
        }
        Ok(())
    }

    #[inline]
    fn push_event(&mut self, place: u32, head: &Head, said: &[u8]) -> rusqlite::Result<()> {
        let Some((place, face, whom)) = self.named.of(place, head) else {
            // Only a fault of ours could have written that; what came after it has to be entered all the same.
            tracing::error!(id = head.id, "a record names nobody");
            return Ok(());
        };
        self.push_entry(place, &Head { id: head.id, kind: head.kind, face, whom }, said)
    }

    fn place(&mut self, place: &Place<'_>) -> rusqlite::Result<(i64, bool)> {
        let Place { history, room, ref parties } = *place;
        Ok((self.known.history(self.change, history, room, parties)?, !room.is_empty()))
    }

    #[inline]
    fn push_entry(
        &mut self,
        (history, is_room): (i64, bool),
        head: &Head,
        said: &[u8],
    ) -> rusqlite::Result<()> {
        if is_room {
            self.expiry.note(history);
        }
        self.last = self.last.max(EventId::from_bits(head.id));
        self.blocks.push(history, head, said)
    }

    /// What changes what is there already comes after what was taken before it.
    pub(crate) fn change(
        &mut self,
        act: impl FnOnce(&Connection, &mut Known) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        self.blocks.enter(self.change)?;
        act(self.change, self.known)
    }

    /// Ends; nothing up to the last needs to be looked for in the log any more.
    pub(crate) fn end(self) -> rusqlite::Result<()> {
        self.blocks.enter(self.change)?;
        if self.last > EventId::default() {
            let mut note = self
                .change
                .prepare_cached("UPDATE note SET value = max(value, ?1) WHERE key = 'entered_upto'")?;
            note.execute([self.last.bits().cast_signed()])?;
        }
        Ok(())
    }
}

/// Up to which event everything that was ever in the log is in the database.
pub(crate) fn entered_upto(db: &Connection) -> rusqlite::Result<EventId> {
    let upto = note(db, "entered_upto")?;
    Ok(EventId::from_bits(upto.cast_unsigned()))
}

/// The number by which its log knows a database.
pub(crate) fn log_number(db: &Connection) -> rusqlite::Result<i64> {
    note(db, "log")
}

fn note(db: &Connection, key: &str) -> rusqlite::Result<i64> {
    db.query_row("SELECT value FROM note WHERE key = ?1", [key], |row| row.get(0))
}

impl Known {
    /// The number of a history; it gets one if it has none.
    pub(crate) fn history(
        &mut self,
        change: &Connection,
        key: &str,
        name: &str,
        parties: &[&str],
    ) -> rusqlite::Result<i64> {
        if let Some(id) = self.histories.get(key) {
            return Ok(*id);
        }
        let found = change.query_row("SELECT id FROM history WHERE key = ?1", [key], |row| row.get(0));
        let id = match found.optional()? {
            Some(id) => id,
            None => {
                change.execute("INSERT INTO history (key, name) VALUES (?1, ?2)", [key, name])?;
                let id = change.last_insert_rowid();
                for party in parties {
                    change.execute(
                        "INSERT OR IGNORE INTO party (party, history) VALUES (?1, ?2)",
                        params![party, id],
                    )?;
                }
                id
            }
        };
        self.histories.insert(key.into(), id);
        Ok(id)
    }

    /// The number of a person as it looked; it gets one if it has none that is remembered.
    pub(crate) fn face(&mut self, change: &Connection, face: &Face<'_>) -> rusqlite::Result<i64> {
        let Face { name, nick, username, host, account, dialect, bot } = *face;
        self.scratch.clear();
        for part in [name, nick, username, host, account, dialect, if bot { "bot" } else { "" }] {
            self.scratch.push_str(part);
            // In none of them.
            self.scratch.push('\n');
        }
        if let Some(id) = self.faces.get(self.scratch.as_str()) {
            return Ok(*id);
        }
        // Another may look the same from a while ago: that costs less than to look for it.
        let mut insert = change.prepare_cached(
            "INSERT INTO face (name, nick, username, host, account, dialect, bot) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        let id = insert.insert((name, nick, username, host, account, dialect, bot))?;
        self.faces.insert(self.scratch.as_str().into(), id);
        Ok(id)
    }

    /// Histories have other keys.
    pub(crate) fn forget_histories(&mut self) {
        self.histories.clear();
    }

    /// Numbers may be others'.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    /// So that it doesn't grow for ever.
    pub(crate) fn forget_some(&mut self) {
        if self.histories.len() > REMEMBERED_MAX {
            self.histories.clear();
        }
        if self.faces.len() > REMEMBERED_MAX {
            self.faces.clear();
        }
    }
}
