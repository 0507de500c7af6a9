//! One person's data: given out, and erased.

use std::io::Write;
use std::time::Duration;

use hub::{Card, Dialect, FormerFace, Party};
use rusqlite::{Connection, params};

use crate::writer::remove;
use crate::{Reader, StoreError, Writer, schema};

/// How long the end of an erasing waits for readers.
const LOG_PATIENCE: Duration = Duration::from_millis(100);
/// Messages that are erased in one transaction.
const ERASED_AT_ONCE: i64 = 200;

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
    faces: String,
    /// Up to which event nothing is left.
    after: i64,
    is_done: bool,
    erased: Erased,
}

impl Erasing {
    /// Of what somebody has said ([`Writer::erase`]).
    #[must_use]
    pub fn of(party: Party) -> Self {
        Self { party, faces: String::new(), after: 0, is_done: false, erased: Erased::default() }
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
        let change = self.db.transaction()?;
        let ids: Vec<i64> = {
            let mut find = change.prepare_cached(
                "SELECT id FROM event WHERE id > ?1 AND face IN (SELECT value FROM json_each(?2)) \
                 ORDER BY id LIMIT ?3",
            )?;
            let bound = params![erasing.after, erasing.faces, ERASED_AT_ONCE];
            let found = find.query_map(bound, |row| row.get(0))?;
            found.collect::<Result<_, _>>()?
        };
        remove(&change, &ids)?;
        change.commit()?;
        erasing.erased.messages += ids.len() as u64;
        if let Some(last) = ids.last() {
            erasing.after = *last;
            return Ok(true);
        }
        let faces = faces(&self.db, &erasing.party)?;
        if faces != erasing.faces {
            // Who is here has got another face meanwhile.
            (erasing.faces, erasing.after) = (faces, 0);
            return Ok(true);
        }
        // Numbers that are remembered may be those of faces that go.
        self.known.forget();
        erasing.erased.conversations += self.erase_traces(&erasing.party, &faces)?;
        erasing.is_done = true;
        // The log still has the old pages. Whoever reads for long keeps it from being emptied; then they are written over
        // later, and nobody waits.
        self.db.busy_timeout(LOG_PATIENCE)?;
        let emptied = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        self.db.busy_timeout(schema::PATIENCE)?;
        emptied?;
        Ok(false)
    }

    /// Erases who took part in what, empty conversations, and what is known of the person; how many conversations.
    fn erase_traces(&mut self, party: &Party, faces: &str) -> Result<u64, StoreError> {
        let change = self.db.transaction()?;
        const EMPTY: &str = "SELECT history FROM party WHERE party = ?1 \
             AND NOT EXISTS (SELECT 1 FROM event WHERE event.history = party.history)";
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
        change.execute(
            "DELETE FROM face WHERE id IN (SELECT value FROM json_each(?1)) \
             AND id NOT IN (SELECT whom FROM event WHERE whom IS NOT NULL)",
            [faces],
        )?;
        // Those that were written to. One that would look like another stays as it is: then the other says the same.
        change.execute(
            "UPDATE OR IGNORE face SET username = '', host = '', account = '' \
             WHERE id IN (SELECT value FROM json_each(?1))",
            [faces],
        )?;
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
        let faces = faces(&self.db, party)?;
        let mut find = self.db.prepare(
            "SELECT json_object(
               'id', format('%016x', event.id),
               'time', strftime('%Y-%m-%dT%H:%M:%fZ', (event.id >> 20) / 1000.0, 'unixepoch'),
               'room', iif(history.key GLOB '[#]*', history.name, NULL),
               'to', t.name,
               'from', f.name, 'nick', f.nick, 'username', f.username, 'host', f.host,
               'account', nullif(f.account, ''), 'protocol', f.dialect,
               'kind', CASE event.kind WHEN 3 THEN 'notice' WHEN 4 THEN 'action' WHEN 5 THEN 'tags' WHEN 6 THEN 'topic'
                       ELSE 'message' END,
               'text', event.text, 'tags', event.tags)
             FROM event JOIN history ON history.id = event.history JOIN face f ON f.id = event.face
               LEFT JOIN face t ON t.id = event.whom
             WHERE event.face IN (SELECT value FROM json_each(?1))
               OR event.history IN (SELECT history FROM party WHERE party = ?2)
             ORDER BY event.id",
        )?;
        let mut rows = find.query(params![faces, party.as_str()])?;
        while let Some(row) = rows.next()? {
            let line = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            writeln!(out, "{line}").map_err(StoreError::Output)?;
            count += 1;
        }
        out.flush().map_err(StoreError::Output)?;
        Ok(count)
    }
}

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

/// The numbers of somebody's faces, as a JSON array.
fn faces(db: &Connection, party: &Party) -> rusqlite::Result<String> {
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
    let mut ids = Vec::new();
    for row in rows {
        let (id, face) = row?;
        if face == *party {
            ids.push(id.to_string());
        }
    }
    Ok(format!("[{}]", ids.join(",")))
}
