//! How long things are kept: what is too old, and what a room has too much of, goes in small steps.

use std::collections::VecDeque;

use hub::EventId;
use rusqlite::{Connection, params};
use rustc_hash::FxHashMap;

use crate::{StoreError, Writer, block};

/// Messages that one step removes at most: nobody may wait long.
const REMOVED_AT_ONCE: u32 = 50;
/// Blocks whose messages one step counts at most.
const COUNTED_AT_ONCE: i64 = 1_000;
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
    grown: FxHashMap<i64, usize>,
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
    /// Blocks before this aren't counted yet.
    before: i64,
    /// How many more may stay.
    left: i64,
    /// The oldest that stays, when it is known.
    oldest: Option<i64>,
}

impl Expiry {
    /// So much is going to be entered in a room.
    pub(crate) fn note(&mut self, room: i64, events: usize) {
        if self.retention.messages_per_room > 0 {
            *self.grown.entry(room).or_default() += events;
        }
    }

    /// What was going to be entered is not: rooms may have other numbers.
    pub(crate) fn begin_again(&mut self) {
        *self = Self { retention: self.retention, ..Self::default() };
    }

    /// Which room to look at next. One that has grown by less than a hundredth can wait.
    fn next(&mut self, db: &Connection) -> rusqlite::Result<Option<i64>> {
        if !self.begun {
            let mut rooms = db.prepare("SELECT id FROM history WHERE key GLOB '[#]*'")?;
            self.due = rooms.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            self.begun = true;
        } else if self.due.is_empty() {
            let enough = (self.retention.messages_per_room / 100).max(1);
            self.due.extend(self.grown.extract_if(|_, count| *count >= enough).map(|(room, _)| room));
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
            // A block goes when the last of it is too old, which is soon after the first.
            let oldest = oldest.bits().cast_signed();
            let blocks = "SELECT first, count FROM block WHERE first < ?1 AND last < ?1 ORDER BY first";
            if self.remove_some(blocks, params![oldest], oldest)? {
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
                    Walk { history, before: i64::MAX, left, oldest: None }
                }
                None => return Ok(false),
            },
        };
        self.expiry.walk = self.walk_on(walk)?;
        Ok(true)
    }

    /// Counts on, or removes what is too much; `None` when the room is done.
    fn walk_on(&mut self, mut walk: Walk) -> Result<Option<Walk>, StoreError> {
        if let Some(oldest) = walk.oldest {
            let blocks = "SELECT first, count FROM block WHERE history = ?2 AND first < ?1 ORDER BY first";
            let removed = self.remove_some(blocks, params![oldest, walk.history], oldest)?;
            return Ok(removed.then_some(walk));
        }
        let mut find = self.db.prepare_cached(
            "SELECT first, count FROM block WHERE history = ?1 AND first < ?2 ORDER BY first DESC LIMIT ?3",
        )?;
        let blocks = find.query_map(params![walk.history, walk.before, COUNTED_AT_ONCE], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        let blocks: Vec<(i64, i64)> = blocks.collect::<Result<_, _>>()?;
        if blocks.is_empty() {
            return Ok(None);
        }
        for (first, count) in blocks {
            walk.before = first;
            if count > walk.left {
                walk.oldest = Some(self.oldest_of(first, walk.left)?);
                break;
            }
            walk.left -= count;
        }
        Ok(Some(walk))
    }

    /// The oldest event that stays if so many of a block do.
    fn oldest_of(&self, first: i64, count: i64) -> Result<i64, StoreError> {
        let mut find = self.db.prepare_cached("SELECT events FROM block WHERE first = ?1")?;
        let events: Vec<u8> = find.query_row([first], |row| row.get(0))?;
        let ids = block::entries(first, &events).map(|entry| entry.map(|entry| entry.number()));
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        let stay = usize::try_from(count).unwrap_or(usize::MAX);
        let after = ids.last().map_or(first, |last| last + 1);
        Ok(ids.get(ids.len().saturating_sub(stay)).copied().unwrap_or(after))
    }

    /// Removes events before one from the blocks that a query finds; whether there were any.
    fn remove_some(
        &mut self,
        blocks: &str,
        bound: &[&dyn rusqlite::ToSql],
        before: i64,
    ) -> Result<bool, StoreError> {
        let change = self.db.transaction()?;
        let mut removed = 0;
        {
            let mut find = change.prepare_cached(blocks)?;
            let mut rows = find.query(bound)?;
            let mut found = Vec::new();
            let mut count = 0;
            while let Some(row) = rows.next()? {
                count += row.get::<_, u32>(1)?;
                if !found.is_empty() && count > REMOVED_AT_ONCE {
                    break;
                }
                found.push(row.get(0)?);
            }
            let mut left = REMOVED_AT_ONCE;
            for first in found {
                removed += block::remove(&change, first, |entry| {
                    let goes = left > 0 && entry.number() < before;
                    left -= u32::from(goes);
                    goes
                })?;
            }
        }
        change.commit()?;
        Ok(removed > 0)
    }
}
