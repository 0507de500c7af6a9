//! Seeing to it that the database has what was in the log, for those who look at the database from outside the server.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use hub::EventId;

use crate::known::{entered_upto, log_number};
use crate::{Durability, FILE_NAME, StoreError, Writer, commit_log, schema};

/// How long a server may take to enter what was in its log: it does so every second.
const PATIENCE: Duration = Duration::from_secs(5);
/// The first version of the database that has a log.
const WITH_LOG: u32 = 7;
/// How often it is looked whether it has. Another process can't be waited for otherwise.
const LOOKED_EVERY: Duration = Duration::from_millis(20);

/// Waits until everything that is in the log by now is in the database: if no server uses the folder, it is entered here.
///
/// # Errors
/// If it can't be entered. What is wrong with the database itself is for others to say.
pub(crate) fn catch_up(folder: &Path) -> Result<(), StoreError> {
    let begun = Instant::now();
    let Some(newest) = newest(folder)? else { return Ok(()) };
    while entered(folder)? < newest {
        match Writer::open(folder, Durability::Power) {
            Ok((writer, _)) => {
                writer.log()?.close()?;
                return writer.close();
            }
            Err(StoreError::InUse { .. }) if begun.elapsed() < PATIENCE => thread::sleep(LOOKED_EVERY),
            Err(StoreError::InUse { .. }) => return Err(StoreError::Behind { path: folder.join(FILE_NAME) }),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The last event that is in the log alone.
fn newest(folder: &Path) -> Result<Option<EventId>, StoreError> {
    if !commit_log::paths(folder).iter().any(|path| path.exists()) {
        return Ok(None);
    }
    let path = folder.join(FILE_NAME);
    let Ok(db) = schema::open_existing(&path) else { return Ok(None) };
    if schema::check_version(&db, &path)? < WITH_LOG {
        return Ok(None);
    }
    let at = |error| StoreError::at(&path, error);
    let (number, upto) = (log_number(&db).map_err(at)?, entered_upto(&db).map_err(at)?);
    let mut newest = None;
    commit_log::read(folder, number, upto, |record| newest = Some(record.id()))?;
    Ok(newest)
}

/// The last event that is in the database. No connection is left open: whoever writes may be the last to close it.
fn entered(folder: &Path) -> Result<EventId, StoreError> {
    let path = folder.join(FILE_NAME);
    let db = schema::open_existing(&path)?;
    entered_upto(&db).map_err(|error| StoreError::at(&path, error))
}
