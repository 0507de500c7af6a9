//! What an operator does with a store: a copy while it is used, the way back, and a look for damage.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::catch_up::catch_up;
use crate::lock::Lock;
use crate::{FILE_NAME, StoreError, commit_log, schema};

/// What is in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// The version of its shape.
    pub version: u32,
    /// Messages, topics and reactions.
    pub messages: u64,
    /// Rooms and conversations.
    pub histories: u64,
    /// The size of the file, with what is in SQLite's log on its way there.
    pub bytes: u64,
}

/// What came of a restoration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What is in the store now.
    pub now: Summary,
    /// Where what was there before is, if there was anything.
    pub before: Option<PathBuf>,
}

/// Copies a folder's store into a new file, while a server may be using it: what was kept when it began is in it. It is
/// looked at for damage before it has its name.
///
/// # Errors
/// If there is no store, or one that is damaged, or the file is there already or can't be written.
pub fn backup(folder: &Path, file: &Path) -> Result<Summary, StoreError> {
    let path = folder.join(FILE_NAME);
    let db = schema::open_existing(&path)?;
    if file.exists() {
        return Err(StoreError::Exists { path: file.to_owned() });
    }
    catch_up(folder)?;
    let part = beside(file, "part");
    let copied = copy(&db, &path, &part).and_then(|summary| {
        fs::rename(&part, file).map_err(|error| StoreError::Folder { path: file.to_owned(), error })?;
        sync_folder_of(file);
        Ok(summary)
    });
    if copied.is_err() {
        let _ = fs::remove_file(&part);
    }
    copied
}

/// Puts a backup in the place of a folder's store. What was there is not deleted.
///
/// # Errors
/// If a server uses the folder, or the file is damaged or no backup, or newer than this program. Then nothing has
/// changed.
pub fn restore(folder: &Path, file: &Path) -> Result<Restored, StoreError> {
    let db = schema::open_existing(file)?;
    // So that what is put aside is whole; if it is damaged, its log is put aside as well.
    if let Err(error) = catch_up(folder) {
        tracing::warn!(%error, "what was there before is put aside with its log");
    }
    let _lock = Lock::take(folder)?;
    let path = folder.join(FILE_NAME);
    let part = beside(&path, "part");
    let put = || -> Result<Restored, StoreError> {
        let now = copy(&db, file, &part)?;
        let at = |error| StoreError::Folder { path: path.clone(), error };
        let before = set_aside(&path).map_err(at)?;
        fs::rename(&part, &path).map_err(at)?;
        sync_folder_of(&path);
        Ok(Restored { now, before })
    };
    let restored = put();
    if restored.is_err() {
        let _ = fs::remove_file(&part);
    }
    restored
}

/// Looks at everything in a folder's store for damage, while a server may be using it.
///
/// # Errors
/// [`StoreError::Damaged`] with what was found first, or if it can't be read at all.
pub fn check(folder: &Path) -> Result<Summary, StoreError> {
    let path = folder.join(FILE_NAME);
    let db = schema::open_existing(&path)?;
    catch_up(folder)?;
    schema::check_thoroughly(&db, &path)?;
    summary(&db, &path)
}

/// Copies a database into a file that only its owner can read, and looks at the copy for damage.
fn copy(db: &Connection, path: &Path, to: &Path) -> Result<Summary, StoreError> {
    let at = |error| StoreError::Folder { path: to.to_owned(), error };
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let part = options.open(to).map_err(at)?;
    // Not page by page: what was erased isn't in the copy, nor is empty space.
    let name = to.to_str().ok_or_else(|| at(std::io::Error::other("the name is no text")))?;
    db.execute("VACUUM INTO ?1", [name]).map_err(|error| StoreError::at(path, error))?;
    part.sync_all().map_err(at)?;
    let copy = schema::open_to_read(to)?;
    schema::check_all(&copy, to)?;
    summary(&copy, to)
}

fn summary(db: &Connection, path: &Path) -> Result<Summary, StoreError> {
    let count = |query| {
        let count = db.query_row(query, [], |row| row.get::<_, i64>(0));
        count.map(i64::cast_unsigned).map_err(|error| StoreError::at(path, error))
    };
    let version = schema::check_version(db, path)?;
    let messages = if version < schema::WITH_BLOCKS {
        count("SELECT count(*) FROM event")?
    } else {
        count("SELECT ifnull(sum(count), 0) FROM block")?
    };
    Ok(Summary {
        version,
        messages,
        histories: count("SELECT count(*) FROM history")?,
        bytes: count("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")?,
    })
}

/// Gives a store another name, together with its logs; which. A link keeps the old name as well, so that there is a store
/// at every moment.
fn set_aside(path: &Path) -> std::io::Result<Option<PathBuf>> {
    if !path.exists() {
        return Ok(None);
    }
    let names = (1u32..).map(|number| beside(path, &format!("before-{number}")));
    let Some(aside) = names.into_iter().find(|aside| !aside.exists()) else { return Ok(None) };
    let with = |path: &Path, ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    for ending in ["-wal"].into_iter().chain(commit_log::ENDINGS) {
        if with(path, ending).exists() {
            fs::rename(with(path, ending), with(&aside, ending))?;
        }
    }
    let _ = fs::remove_file(with(path, "-shm"));
    fs::hard_link(path, &aside).or_else(|_| fs::rename(path, &aside))?;
    Ok(Some(aside))
}

/// A name beside a file's: the same, and something more.
fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(more);
    name.into()
}

/// A name in a folder lasts when the folder is on the disk too. Not every system lets one say so.
fn sync_folder_of(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}
