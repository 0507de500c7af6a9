//! What the database has of people and histories.

use hub::EventId;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::block::no_block;
use crate::numbers::FaceNumbers;
use crate::record::Face;

/// People and histories that are remembered; beyond that they are looked up again.
const REMEMBERED_MAX: usize = 16 * 1024;

/// Enters a face. It may be there, and forgotten here.
const INSERT_FACE: &str = "INSERT OR IGNORE INTO face (id, name, nick, username, host, account, dialect, bot) \
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

/// Numbers of histories, and faces that are there.
#[derive(Debug)]
pub(crate) struct Known {
    histories: FxHashMap<Box<str>, i64>,
    faces: FxHashSet<i64>,
    given: FaceNumbers,
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
    /// Of what a database has.
    pub(crate) fn of(db: &Connection) -> rusqlite::Result<Self> {
        let last = db.query_row("SELECT ifnull(max(id), 0) FROM face", [], |row| row.get(0))?;
        let (histories, faces) = (FxHashMap::default(), FxHashSet::default());
        Ok(Self { histories, faces, given: FaceNumbers::after(last) })
    }

    /// Who else may give numbers to faces.
    pub(crate) fn face_numbers(&self) -> FaceNumbers {
        self.given.clone()
    }

    /// A number for a face that has none.
    pub(crate) fn new_face(&self) -> i64 {
        self.given.give()
    }

    /// Whether a number is one of those that [`Known::retire_faces`] was about.
    pub(crate) fn is_retired(&self, number: i64) -> bool {
        self.given.is_retired(number)
    }

    /// Faces go, and perhaps come back: not with the numbers that they have.
    pub(crate) fn retire_faces(&self) {
        self.given.retire();
    }

    /// The number of a history; it gets one if it has none.
    pub(crate) fn history(
        &mut self,
        change: &Connection,
        key: &str,
        name: &str,
        parties: &[impl AsRef<str>],
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
                        params![party.as_ref(), id],
                    )?;
                }
                id
            }
        };
        self.histories.insert(key.into(), id);
        Ok(id)
    }

    /// Sees to it that a face is there, as [`Face::append`] wrote it. `insert` is there from the first that wasn't.
    pub(crate) fn see_to_face<'c>(
        &mut self,
        change: &'c Connection,
        insert: &mut Option<CachedStatement<'c>>,
        number: i64,
        look: &[u8],
    ) -> rusqlite::Result<()> {
        if self.faces.contains(&number) {
            return Ok(());
        }
        let insert = match insert {
            Some(insert) => insert,
            None => insert.insert(change.prepare_cached(INSERT_FACE)?),
        };
        let Face { name, nick, username, host, account, dialect, bot } =
            Face::read(look).map_err(no_block)?;
        insert.execute(params![number, name, nick, username, host, account, dialect, bot])?;
        self.faces.insert(number);
        Ok(())
    }

    /// Histories have other keys.
    pub(crate) fn forget_histories(&mut self) {
        self.histories.clear();
    }

    /// What was entered is taken back.
    pub(crate) fn forget(&mut self) {
        self.histories.clear();
        self.faces.clear();
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
