//! How long things are kept: what is too old, and what a room has too much of, goes in small steps.

use std::collections::VecDeque;

use hub::EventId;
use rusqlite::{Connection, OptionalExtension as _, params};
use rustc_hash::FxHashMap;

use crate::record::Record;
use crate::writer::remove;
use crate::{StoreError, Writer};

/// Messages that one step removes at most: nobody may wait long.
const REMOVED_AT_ONCE: i64 = 50;
/// Messages that one step counts at most.
const COUNTED_AT_ONCE: i64 = 10_000;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// How much of the past is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// For so many days; 0: for ever.
    pub days: u32,
    /// So many messages of each room, the latest; 0: all.
    pub messages_per_room: usize,
}

/// What there is to do about it.
#[derive(Debug, Default)]
pub(crate) struct Expiry {
    retention: Retention,
    /// By how much rooms have grown since they were looked at.
    grown: FxHashMap<String, usize>,
    /// Rooms to look at.
    due: VecDeque<i64>,
    /// The one that is looked at.
    walk: Option<Walk>,
    /// All rooms that there were at the start are due, or were.
    begun: bool,
}

/// A room's messages are counted from the latest on, until there are too many.
#[derive(Debug)]
struct Walk {
    history: i64,
    /// Those before this aren't counted yet.
    before: i64,
    /// How many more may stay.
    left: i64,
}

impl Expiry {
    /// Something is going to be entered.
    pub(crate) fn note(&mut self, record: &Record<'_>) {
        let Record { history, room, .. } = *record;
        if self.retention.messages_per_room > 0 && !room.is_empty() {
            match self.grown.get_mut(history) {
                Some(count) => *count += 1,
                None => drop(self.grown.insert(history.to_owned(), 1)),
            }
        }
    }

    /// Which room to look at next. One that has grown by less than a hundredth can wait.
    fn next(&mut self, db: &Connection) -> rusqlite::Result<Option<i64>> {
        if !self.begun {
            let mut rooms = db.prepare("SELECT id FROM history WHERE key GLOB '[#]*'")?;
            self.due = rooms.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            self.begun = true;
        } else if self.due.is_empty() {
            let enough = (self.retention.messages_per_room / 100).max(1);
            let mut find = db.prepare_cached("SELECT id FROM history WHERE key = ?1")?;
            for (key, _) in self.grown.extract_if(|_, count| *count >= enough) {
                self.due.extend(find.query_row([key], |row| row.get::<_, i64>(0)).optional()?);
            }
        }
        Ok(self.due.pop_front())
    }
}

impl Writer {
    /// Says how much is kept from now on.
    pub fn set_retention(&mut self, retention: Retention) {
        self.expiry = Expiry { retention, ..Expiry::default() };
    }

    /// Removes some of what isn't to be kept any longer; whether there may be more. A step is short.
    ///
    /// # Errors
    /// As the disk has it.
    pub fn expire(&mut self, now_ms: u64) -> Result<bool, StoreError> {
        let Retention { days, messages_per_room } = self.expiry.retention;
        if days > 0 {
            let oldest = EventId::first_of(now_ms.saturating_sub(u64::from(days) * DAY_MS));
            let removed = self.remove_some(
                "SELECT id FROM event WHERE id < ?1 ORDER BY id LIMIT ?2",
                params![oldest.bits().cast_signed(), REMOVED_AT_ONCE],
            )?;
            if removed > 0 {
                return Ok(true);
            }
        }
        if messages_per_room == 0 {
            return Ok(false);
        }
        let walk = match self.expiry.walk.take() {
            Some(walk) => walk,
            None => match self.expiry.next(&self.db)? {
                Some(history) => {
                    let left = i64::try_from(messages_per_room).unwrap_or(i64::MAX);
                    Walk { history, before: i64::MAX, left }
                }
                None => return Ok(false),
            },
        };
        self.expiry.walk = self.walk_on(walk)?;
        Ok(true)
    }

    /// Counts on, or removes what is too much; `None` when the room is done.
    fn walk_on(&mut self, mut walk: Walk) -> Result<Option<Walk>, StoreError> {
        if walk.left == 0 {
            let removed = self.remove_some(
                "SELECT id FROM event WHERE history = ?1 AND id < ?2 ORDER BY id LIMIT ?3",
                params![walk.history, walk.before, REMOVED_AT_ONCE],
            )?;
            return Ok((removed > 0).then_some(walk));
        }
        let count = walk.left.min(COUNTED_AT_ONCE);
        let mut find = self.db.prepare_cached(
            "SELECT id FROM event WHERE history = ?1 AND id < ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3",
        )?;
        let last =
            find.query_row(params![walk.history, walk.before, count - 1], |row| row.get(0)).optional()?;
        let Some(last) = last else { return Ok(None) };
        (walk.before, walk.left) = (last, walk.left - count);
        Ok(Some(walk))
    }

    /// Removes the events that a query finds; how many.
    fn remove_some(&mut self, query: &str, bound: &[&dyn rusqlite::ToSql]) -> Result<usize, StoreError> {
        let change = self.db.transaction()?;
        let ids: Vec<i64> = {
            let mut find = change.prepare_cached(query)?;
            find.query_map(bound, |row| row.get(0))?.collect::<Result<_, _>>()?
        };
        remove(&change, &ids)?;
        change.commit()?;
        Ok(ids.len())
    }
}
