//! What a conversation had within a moment, in one row of the database: many events at a time cost little more than one,
//! to enter them and to find them.

use std::borrow::Cow;
use std::ops::{ControlFlow, RangeInclusive};
use std::thread;

use hub::EventId;
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension as _, Result, params};
use serde::{Deserialize, Serialize};

use crate::append::Writer;
use crate::row::kind;
use crate::schema::PAGE_BYTES;

/// Events of a block at most: who looks for one reads no more.
const EVENTS_MAX: u32 = 200;
/// Bytes of a block at most, unless it has but one event: with the rest of its row it has room in one page of the database,
/// and fills it.
const BYTES_MAX: usize = PAGE_BYTES as usize - 72;
/// Bytes of an id in a block at most.
const ID_MAX: usize = 10;
/// From the first event of a block to its last, in milliseconds: it ends with its age.
const SPAN_MAX_MS: u64 = 60_000;
/// Empty blocks that are kept to be used again.
const SPARE_MAX: usize = 128;
/// Blocks that are entered in one go: who shares a core with this is let in between, and doesn't wait for all of them.
const YIELDS_EVERY: usize = 2;
/// Events whose words are entered in one go: these take longer.
const WORDS_YIELDS_EVERY: usize = 2;
/// With more than so many, which is what a lot of the commit log has at most, it is behind, and hurries.
const YIELDS_MAX: usize = 300;

/// An event as a block has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry<'e> {
    /// In the block it is counted from the first's.
    pub(crate) id: u64,
    pub(crate) kind: u8,
    /// The number of who has said it.
    pub(crate) face: i64,
    /// The number of whom it was said to, if it was one.
    pub(crate) whom: Option<i64>,
    pub(crate) text: &'e str,
    pub(crate) tags: Option<&'e str>,
    #[serde(borrow)]
    pub(crate) seams: Option<Cow<'e, str>>,
}

impl Entry<'_> {
    /// Whether it is something said: of that there are words.
    pub(crate) fn is_said(&self) -> bool {
        self.kind <= kind::LAST_SAID
    }

    /// Writes all but the id: the same in the log and in a block, and it goes from one into the other as it is.
    #[inline(always)]
    pub(crate) fn write_said(&self, writer: &mut Writer<'_>) {
        let Self { id: _, kind, face, whom, text, tags, ref seams } = *self;
        writer.byte(kind);
        writer.signed(face);
        writer.option(whom, Writer::signed);
        writer.text(text);
        writer.option(tags, Writer::text);
        writer.option(seams.as_deref(), Writer::text);
    }

    /// The same behind some bytes.
    pub(crate) fn append_said(&self, bytes: &mut Vec<u8>) {
        let mut writer = Writer::new(bytes);
        self.write_said(&mut writer);
        writer.flush();
    }

    /// The same in bytes of its own.
    pub(crate) fn said(&self) -> Vec<u8> {
        let mut said = Vec::new();
        self.append_said(&mut said);
        said
    }

    /// The id as the database counts.
    pub(crate) fn number(&self) -> i64 {
        self.id.cast_signed()
    }
}

/// A block that is put together.
#[derive(Debug, Default)]
struct Block {
    /// Of what: a history's number, or what will be one.
    place: i64,
    first: u64,
    last: u64,
    count: u32,
    bytes: Vec<u8>,
}

impl Block {
    fn begin(&mut self, place: i64, first: u64) {
        (self.place, self.first, self.last, self.count) = (place, first, first, 0);
        self.bytes.clear();
    }

    fn push(&mut self, id: u64, said: &[u8]) {
        self.last = id;
        self.count += 1;
        let mut writer = Writer::new(&mut self.bytes);
        writer.number(id - self.first);
        writer.flush();
        self.bytes.extend_from_slice(said);
    }

    /// Whether an event of the same history can come next.
    fn takes(&self, id: u64, said: &[u8]) -> bool {
        let ms = |id| EventId::from_bits(id).unix_ms();
        let is_full = self.count >= EVENTS_MAX || self.bytes.len() + ID_MAX + said.len() > BYTES_MAX;
        !is_full && id > self.last && ms(id) - ms(self.first) <= SPAN_MAX_MS
    }
}

/// What is to be entered, as blocks. Events of one history come in the order of their ids.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    /// Those in use, and behind them those to be used again.
    all: Vec<Block>,
    used: usize,
}

impl Blocks {
    /// Takes an event: its id, and what [`Entry::append_said`] wrote. Which block is the last of its place is the caller's
    /// to remember; in another lot it is none.
    #[inline]
    pub(crate) fn push(&mut self, place: i64, last: &mut Option<u32>, id: u64, said: &[u8]) {
        if let Some(block) = last.and_then(|last| self.all.get_mut(last as usize))
            && block.takes(id, said)
        {
            return block.push(id, said);
        }
        if self.used == self.all.len() {
            self.all.push(Block::default());
        }
        let Some(block) = self.all.get_mut(self.used) else { return };
        block.begin(place, id);
        block.push(id, said);
        *last = u32::try_from(self.used).ok();
        self.used += 1;
    }

    /// How many events there are of each place, in parts.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (i64, u32)> {
        self.in_use().iter().map(|block| (block.place, block.count))
    }

    /// Enters them, each in the history that its place stands for.
    pub(crate) fn enter(&self, change: &Connection, history: impl Fn(i64) -> Result<i64>) -> Result<()> {
        let mut insert = change.prepare_cached(
            "INSERT INTO block (first, history, last, count, events) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        let mut blocks: Vec<&Block> = self.in_use().iter().collect();
        // What comes last in the database is added at its end.
        blocks.sort_unstable_by_key(|block| block.first);
        for (number, Block { place, first, last, count, bytes }) in blocks.into_iter().enumerate() {
            if number % YIELDS_EVERY == 0 && self.used <= YIELDS_MAX {
                thread::yield_now();
            }
            let history = history(*place)?;
            insert.execute(params![first.cast_signed(), history, last.cast_signed(), count, bytes])?;
        }
        Ok(())
    }

    /// Gives faces other numbers.
    pub(crate) fn renumber(&mut self, face: impl Fn(i64) -> i64) -> Result<()> {
        for block in self.all.get_mut(..self.used).unwrap_or_default() {
            let before = std::mem::take(&mut block.bytes);
            let (place, first) = (block.place, block.first);
            block.begin(place, first);
            for entry in entries(first.cast_signed(), &before) {
                let entry = entry?;
                let said = Entry { face: face(entry.face), whom: entry.whom.map(&face), ..entry }.said();
                block.push(entry.id, &said);
            }
        }
        Ok(())
    }

    /// Forgets them.
    pub(crate) fn clear(&mut self) {
        self.used = 0;
        self.all.truncate(SPARE_MAX);
    }

    fn in_use(&self) -> &[Block] {
        self.all.get(..self.used).unwrap_or_default()
    }
}

/// The events of a block.
pub(crate) fn entries(first: i64, bytes: &[u8]) -> impl Iterator<Item = Result<Entry<'_>>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let read = postcard::take_from_bytes::<Entry<'_>>(rest);
        Some(read.map_err(no_block).map(|(entry, behind)| {
            rest = behind;
            Entry { id: entry.id.wrapping_add(first.cast_unsigned()), ..entry }
        }))
    })
    // What makes no sense has no end either.
    .scan(false, |ended, entry| {
        let is_after = std::mem::replace(ended, entry.is_err());
        (!is_after).then_some(entry)
    })
}

/// What makes no sense.
pub(crate) fn no_block(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::FromSqlConversionFailure(0, Type::Blob, error.into())
}

/// Goes through a history's events between two ids, both included, from one end on, for as long as it may go on.
pub(crate) fn walk(
    db: &Connection,
    history: i64,
    ids: &RangeInclusive<i64>,
    from_end: bool,
    mut visit: impl FnMut(Entry<'_>) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let (low, high) = (*ids.start(), *ids.end());
    let mut find = db.prepare_cached(if from_end {
        "SELECT first, events FROM block WHERE history = ?1 AND first <= ?3 ORDER BY first DESC"
    } else {
        "SELECT first, events FROM block WHERE history = ?1 AND first <= ?3 AND first >= \
         ifnull((SELECT max(first) FROM block WHERE history = ?1 AND first <= ?2), 0) ORDER BY first"
    })?;
    let mut rows = find.query(params![history, low, high])?;
    while let Some(row) = rows.next()? {
        let (first, bytes) = (row.get(0)?, row.get_ref(1)?.as_blob()?);
        let mut found = entries(first, bytes).collect::<Result<Vec<_>>>()?;
        if from_end {
            found.reverse();
        }
        for entry in found {
            let id = entry.number();
            if from_end && id < low {
                return Ok(());
            }
            if ids.contains(&id) && visit(entry)?.is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// In which block of a history an event is, if it is there.
pub(crate) fn of(db: &Connection, history: i64, event: i64) -> Result<Option<i64>> {
    let mut find = db.prepare_cached("SELECT max(first) FROM block WHERE history = ?1 AND first <= ?2")?;
    find.query_row(params![history, event], |row| row.get(0))
}

/// Removes events of a block, and their words; how many. Those that go are in the order of their ids.
pub(crate) fn remove(
    change: &Connection,
    first: i64,
    mut goes: impl FnMut(&Entry<'_>) -> bool,
) -> Result<usize> {
    let mut find = change.prepare_cached("SELECT history, events FROM block WHERE first = ?1")?;
    let found = find.query_row([first], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)));
    let Some((history, bytes)) = found.optional()? else { return Ok(0) };
    let mut left = Block::default();
    left.begin(history, first.cast_unsigned());
    let mut gone = Vec::new();
    for entry in entries(first, &bytes) {
        let entry = entry?;
        if goes(&entry) {
            gone.push(entry);
        } else {
            left.push(entry.id, &entry.said());
        }
    }
    let Some(newest) = gone.last() else { return Ok(0) };
    // Ids must not be given again, even if this was the last.
    let mut note =
        change.prepare_cached("UPDATE note SET value = max(value, ?1) WHERE key = 'last_event'")?;
    note.execute([newest.number()])?;
    remove_words(change, first, &gone)?;
    if left.count == 0 {
        change.prepare_cached("DELETE FROM block WHERE first = ?1")?.execute([first])?;
    } else {
        let mut update =
            change.prepare_cached("UPDATE block SET last = ?2, count = ?3, events = ?4 WHERE first = ?1")?;
        update.execute(params![first, left.last.cast_signed(), left.count, left.bytes])?;
    }
    Ok(gone.len())
}

/// Enters the words of some events, in the blocks that come next; whether there were any.
pub(crate) fn enter_words(change: &Connection, events: u32) -> Result<bool> {
    let upto = words_upto(change)?;
    let mut next = change
        .prepare_cached("SELECT first, history, count, events FROM block WHERE first > ?1 ORDER BY first")?;
    let mut words = change.prepare_cached("INSERT INTO words (rowid, text) VALUES (?1, ?2)")?;
    let mut said = change.prepare_cached("INSERT INTO said (event, history) VALUES (?1, ?2)")?;
    let (mut entered, mut end) = (0, None);
    let mut rows = next.query([upto])?;
    while let Some(row) = rows.next()? {
        let (first, history, count): (i64, i64, u32) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if entered > 0 && entered + count > events {
            break;
        }
        for (number, entry) in entries(first, row.get_ref(3)?.as_blob()?).enumerate() {
            let entry = entry?;
            if number % WORDS_YIELDS_EVERY == WORDS_YIELDS_EVERY - 1 {
                thread::yield_now();
            }
            if entry.is_said() {
                words.execute(params![entry.number(), entry.text])?;
                said.execute([entry.number(), history])?;
            }
        }
        (entered, end) = (entered + count, Some(first));
    }
    if let Some(end) = end {
        change.execute("UPDATE note SET value = ?1 WHERE key = 'words_upto'", [end])?;
    }
    Ok(end.is_some())
}

/// Up to which block words are entered.
fn words_upto(db: &Connection) -> Result<i64> {
    let mut find = db.prepare_cached("SELECT value FROM note WHERE key = 'words_upto'")?;
    find.query_row([], |row| row.get(0))
}

/// Of blocks that came later no word was entered.
fn remove_words(change: &Connection, first: i64, gone: &[Entry<'_>]) -> Result<()> {
    if first > words_upto(change)? {
        return Ok(());
    }
    let mut words =
        change.prepare_cached("INSERT INTO words (words, rowid, text) VALUES ('delete', ?1, ?2)")?;
    let mut said = change.prepare_cached("DELETE FROM said WHERE event = ?1")?;
    for entry in gone.iter().filter(|entry| entry.is_said()) {
        words.execute(params![entry.number(), entry.text])?;
        said.execute([entry.number()])?;
    }
    Ok(())
}

/// Looks whether every block is what it says it is; what the first that isn't is not.
pub(crate) fn check(db: &Connection) -> Result<Option<String>> {
    let mut find = db.prepare("SELECT first, last, count, events FROM block")?;
    let mut rows = find.query([])?;
    while let Some(row) = rows.next()? {
        let (first, last, count): (i64, i64, u32) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let read = row.get_ref(3)?.as_blob().map_err(Error::from).and_then(|events| {
            let ids = entries(first, events).map(|entry| entry.map(|entry| entry.number()));
            ids.collect::<Result<Vec<i64>>>()
        });
        let is_sound = read.is_ok_and(|ids| {
            ids.len() == count as usize
                && ids.is_sorted_by(|one, next| one < next)
                && ids.first().is_some_and(|id| *id >= first)
                && ids.last() == Some(&last)
        });
        if !is_sound {
            return Ok(Some(format!("the events from {first:016x} on make no sense")));
        }
    }
    Ok(None)
}

/// Makes blocks of events that are a row each, as they were up to version 7.
pub(crate) fn of_rows(change: &Connection) -> Result<()> {
    let upto = words_upto(change)?;
    let mut find = change
        .prepare("SELECT id, kind, face, whom, text, tags, seams, history FROM event ORDER BY history, id")?;
    let mut rows = find.query([])?;
    let mut blocks = Blocks::default();
    let (mut before, mut last) = (None, None);
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let history = row.get(7)?;
        // A block has all of its words entered or none; and there may be more than the memory holds.
        let now = Some((history, id > upto));
        if std::mem::replace(&mut before, now) != now || blocks.used == SPARE_MAX {
            blocks.enter(change, Ok)?;
            blocks.clear();
            last = None;
        }
        let entry = Entry {
            id: id.cast_unsigned(),
            kind: row.get(1)?,
            face: row.get(2)?,
            whom: row.get(3)?,
            text: row.get_ref(4)?.as_str()?,
            tags: row.get_ref(5)?.as_str_or_null()?,
            seams: row.get_ref(6)?.as_str_or_null()?.map(Cow::Borrowed),
        };
        blocks.push(history, &mut last, entry.id, &entry.said());
    }
    blocks.enter(change, Ok)?;
    // Only now: an event refers to its faces for as long as it is there.
    change.execute_batch("DROP TABLE event; DROP TABLE face; ALTER TABLE looks RENAME TO face")
}
