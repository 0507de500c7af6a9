//! The one that writes.

use std::path::{Path, PathBuf};
use std::thread;

use hub::{Account, EventId, HistoryKey, Invitation, Kept, KeptRoom, Kind, Presence, RoomName, ServerBan};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::accounts;
use crate::bans;
use crate::block::{self, Blocks};
use crate::commit_log;
use crate::expire::Expiry;
use crate::invitations;
use crate::known::{Known, entered_upto, log_number};
use crate::lock::Lock;
use crate::lot::Lot;
use crate::numbers::Numbers;
use crate::record::Said;
use crate::rooms;
use crate::{Checkpointer, CommitLog, Durability, FILE_NAME, Reader, StoreError, schema};

/// Events whose words are entered in one go.
const WORDS_AT_ONCE: u32 = 100;

/// What a server that starts has to know.
#[derive(Debug)]
pub struct Boot {
    /// The last event that was kept.
    pub last_event: EventId,
    /// The accounts.
    pub accounts: Vec<Account>,
    /// What devices have been shown: account, device, place, event.
    pub seen: Vec<(String, String, String, EventId)>,
    /// Up to when accounts' owners have read: account, place, milliseconds since 1970.
    pub markers: Vec<(String, String, u64)>,
    /// Where users were that stay without any device.
    pub presences: Vec<Presence>,
    /// Registered rooms.
    pub rooms: Vec<KeptRoom>,
    /// Invitations.
    pub invitations: Vec<Invitation>,
    /// Which accounts may come into which rooms.
    pub welcomes: Vec<(String, HistoryKey)>,
    /// What nobody else knows, the same from one run to the next.
    pub secret: [u8; 32],
    /// From where nobody may come.
    pub bans: Vec<ServerBan>,
}

/// Keeps what is to be kept. There is one for each database: a lock in the folder sees to it.
#[derive(Debug)]
pub struct Writer {
    pub(crate) db: Connection,
    path: PathBuf,
    durability: Durability,
    pub(crate) known: Known,
    numbers: Numbers,
    /// What is kept without the log, on its way.
    lot: Lot,
    blocks: Blocks,
    pub(crate) expiry: Expiry,
    /// Held for as long as the writer is there.
    _lock: Lock,
}

impl Writer {
    /// Opens the database in a folder; makes both if they aren't there.
    ///
    /// # Errors
    /// If the folder can't be used, another server uses it, or what is there isn't what this program can read.
    pub fn open(folder: &Path, durability: Durability) -> Result<(Self, Boot), StoreError> {
        let lock = Lock::take(folder)?;
        let path = folder.join(FILE_NAME);
        let db = schema::open(&path, durability)?;
        let known = Known::of(&db).map_err(|error| StoreError::at(&path, error))?;
        let (lot, blocks, expiry) = (Lot::default(), Blocks::default(), Expiry::default());
        let numbers = Numbers::new(known.face_numbers());
        let mut writer = Self { db, path, durability, known, numbers, lot, blocks, expiry, _lock: lock };
        writer.enter_what_is_left(folder)?;
        let boot = writer.boot().map_err(|error| StoreError::at(&writer.path, error))?;
        Ok((writer, boot))
    }

    fn boot(&mut self) -> rusqlite::Result<Boot> {
        let last: i64 = self.db.query_row(
            "SELECT max(value) FROM note WHERE key IN ('last_event', 'entered_upto')",
            [],
            |row| row.get(0),
        )?;
        // Rooms don't outlast the process: of a closed one, the next of its name sees nothing.
        self.db.execute("UPDATE history SET begins = ?1 + 1, sealed = 0 WHERE sealed = 1", [last])?;
        Ok(Boot {
            last_event: EventId::from_bits(last.cast_unsigned()),
            accounts: accounts::all(&self.db)?,
            seen: accounts::all_seen(&self.db, last)?,
            markers: accounts::all_markers(&self.db)?,
            presences: accounts::all_presences(&self.db)?,
            rooms: rooms::all(&self.db)?,
            bans: bans::all(&self.db)?,
            invitations: invitations::all(&self.db)?,
            welcomes: invitations::all_welcomes(&self.db)?,
            secret: self
                .db
                .query_row("SELECT value FROM secret WHERE key = 'server'", [], |row| row.get(0))?,
        })
    }

    /// Enters what the last run has left in its log.
    fn enter_what_is_left(&mut self, folder: &Path) -> Result<(), StoreError> {
        let at = |error| StoreError::at(&self.path, error);
        let (number, upto) = (log_number(&self.db).map_err(at)?, entered_upto(&self.db).map_err(at)?);
        let mut left = Lot::default();
        let numbers = &mut self.numbers;
        commit_log::read(folder, number, upto, |record| left.push_record(numbers, record))?;
        numbers.begin_lot();
        if !left.is_empty() {
            self.enter(&left, [])?;
            tracing::info!(count = left.len(), "entered what the last run had kept in its log");
        }
        Ok(())
    }

    /// The log, which is empty: what was in it is entered. There is to be one at a time.
    ///
    /// # Errors
    /// As the disk has it.
    pub fn log(&self) -> Result<CommitLog, StoreError> {
        let number = log_number(&self.db).map_err(|error| StoreError::at(&self.path, error))?;
        let (folder, faces) = (self.path.parent().unwrap_or(Path::new("")), self.known.face_numbers());
        CommitLog::open(folder, self.durability, number, faces)
    }

    /// What its promises survive.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// Another connection, to look things up.
    ///
    /// # Errors
    /// As the database has it.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open(&self.path)
    }

    /// Another connection, to move what is in the log.
    ///
    /// # Errors
    /// As the database has it.
    pub fn checkpointer(&self) -> Result<Checkpointer, StoreError> {
        Checkpointer::open(&self.path, self.durability)
    }

    /// Keeps all of a batch, or nothing of it.
    ///
    /// # Errors
    /// As the disk has it. Trying again later may help.
    pub fn keep<'k>(&mut self, batch: impl IntoIterator<Item = &'k Kept>) -> Result<(), StoreError> {
        self.enter(&Lot::default(), batch)
    }

    /// Enters what is in the log and keeps a batch that came after it: all of it, or nothing.
    ///
    /// # Errors
    /// As the disk has it. Trying again later may help.
    pub fn enter<'k>(
        &mut self,
        logged: &Lot,
        batch: impl IntoIterator<Item = &'k Kept>,
    ) -> Result<(), StoreError> {
        let Self { db, known, numbers, lot, blocks, expiry, .. } = self;
        let done = all_or_nothing(db, |change| {
            logged.enter(change, known, blocks, expiry)?;
            for kept in batch {
                if let Some(said) = Said::of_kept(kept) {
                    lot.push_said(numbers, &said);
                    continue;
                }
                // It changes what is there, and that has to be there.
                lot.enter(change, known, blocks, expiry)?;
                lot.clear();
                numbers.begin_lot();
                change_by(change, known, kept)?;
            }
            lot.enter(change, known, blocks, expiry)
        });
        lot.clear();
        numbers.begin_lot();
        if done.is_err() {
            // Numbers that were given and taken back.
            known.forget();
            expiry.begin_again();
        } else {
            known.forget_some();
        }
        Ok(done?)
    }

    /// Enters the words of what was kept since, so that searches find it: a part of it at a time. Whether there is
    /// more.
    ///
    /// # Errors
    /// As the disk has it.
    pub fn index(&mut self) -> Result<bool, StoreError> {
        let change = self.db.transaction()?;
        let is_more = block::enter_words(&change, WORDS_AT_ONCE)?;
        thread::yield_now();
        change.commit()?;
        thread::yield_now();
        Ok(is_more)
    }

    /// Ends with everything in one file.
    ///
    /// # Errors
    /// As the disk has it; then it is in two, which is as good.
    pub fn close(self) -> Result<(), StoreError> {
        self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }

    /// A connection for [`Reader::check`], if the database is so large that it was not looked at when it was opened.
    ///
    /// # Errors
    /// As the database has it.
    pub fn unchecked(&self) -> Result<Option<Reader>, StoreError> {
        if schema::is_small(&self.path) { Ok(None) } else { self.reader().map(Some) }
    }
}

/// Does all of something or nothing. For each message there is at least a share of this, so its statements are prepared
/// once, which [`rusqlite::Transaction`]'s are not.
fn all_or_nothing(
    db: &Connection,
    act: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let done = act(db).and_then(|()| {
        // Of all that is done here this can't be interrupted for the longest.
        thread::yield_now();
        let done = db.prepare_cached("COMMIT")?.execute([]);
        thread::yield_now();
        done
    });
    // Some errors have taken everything back already.
    if done.is_err() && !db.is_autocommit() {
        db.execute_batch("ROLLBACK")?;
    }
    done.map(drop)
}

/// What changes what is there already.
fn change_by(change: &Connection, known: &mut Known, kept: &Kept) -> rusqlite::Result<()> {
    match kept {
        Kept::Event { whose, event } => {
            if let Kind::Redact { message, .. } = &event.kind {
                take_back(change, &whose.history(event), *message)?;
            }
        }
        Kept::HistoryRenamed { before, after, name } => {
            rename(change, known, (before, after), name)?;
            invitations::rename(change, before, after)?;
        }
        Kept::HistorySealed { history, name, sealed } => {
            let id = known.history(change, history.as_str(), name.as_str(), &[""; 0])?;
            change.execute("UPDATE history SET sealed = ?2 WHERE id = ?1", params![id, sealed])?;
        }
        Kept::Presence(presence) => accounts::presence(change, presence)?,
        Kept::Room(room) => rooms::keep(change, room)?,
        Kept::RoomGone(name) => rooms::forget(change, name)?,
        Kept::Account { account, .. } => accounts::keep(change, account)?,
        Kept::AccountGone(name) => accounts::forget(change, name)?,
        Kept::Seen { account, device, place, event } => {
            accounts::seen(change, (account, device, place), *event)?;
        }
        Kept::Marker { account, place, read_ms } => {
            accounts::marker(change, (account, place), *read_ms)?;
        }
        Kept::Banned(ban) => bans::set(change, ban)?,
        Kept::Unbanned(net) => bans::lift(change, *net)?,
        Kept::Invitation(invitation) => invitations::keep(change, invitation)?,
        Kept::InvitationGone(digest) => invitations::forget(change, digest)?,
        Kept::Welcome { account, room } => invitations::welcome(change, account, room)?,
        Kept::WelcomeGone { account, room } => invitations::unwelcome(change, account, room)?,
        Kept::WelcomesGone(room) => invitations::unwelcome_all(change, room)?,
        Kept::HistoryEnded { history, at } => {
            change.execute(
                "UPDATE history SET begins = ?2 + 1, sealed = 0 WHERE key = ?1",
                params![history.as_str(), at.bits().cast_signed()],
            )?;
        }
    }
    Ok(())
}

/// A message was taken back: it is gone, and its words.
fn take_back(change: &Connection, history: &HistoryKey, message: EventId) -> rusqlite::Result<()> {
    let mut find = change.prepare_cached("SELECT id FROM history WHERE key = ?1")?;
    let history = find.query_row([history.as_str()], |row| row.get(0)).optional()?;
    let at = |history| block::of(change, history, message.bits().cast_signed());
    if let Some(first) = history.map(at).transpose()?.flatten() {
        block::remove(change, first, |entry| entry.id == message.bits())?;
    }
    Ok(())
}

/// A room has another name, and its history goes with it. What an earlier room of that name said is put aside.
fn rename(
    change: &Connection,
    known: &mut Known,
    (before, after): (&HistoryKey, &HistoryKey),
    name: &RoomName,
) -> rusqlite::Result<()> {
    change.execute("UPDATE history SET key = key || char(10) || id WHERE key = ?1", [after.as_str()])?;
    change.execute(
        "UPDATE history SET key = ?2, name = ?3 WHERE key = ?1",
        params![before.as_str(), after.as_str(), name.as_str()],
    )?;
    known.forget_histories();
    Ok(())
}
