//! One person's data: given out, and erased.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use hub::{Card, Dialect, FormerFace, Party};
use rusqlite::{Connection, OptionalExtension as _, params};
use rustc_hash::FxHashSet;

use crate::block::{self, Entry};
use crate::{Reader, StoreError, Writer, schema};

/// How long the end of an erasing waits for readers.
const LOG_PATIENCE: Duration = Duration::from_millis(100);
/// Messages that are erased in one transaction, and those that are looked at for that.
const ERASED_AT_ONCE: usize = 200;
const LOOKED_AT_ONCE: usize = 20_000;

/// What was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Erased {
    /// Messages, topics and reactions.
    pub messages: u64,
    /// Conversations that nothing is left of.
    pub conversations: u64,
}

/// An erasing that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasing {
    party: Party,
    /// The numbers of the party's faces, as far as they are known.
    faces: FxHashSet<i64>,
    /// Those of them that others have written to.
    written_to: FxHashSet<i64>,
    /// Up to which block nothing is left.
    after: i64,
    is_done: bool,
    erased: Erased,
}

impl Erasing {
    /// Of what somebody has said ([`Writer::erase`]).
    #[must_use]
    pub fn of(party: Party) -> Self {
        Self {
            party,
            faces: FxHashSet::default(),
            written_to: FxHashSet::default(),
            after: -1,
            is_done: false,
            erased: Erased::default(),
        }
    }

    /// What is erased so far.
    #[must_use]
    pub fn erased(&self) -> Erased {
        self.erased
    }
}

impl Writer {
    /// Erases what somebody has said, everywhere: for an account, all that was said while logged in to it. What others
    /// have said stays, also to that person, but no longer says more of it than its name. So does the account itself,
    /// but not how far it has read.
    ///
    /// This takes as long as reading all that is kept, and longer.
    ///
    /// # Errors
    /// As the disk has it. Part may be erased then, and the rest when it is tried again.
    pub fn erase(&mut self, party: &Party) -> Result<Erased, StoreError> {
        let mut erasing = Erasing::of(party.clone());
        while self.erase_some(&mut erasing)? {}
        Ok(erasing.erased)
    }

    /// Erases a part of it; whether there is more. Between two parts other things can be kept.
    ///
    /// # Errors
    /// As the disk has it. The part can be tried again.
    pub fn erase_some(&mut self, erasing: &mut Erasing) -> Result<bool, StoreError> {
        if erasing.is_done {
            return Ok(false);
        }
        if erasing.faces.is_empty() {
            erasing.faces = faces(&self.db, &erasing.party)?;
        }
        if self.erase_messages(erasing)? {
            return Ok(true);
        }
        let faces = faces(&self.db, &erasing.party)?;
        if faces != erasing.faces {
            // Who is here has got another face meanwhile.
            (erasing.faces, erasing.after) = (faces, -1);
            return Ok(true);
        }
        // Numbers that are remembered may be those of faces that go.
        self.known.retire_faces();
        self.known.forget();
        erasing.erased.conversations += self.erase_traces(erasing)?;
        erasing.is_done = true;
        // The log still has the old pages. Whoever reads for long keeps it from being emptied; then they are written over
        // later, and nobody waits.
        self.db.busy_timeout(LOG_PATIENCE)?;
        let emptied = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        self.db.busy_timeout(schema::PATIENCE)?;
        emptied?;
        Ok(false)
    }

    /// Erases what was said in the next blocks; whether there were any.
    fn erase_messages(&mut self, erasing: &mut Erasing) -> Result<bool, StoreError> {
        let Erasing { faces, written_to, .. } = erasing;
        let change = self.db.transaction()?;
        let (mut looked_at, mut said, mut last) = (0, 0, None);
        let mut blocks = Vec::new();
        {
            let mut find =
                change.prepare_cached("SELECT first, events FROM block WHERE first > ?1 ORDER BY first")?;
            let mut rows = find.query([erasing.after])?;
            while said < ERASED_AT_ONCE
                && looked_at < LOOKED_AT_ONCE
                && let Some(row) = rows.next()?
            {
                let first = row.get(0)?;
                let before = said;
                let events: Vec<u8> = row.get(1)?;
                for entry in block::entries(first, &events) {
                    let entry = entry?;
                    looked_at += 1;
                    if faces.contains(&entry.face) {
                        said += 1;
                    } else {
                        written_to.extend(entry.whom.filter(|whom| faces.contains(whom)));
                    }
                }
                if said > before {
                    blocks.push(first);
                }
                last = Some(first);
            }
        }
        let mut erased = 0;
        for first in blocks {
            erased += block::remove(&change, first, |entry| faces.contains(&entry.face))? as u64;
        }
        change.commit()?;
        erasing.erased.messages += erased;
        erasing.after = last.unwrap_or(erasing.after);
        Ok(last.is_some())
    }

    /// Erases who took part in what, empty conversations, and what is known of the person; how many conversations.
    fn erase_traces(&mut self, erasing: &Erasing) -> Result<u64, StoreError> {
        let Erasing { party, faces, written_to, .. } = erasing;
        let change = self.db.transaction()?;
        const EMPTY: &str = "SELECT history FROM party WHERE party = ?1 \
             AND NOT EXISTS (SELECT 1 FROM block WHERE block.history = party.history)";
        let empty: Vec<i64> = {
            let mut find = change.prepare(EMPTY)?;
            find.query_map([party.as_str()], |row| row.get(0))?.collect::<Result<_, _>>()?
        };
        for history in &empty {
            change.execute("DELETE FROM party WHERE history = ?1", [history])?;
            change.execute("DELETE FROM history WHERE id = ?1", [history])?;
        }
        change.execute("DELETE FROM party WHERE party = ?1", [party.as_str()])?;
        for account in accounts(&change, party)? {
            change.execute("DELETE FROM seen WHERE account = ?1", [account])?;
            change.execute("DELETE FROM marker WHERE account = ?1", [account])?;
        }
        for face in faces.difference(written_to) {
            change.execute("DELETE FROM face WHERE id = ?1", [face])?;
        }
        for face in written_to {
            change.execute("UPDATE face SET username = '', host = '', account = '' WHERE id = ?1", [face])?;
        }
        change.commit()?;
        Ok(empty.len() as u64)
    }
}

impl Reader {
    /// Writes what there is of somebody: the account, what it has said anywhere, and its conversations with what others
    /// said in them. A line of JSON each, oldest first; how many.
    ///
    /// # Errors
    /// As the disk has it, or whoever takes it.
    pub fn export(&mut self, party: &Party, out: &mut dyn Write) -> Result<u64, StoreError> {
        let mut count = 0;
        for account in accounts(&self.db, party)? {
            let line: String = self.db.query_row(ACCOUNT, [account], |row| row.get(0))?;
            writeln!(out, "{line}").map_err(StoreError::Output)?;
            count += 1;
        }
        // Blocks come in the order of their beginnings: what is of before the next one's can be written.
        let (faces, conversations) = (faces(&self.db, party)?, conversations(&self.db, party)?);
        let (mut event, mut lines) = (self.db.prepare(EVENT)?, BTreeMap::new());
        let mut write = |line: String| {
            count += 1;
            writeln!(out, "{line}").map_err(StoreError::Output)
        };
        let mut find = self.db.prepare("SELECT first, history, events FROM block ORDER BY first")?;
        let mut blocks = find.query([])?;
        while let Some(row) = blocks.next()? {
            let (first, history, events): (i64, i64, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            while let Some(oldest) = lines.first_entry().filter(|oldest| *oldest.key() < first) {
                write(oldest.remove())?;
            }
            for entry in block::entries(first, &events) {
                let Entry { id, kind, face, whom, text, tags, .. } = entry?;
                if faces.contains(&face) || conversations.contains(&history) {
                    let id = id.cast_signed();
                    let bound = params![id, history, face, whom, kind, text, tags];
                    let line: Option<String> = event.query_row(bound, |row| row.get(0)).optional()?;
                    lines.extend(line.map(|line| (id, line)));
                }
            }
        }
        lines.into_values().try_for_each(write)?;
        out.flush().map_err(StoreError::Output)?;
        Ok(count)
    }
}

/// An event: its id, its history, who has said it to whom, its kind, text and tags.
const EVENT: &str = "SELECT json_object(
    'id', format('%016x', ?1),
    'time', strftime('%Y-%m-%dT%H:%M:%fZ', (?1 >> 20) / 1000.0, 'unixepoch'),
    'room', iif(history.key GLOB '[#]*', history.name, NULL),
    'to', t.name,
    'from', f.name, 'nick', f.nick, 'username', f.username, 'host', f.host,
    'account', nullif(f.account, ''), 'protocol', f.dialect,
    'kind', CASE ?5 WHEN 3 THEN 'notice' WHEN 4 THEN 'action' WHEN 5 THEN 'tags' WHEN 6 THEN 'topic' ELSE 'message' END,
    'text', ?6, 'tags', ?7)
  FROM history JOIN face f ON f.id = ?3 LEFT JOIN face t ON t.id = ?4 WHERE history.id = ?2";

/// An account, but for its secrets.
const ACCOUNT: &str = "SELECT json_object(
    'account', name,
    'since', strftime('%Y-%m-%dT%H:%M:%fZ', since_ms / 1000.0, 'unixepoch'),
    'certificates', json((SELECT json_group_array(lower(hex(fingerprint))) FROM certificate c WHERE c.account = account.id)),
    'app_passwords', json((SELECT json_group_array(label) FROM app_password p WHERE p.account = account.id)),
    'devices', json((SELECT json_group_array(DISTINCT device) FROM seen s WHERE s.account = account.id)),
    'read', json((SELECT json_group_object(place, strftime('%Y-%m-%dT%H:%M:%fZ', read_ms / 1000.0, 'unixepoch'))
      FROM marker m WHERE m.account = account.id)))
  FROM account WHERE id = ?1";

/// The numbers of somebody's accounts: one or none.
fn accounts(db: &Connection, party: &Party) -> rusqlite::Result<Vec<i64>> {
    let mut find = db.prepare("SELECT id, name FROM account")?;
    let rows = find.query_map([], |row| Ok((row.get(0)?, Party::of_account(row.get_ref(1)?.as_str()?))))?;
    let mine =
        |row: &rusqlite::Result<(i64, Party)>| row.as_ref().map_or(true, |(_, account)| account == party);
    rows.filter(mine).map(|row| row.map(|(id, _)| id)).collect()
}

/// The numbers of the conversations that somebody takes part in.
fn conversations(db: &Connection, party: &Party) -> rusqlite::Result<FxHashSet<i64>> {
    let mut find = db.prepare("SELECT history FROM party WHERE party = ?1")?;
    find.query_map([party.as_str()], |row| row.get(0))?.collect()
}

/// The numbers of somebody's faces.
fn faces(db: &Connection, party: &Party) -> rusqlite::Result<FxHashSet<i64>> {
    let mut find = db.prepare("SELECT id, name, account FROM face")?;
    let rows = find.query_map([], |row| {
        let account: String = row.get(2)?;
        let card = Card::former(FormerFace {
            name: row.get(1)?,
            nick: String::new(),
            username: String::new(),
            host: String::new(),
            account: (!account.is_empty()).then_some(account),
            dialect: Dialect::Irc,
            bot: false,
        });
        Ok((row.get::<_, i64>(0)?, Party::of(&card)))
    })?;
    let mine = |row: &rusqlite::Result<(i64, Party)>| row.as_ref().map_or(true, |(_, face)| face == party);
    rows.filter(mine).map(|row| row.map(|(id, _)| id)).collect()
}
