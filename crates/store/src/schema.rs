//! The database's shape, and how an older one gets there.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::{StoreError, block};

/// Each step from one version to the next. What is here once was released stays as it is.
const MIGRATIONS: [&str; 8] = [
    include_str!("../migrations/001_history.sql"),
    include_str!("../migrations/002_accounts.sql"),
    include_str!("../migrations/003_bans.sql"),
    include_str!("../migrations/004_rooms.sql"),
    include_str!("../migrations/005_presence.sql"),
    include_str!("../migrations/006_invitations.sql"),
    include_str!("../migrations/007_commit_log.sql"),
    include_str!("../migrations/008_blocks.sql"),
];

/// The version that has no row for each event any more.
pub(crate) const WITH_BLOCKS: u32 = 8;

/// The version that this program writes.
pub const SCHEMA_VERSION: u32 = MIGRATIONS.len() as u32;

/// How long a connection waits for another.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// A database up to this size is looked at for damage before it is used.
const SMALL_BYTES: u64 = 32 * 1024 * 1024;

/// Bytes of a page of a new database: as little as one change writes, and as little as is read. An older database keeps
/// what it has.
pub(crate) const PAGE_BYTES: u32 = 16 * 1024;

/// When the log is so long, the writer itself moves what is in it, and waits for the disk. Before that somebody else
/// should have done it.
const LOG_PAGES_MAX: u32 = 4 * 1024;

/// What kept things survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The end of the process, however sudden.
    #[default]
    Process,
    /// The loss of power too.
    Power,
}

/// Opens a connection that may write, and brings the database up to date.
pub(crate) fn open(path: &Path, durability: Durability) -> Result<Connection, StoreError> {
    let mut db = Connection::open(path)?;
    set_up(&db, durability).map_err(|error| StoreError::at(path, error))?;
    if is_small(path) {
        check_all(&db, path)?;
    }
    migrate(&mut db, path)?;
    Ok(db)
}

/// Opens another connection that may write.
pub(crate) fn open_again(path: &Path, durability: Durability) -> Result<Connection, StoreError> {
    let db = Connection::open(path)?;
    set_up(&db, durability).map_err(|error| StoreError::at(path, error))?;
    Ok(db)
}

/// Whether all of a database can be looked at in no time.
pub(crate) fn is_small(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |metadata| metadata.len() <= SMALL_BYTES)
}

fn set_up(db: &Connection, durability: Durability) -> rusqlite::Result<()> {
    db.busy_timeout(PATIENCE)?;
    db.pragma_update(None, "page_size", PAGE_BYTES)?;
    let _: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    db.pragma_update(None, "synchronous", if durability == Durability::Power { "FULL" } else { "NORMAL" })?;
    // What is taken back or erased is overwritten, not only forgotten.
    db.pragma_update(None, "secure_delete", true)?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    // What is entered goes to SQLite's log while it is put together, a few pages at a time: all at once, it would keep whoever
    // shares the processor waiting.
    db.pragma_update(None, "cache_size", -128)?;
    let _: i64 =
        db.query_row(&format!("PRAGMA wal_autocheckpoint = {LOG_PAGES_MAX}"), [], |row| row.get(0))?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Opens a connection that only reads.
pub(crate) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    let set_up = || {
        db.busy_timeout(PATIENCE)?;
        db.pragma_update(None, "cache_size", -8 * 1024)
    };
    set_up().map_err(|error| StoreError::at(path, error))?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

/// Opens a store to read it, if there is one that this program can read.
pub(crate) fn open_existing(path: &Path) -> Result<Connection, StoreError> {
    if !path.exists() {
        return Err(StoreError::Missing { path: path.to_owned() });
    }
    let db = open_to_read(path)?;
    match check_version(&db, path)? {
        0 => Err(StoreError::Foreign { path: path.to_owned() }),
        _ => Ok(db),
    }
}

/// The version of a database, if this program can read it; 0: it is empty. Finds damage where that is quick: in what
/// every start reads.
pub(crate) fn check_version(db: &Connection, path: &Path) -> Result<u32, StoreError> {
    let number =
        |query| db.query_row(query, [], |row| row.get(0)).map_err(|error| StoreError::at(path, error));
    let tables: u32 = number("SELECT count(*) FROM sqlite_schema")?;
    let ours: u32 = number("SELECT count(*) FROM sqlite_schema WHERE name IN ('history', 'face', 'note')")?;
    let found: u32 = number("PRAGMA user_version")?;
    if (tables > 0) != (found > 0) || (tables > 0 && ours < 3) {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    if found > SCHEMA_VERSION {
        return Err(StoreError::TooNew { path: path.to_owned(), found, known: SCHEMA_VERSION });
    }
    Ok(found)
}

fn migrate(db: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let found = check_version(db, path)?;
    for (version, step) in (1u32..).zip(MIGRATIONS).skip(found as usize) {
        take_step(db, version, step).map_err(|error| StoreError::at(path, error))?;
    }
    Ok(())
}

fn take_step(db: &mut Connection, version: u32, step: &str) -> rusqlite::Result<()> {
    let change = db.transaction()?;
    change.execute_batch(step)?;
    if version == WITH_BLOCKS {
        block::of_rows(&change)?;
    }
    change.pragma_update(None, "user_version", version)?;
    change.commit()
}

/// Looks at every page for damage: takes as long as reading all of it.
pub(crate) fn check_all(db: &Connection, path: &Path) -> Result<(), StoreError> {
    ask(db, path, "PRAGMA quick_check(1)")
}

/// Looks also whether indexes and search agree with what they are made of, and whether what was said makes sense: takes
/// several times as long.
pub(crate) fn check_thoroughly(db: &Connection, path: &Path) -> Result<(), StoreError> {
    ask(db, path, "PRAGMA integrity_check(1)")?;
    if check_version(db, path)? < WITH_BLOCKS {
        return Ok(());
    }
    let found = block::check(db).map_err(|error| StoreError::at(path, error))?;
    found.map_or(Ok(()), |what| Err(StoreError::Damaged { path: path.to_owned(), what }))
}

fn ask(db: &Connection, path: &Path, question: &str) -> Result<(), StoreError> {
    let answer = db.query_row(question, [], |row| row.get::<_, String>(0));
    match answer.map_err(|error| StoreError::at(path, error))? {
        what if what == "ok" => Ok(()),
        what => Err(StoreError::Damaged { path: path.to_owned(), what }),
    }
}
