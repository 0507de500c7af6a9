//! What was said last, in files beside the database: a message is kept when it is here.
//!
//! To append to a file costs a small part of what a transaction costs, and what was appended can be entered in the
//! database many at a time, which costs a small part again. There are two files, so that one can be appended to while
//! what the other has is entered. After a sudden end the next start enters what is left ([`crate::Writer::open`]).
//!
//! A file begins with what it is, the version of its format, and the number by which it knows its database: if that is
//! moved away, its log is nobody else's. Then come frames, one for each time something was appended (`frame.rs`). When all of
//! it is entered, a file is written over from its beginning: that costs half of what it costs to let it grow anew. What is
//! behind the last frame is then from a former time, and says so; it is cut off as soon as it is calm, and once a second
//! if it never is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use hub::{EventId, Kept, Kind};

use crate::frame::{self, Frame};
use crate::lot::Lot;
use crate::numbers::{FaceNumbers, Numbers};
use crate::record::{Record, Said};
use crate::{Durability, FILE_NAME, StoreError};

/// The files' names: the database's, and this.
pub(crate) const ENDINGS: [&str; 2] = ["-log-1", "-log-2"];
/// What a file begins with: this, the format, and the database's number, the lowest byte first.
const MAGIC: [u8; 7] = *b"polylog";
/// What was once released can be read for ever: a program that is newer than the one that was killed takes in what that
/// has left.
const FORMAT: u8 = 3;
/// Who has said what where stood in every record, and each was a frame.
pub(crate) const FIRST_FORMAT: u8 = 1;
const HEADER: usize = 16;
/// How often a file is cut off, if it is never calm.
const CUT_EVERY: Duration = Duration::from_secs(1);
/// Bytes that are cut off in one go then: who shares a core with this is let in between.
const CUT_AT_ONCE: u64 = 256 * 1024;

/// Takes what is to be kept, until a [`crate::Writer`] enters it. There is one for each database.
#[derive(Debug)]
pub struct CommitLog {
    /// Which is appended to.
    current: Page,
    /// Which is appended to next. Nothing: it is sealed.
    next: Option<Page>,
    /// What is in the files and nobody has sealed.
    held: Lot,
    /// The numbers that stand for people and places in that.
    numbers: Numbers,
    frame: Frame,
    durability: Durability,
}

/// What is to be entered, and the file that it is in, which nobody appends to meanwhile.
#[derive(Debug, Default)]
pub struct Sealed {
    lot: Lot,
    page: Option<Page>,
}

impl Sealed {
    /// What is to be entered.
    #[must_use]
    pub fn lot(&self) -> &Lot {
        &self.lot
    }

    /// How many events are to be entered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lot.len()
    }

    /// Whether nothing is to be entered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lot.is_empty()
    }

    /// It is entered: the file need not have it any longer. Then [`CommitLog::release`].
    ///
    /// # Errors
    /// As the disk has it. The next start will see that it was entered, so nothing comes twice.
    pub fn empty(&mut self) -> Result<(), StoreError> {
        self.lot.clear();
        self.page.as_mut().map_or(Ok(()), Page::empty)
    }
}

/// One of the files.
#[derive(Debug)]
struct Page {
    path: PathBuf,
    /// Always at the end.
    file: File,
    /// Which time it is that it is written.
    time: u32,
    /// Where the next frame begins.
    end: u64,
    /// Up to where there may be something.
    length: u64,
    /// When it was last cut off.
    cut: Instant,
}

impl CommitLog {
    /// Opens the files in a folder; makes them if they aren't there. What is in them has been entered.
    pub(crate) fn open(
        folder: &Path,
        durability: Durability,
        database: i64,
        faces: FaceNumbers,
    ) -> Result<Self, StoreError> {
        let [first, second] = paths(folder).map(|path| Page::open(path, database));
        let (current, next, numbers) = (first?, Some(second?), Numbers::new(faces));
        Ok(Self { current, next, held: Lot::default(), numbers, frame: Frame::default(), durability })
    }

    /// Whether something can be kept here: what is new and was said or done. Everything else changes what is there, and
    /// is for [`crate::Writer::keep`].
    #[must_use]
    pub fn takes(kept: &Kept) -> bool {
        matches!(kept, Kept::Event { event, .. } if !matches!(event.kind, Kind::Redact { .. }))
    }

    /// Keeps all of a batch, or nothing of it. What the log doesn't take is left out.
    ///
    /// # Errors
    /// As the disk has it. Trying again later may help.
    pub fn append<'k>(&mut self, batch: impl IntoIterator<Item = &'k Kept>) -> Result<(), StoreError> {
        let Self { current, held, numbers, frame, durability, .. } = self;
        frame.begin();
        for kept in batch {
            // Not moved: what is written in parts and moved in one piece has to arrive in memory first.
            let said = Said::of_kept(kept);
            if let Some(said) = &said {
                frame.push(said, numbers, held);
            }
        }
        let Some(bytes) = frame.end(current.time) else { return Ok(()) };
        let done = current.append(bytes, *durability);
        if done.is_ok() {
            frame.give(held);
        } else {
            // What was told of people and places may not be there; and if it never will, they don't gather here.
            numbers.begin_lot();
            if held.is_empty() {
                held.clear();
            }
        }
        done
    }

    /// Makes writing fail until the file that was there is put back.
    #[cfg(test)]
    pub(crate) fn break_file(&mut self, path: &Path) -> File {
        let broken = File::open(path).expect("the file is there");
        std::mem::replace(&mut self.current.file, broken)
    }

    /// Whether there is nothing of what could not be appended.
    #[cfg(test)]
    pub(crate) fn is_blank(&self) -> bool {
        self.held.is_blank()
    }

    /// Puts back what [`CommitLog::break_file`] has taken.
    #[cfg(test)]
    pub(crate) fn mend_file(&mut self, file: File) {
        self.current.file = file;
    }

    /// How many are waiting to be entered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// How much memory is taken by what waits to be entered, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.held.size()
    }

    /// Whether nothing is waiting to be entered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Hands out what is to be entered, after what could not be entered before. When it is, [`Sealed::empty`] and
    /// [`CommitLog::release`] it.
    pub fn seal(&mut self, into: &mut Sealed) {
        if self.held.is_empty() {
            return;
        }
        into.lot.take_all_of(&mut self.held);
        self.numbers.begin_lot();
        if let Some(next) = self.next.take() {
            into.page = Some(std::mem::replace(&mut self.current, next));
        }
    }

    /// Takes back the file of what is entered.
    ///
    /// # Errors
    /// As [`Sealed::empty`].
    pub fn release(&mut self, sealed: &mut Sealed) -> Result<(), StoreError> {
        if let Some(page) = sealed.page.take() {
            self.next = Some(page);
        }
        // What could not be entered at first may have gone on here.
        if self.held.is_empty() { self.current.empty() } else { Ok(()) }
    }

    /// Cuts off what is left of what was entered: no byte of it is in the files any more.
    ///
    /// # Errors
    /// As the disk has it.
    pub fn cut_off(&mut self) -> Result<(), StoreError> {
        self.current.cut_off()?;
        self.next.as_mut().map_or(Ok(()), Page::cut_off)
    }

    /// Ends with the files gone, if nothing is in them.
    ///
    /// # Errors
    /// As the disk has it.
    pub fn close(self) -> Result<(), StoreError> {
        for page in [Some(self.current), self.next].into_iter().flatten().filter(Page::is_empty) {
            let path = page.path;
            fs::remove_file(&path).map_err(|error| StoreError::Folder { path, error })?;
        }
        Ok(())
    }
}

impl Page {
    fn open(path: PathBuf, database: i64) -> Result<Self, StoreError> {
        let mut options = OpenOptions::new();
        // Written over only once it is known whose it is.
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let open = || {
            let found = fs::read(&path).or_else(|error| {
                if error.kind() == io::ErrorKind::NotFound { Ok(Vec::new()) } else { Err(error) }
            })?;
            if found.len() > HEADER && !is_of(&found, database) {
                let mut aside = path.clone().into_os_string();
                aside.push(".other");
                fs::rename(&path, &aside)?;
                let aside = aside.display();
                tracing::warn!(%aside, "what was said last belongs to another database, and is put aside");
            }
            let mut file = options.open(&path)?;
            file.set_len(0)?;
            file.write_all(&header(FORMAT, database))?;
            Ok(file)
        };
        let end = HEADER as u64;
        match open() {
            Ok(file) => Ok(Self { path, file, time: 0, end, length: end, cut: Instant::now() }),
            Err(error) => Err(StoreError::Folder { path, error }),
        }
    }

    /// Whether no record is in it.
    fn is_empty(&self) -> bool {
        self.end == HEADER as u64
    }

    fn append(&mut self, frame: &[u8], durability: Durability) -> Result<(), StoreError> {
        let mut write = || {
            self.file.write_all(frame)?;
            match durability {
                Durability::Process => Ok(()),
                Durability::Power => self.file.sync_data(),
            }
        };
        match write() {
            Ok(()) => {
                self.end += frame.len() as u64;
                self.length = self.length.max(self.end);
                Ok(())
            }
            Err(error) => {
                // Nothing of it may come back as if it had been kept.
                let _ = self.file.set_len(self.end);
                let _ = self.file.seek(SeekFrom::Start(self.end));
                Err(StoreError::Folder { path: self.path.clone(), error })
            }
        }
    }

    /// What is in it is no longer needed.
    fn empty(&mut self) -> Result<(), StoreError> {
        if self.is_empty() {
            return Ok(());
        }
        let begin = HEADER as u64;
        let at_begin = self.file.seek(SeekFrom::Start(begin));
        at_begin.map_err(|error| StoreError::Folder { path: self.path.clone(), error })?;
        (self.end, self.time) = (begin, self.time.wrapping_add(1));
        if self.cut.elapsed() < CUT_EVERY {
            return Ok(());
        }
        // Nobody else has this file now.
        while self.length > self.end {
            self.shorten(self.end.max(self.length.saturating_sub(CUT_AT_ONCE)))?;
            thread::yield_now();
        }
        Ok(())
    }

    fn cut_off(&mut self) -> Result<(), StoreError> {
        if self.length > self.end { self.shorten(self.end) } else { Ok(()) }
    }

    fn shorten(&mut self, length: u64) -> Result<(), StoreError> {
        let cut = self.file.set_len(length);
        cut.map_err(|error| StoreError::Folder { path: self.path.clone(), error })?;
        (self.length, self.cut) = (length, Instant::now());
        Ok(())
    }
}

fn header(format: u8, database: i64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let (what, number) = header.split_at_mut(MAGIC.len() + 1);
    what.copy_from_slice(&[MAGIC.as_slice(), &[format]].concat());
    number.copy_from_slice(&database.to_le_bytes());
    header
}

/// Whether a file is a log of a database, of whatever format.
fn is_of(bytes: &[u8], database: i64) -> bool {
    bytes.starts_with(&MAGIC) && bytes.get(MAGIC.len() + 1..HEADER) == Some(&database.to_le_bytes())
}

/// Goes through what is in a folder's log and came after an event, in the order in which it was kept: also while a server
/// appends to it.
///
/// # Errors
/// If it can't be read, or a newer program has written it.
pub(crate) fn read(
    folder: &Path,
    database: i64,
    after: EventId,
    visit: impl FnMut(&Record<'_>),
) -> Result<(), StoreError> {
    let mut files = Vec::new();
    for path in paths(folder) {
        match fs::read(&path) {
            Ok(bytes) => files.push((path, bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::Folder { path, error }),
        }
    }
    let mut records = Vec::new();
    for (path, bytes) in &files {
        // One that has not even that has nothing else.
        let Some((head, rest)) = bytes.split_first_chunk::<HEADER>() else { continue };
        let damaged = |what: String| StoreError::Damaged { path: path.clone(), what };
        let format = match head.split_at(MAGIC.len()) {
            (what, _) if what != MAGIC => return Err(damaged("it is no log of Polylogue".to_owned())),
            (_, &[format @ FIRST_FORMAT..=FORMAT, ..]) => format,
            (_, &[found, ..]) => {
                let (path, found, known) = (path.clone(), found.into(), FORMAT.into());
                return Err(StoreError::TooNew { path, found, known });
            }
            _ => continue,
        };
        if !is_of(bytes, database) {
            continue;
        }
        let found = match format {
            FORMAT => frame::records_in(rest, &mut records),
            _ => frame::former_records_in(format, rest, &mut records),
        };
        let torn = found.map_err(|error| damaged(format!("a record makes no sense: {error}")))?;
        if torn > 0 {
            // Nobody was told that it is kept.
            tracing::info!(path = %path.display(), bytes = torn, "the end of what was said last was not written whole");
        }
    }
    records.retain(|record| record.id() > after);
    records.sort_by_key(Record::id);
    records.iter().for_each(visit);
    Ok(())
}

/// The files of a folder's log.
pub(crate) fn paths(folder: &Path) -> [PathBuf; 2] {
    ENDINGS.map(|ending| folder.join(format!("{FILE_NAME}{ending}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_never_calm_is_cut_off_once_a_second() {
        let folder = tempfile::tempdir().unwrap();
        let mut page = Page::open(folder.path().join("log"), 7).unwrap();
        let length = |page: &Page| fs::metadata(&page.path).unwrap().len();
        // More than is cut off in one go.
        let frame = vec![1; 5 * CUT_AT_ONCE as usize / 2];
        for is_due in [false, true, false] {
            page.append(&frame, Durability::Process).unwrap();
            let full = length(&page);
            assert_eq!(full, frame.len() as u64 + HEADER as u64);
            if is_due {
                page.cut = page.cut.checked_sub(CUT_EVERY).unwrap();
            }
            page.empty().unwrap();
            assert!(page.is_empty());
            assert_eq!(length(&page), if is_due { HEADER as u64 } else { full });
        }
    }
}
