//! The database's shape, and how an older one gets there.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::StoreError;

/// Each step from one version to the next. What is here once was released stays as it is.
const MIGRATIONS: [&str; 2] =
    [include_str!("../migrations/001_history.sql"), include_str!("../migrations/002_accounts.sql")];

/// The version that this program writes.
pub const SCHEMA_VERSION: u32 = MIGRATIONS.len() as u32;

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
    db.busy_timeout(Duration::from_secs(5))?;
    let _: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    db.pragma_update(None, "synchronous", if durability == Durability::Power { "FULL" } else { "NORMAL" })?;
    // What is taken back or erased is overwritten, not only forgotten.
    db.pragma_update(None, "secure_delete", true)?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.pragma_update(None, "cache_size", -16 * 1024)?;
    db.set_prepared_statement_cache_capacity(64);
    check(&db, path)?;
    migrate(&mut db, path)?;
    Ok(db)
}

/// Opens a connection that only reads.
pub(crate) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(Duration::from_secs(5))?;
    db.pragma_update(None, "cache_size", -8 * 1024)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

/// Looks for damage where it is quickly found: in what every start reads.
fn check(db: &Connection, path: &Path) -> Result<(), StoreError> {
    let damaged = |what: String| StoreError::Damaged { path: path.to_owned(), what };
    let found = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    found.map(drop).map_err(|error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => {
            damaged(error.to_string())
        }
        _ => error.into(),
    })
}

fn migrate(db: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let found: u32 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > SCHEMA_VERSION {
        return Err(StoreError::TooNew { path: path.to_owned(), found, known: SCHEMA_VERSION });
    }
    for (version, step) in (1u32..).zip(MIGRATIONS).skip(found as usize) {
        let change = db.transaction()?;
        change.execute_batch(step)?;
        change.pragma_update(None, "user_version", version)?;
        change.commit()?;
    }
    Ok(())
}

/// Looks at every page for damage: takes as long as reading all of it.
pub(crate) fn check_all(db: &Connection, path: &Path) -> Result<(), StoreError> {
    let what: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if what == "ok" { Ok(()) } else { Err(StoreError::Damaged { path: path.to_owned(), what }) }
}
