//! What the disk asks for chat, with SQLite: the least that keeping costs a server that answers only for what is kept.
//!
//! What a turn of the loop has said is appended to a file with one call before anything of it is sent. When there is enough
//! in the file, the next goes to another one, and a thread puts what was said into a database, many messages to a row and
//! many rows to a transaction, and empties the file. It doesn't know what the messages say, and nothing is ever read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rusqlite::{Connection, params};

/// Messages that are entered in one transaction.
const ENTERED_AT: usize = 8 * 1024;
/// Bytes of a row.
const ROW_BYTES: usize = 16_000;
/// After so many transactions SQLite's log is moved into its file: about as often as Polylogue does it.
const CHECKPOINT_EVERY: u32 = 2;

/// A file of what was said, and all that is in it.
struct Lot {
    file: File,
    said: Vec<u8>,
    count: usize,
}

impl Lot {
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        file.set_len(0)?;
        Ok(Self { file, said: Vec::new(), count: 0 })
    }
}

/// Keeps what is said.
pub(crate) struct Keep {
    current: Lot,
    full: Sender<Lot>,
    empty: Receiver<Lot>,
}

impl Keep {
    /// Begins anew in a folder.
    pub(crate) fn open(folder: &Path) -> Result<Self, String> {
        let at = |error: &dyn std::fmt::Display| format!("{}: {error}", folder.display());
        fs::create_dir_all(folder).map_err(|error| at(&error))?;
        let db = database(&folder.join("floor.db")).map_err(|error| at(&error))?;
        let lot = |name| Lot::open(&folder.join(name)).map_err(|error| at(&error));
        let (current, next) = (lot("log-1")?, lot("log-2")?);
        let (full, to_enter) = channel();
        let (entered, empty) = channel();
        // The other end is here.
        let _ = entered.send(next);
        thread::spawn(move || {
            if let Err(error) = enter_all(&db, &to_enter, &entered) {
                eprintln!("nothing more is entered: {error}");
            }
        });
        Ok(Self { current, full, empty })
    }

    /// Keeps what a turn has said.
    pub(crate) fn append(&mut self, said: &[u8], count: usize) -> io::Result<()> {
        self.current.file.write_all(said)?;
        self.current.said.extend_from_slice(said);
        self.current.count += count;
        // If the thread isn't done with the other, this one becomes longer.
        if self.current.count >= ENTERED_AT
            && let Ok(next) = self.empty.try_recv()
        {
            let full = std::mem::replace(&mut self.current, next);
            return self.full.send(full).map_err(io::Error::other);
        }
        Ok(())
    }
}

fn database(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open(path)?;
    // As Polylogue has it.
    db.pragma_update(None, "page_size", 16 * 1024)?;
    let _: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    let _: i64 = db.query_row("PRAGMA wal_autocheckpoint = 0", [], |row| row.get(0))?;
    db.execute_batch(
        "DROP TABLE IF EXISTS block; CREATE TABLE block (id INTEGER PRIMARY KEY, events BLOB NOT NULL);",
    )?;
    Ok(db)
}

fn enter_all(
    db: &Connection,
    full: &Receiver<Lot>,
    entered: &Sender<Lot>,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut transactions: u32 = 0;
    while let Ok(mut lot) = full.recv() {
        db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut insert = db.prepare_cached("INSERT INTO block (events) VALUES (?1)")?;
        for row in lot.said.chunks(ROW_BYTES) {
            insert.execute(params![row])?;
        }
        db.prepare_cached("COMMIT")?.execute([])?;
        lot.file.set_len(0)?;
        lot.said.clear();
        lot.count = 0;
        entered.send(lot)?;
        transactions += 1;
        if transactions.is_multiple_of(CHECKPOINT_EVERY) {
            db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        }
    }
    Ok(())
}
