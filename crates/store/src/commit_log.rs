//! What was said last, in files beside the database: a message is kept when it is here.
//!
//! To append to a file costs a small part of what a transaction costs, and what was appended can be entered in the
//! database many at a time, which costs a small part again. There are two files, so that one can be appended to while
//! what the other has is entered. After a sudden end the next start enters what is left ([`crate::Writer::open`]).
//!
//! A file begins with what it is, the version of its format, and the number by which it knows its database: if that is
//! moved away, its log is nobody else's. A record is its length and its CRC-32, four bytes each, the lowest first, and what
//! [`Line`] says.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use hub::{EventId, Kept, Kind};

use crate::append::append;
use crate::record::{Line, Named, Numbers, Record, Said};
use crate::{Durability, FILE_NAME, StoreError};

/// The files' names: the database's, and this.
pub(crate) const ENDINGS: [&str; 2] = ["-log-1", "-log-2"];
/// What a file begins with: this, the format, and the database's number, the lowest byte first.
const MAGIC: [u8; 7] = *b"polylog";
/// What was once released can be read for ever: a program that is newer than the one that was killed takes in what that
/// has left.
const FORMAT: u8 = 2;
/// Who has said what where stood in every record.
const FIRST_FORMAT: u8 = 1;
const HEADER: usize = 16;
/// Bytes of a record before what it says.
const HEAD: usize = 8;

/// Messages as the log has them.
#[derive(Debug, Default)]
pub struct Logged {
    bytes: Vec<u8>,
    count: usize,
}

impl Logged {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Forgets them; a later one may use the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
    }

    fn take_all_of(&mut self, other: &mut Self) {
        if self.is_empty() {
            std::mem::swap(self, other);
        } else {
            self.bytes.append(&mut other.bytes);
            self.count += std::mem::take(&mut other.count);
        }
    }

    /// What was added after there were only so many bytes is no more.
    fn cut(&mut self, bytes: usize, count: usize) {
        self.bytes.truncate(bytes);
        self.count = count;
    }

    pub(crate) fn push(&mut self, line: &Line<'_>) -> Result<(), StoreError> {
        let start = self.bytes.len();
        self.bytes.extend([0; HEAD]);
        append(&mut self.bytes, line).map_err(|error| StoreError::Output(io::Error::other(error)))?;
        let framed = self.bytes.get_mut(start..).and_then(|framed| framed.split_first_chunk_mut::<HEAD>());
        if let Some((head, said)) = framed {
            let (at_length, at_sum) = head.split_at_mut(HEAD / 2);
            // A message is far smaller than that.
            at_length.copy_from_slice(&u32::try_from(said.len()).unwrap_or(u32::MAX).to_le_bytes());
            at_sum.copy_from_slice(&crc32fast::hash(said).to_le_bytes());
        }
        self.count += usize::from(matches!(line, Line::Event(..)));
        Ok(())
    }

    /// The lines, as bytes. They were written or looked through by this process.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (said, after) = split(rest)?;
            rest = after;
            Some(said)
        })
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let mut named = Named::default();
        self.lines()
            .filter_map(move |line| Record::of_line(&mut named, postcard::from_bytes(line).ok()?).ok()?)
    }
}

/// Takes what is to be kept, until a [`crate::Writer`] enters it. There is one for each database.
#[derive(Debug)]
pub struct CommitLog {
    /// Which is appended to.
    current: Page,
    /// Which is appended to next. Nothing: it is sealed.
    next: Option<Page>,
    /// What is in the files and nobody has sealed.
    held: Logged,
    /// The numbers that stand for people and places in that.
    numbers: Numbers,
    durability: Durability,
}

/// What is to be entered, and the file that it is in, which nobody appends to meanwhile.
#[derive(Debug, Default)]
pub struct Sealed {
    logged: Logged,
    page: Option<Page>,
}

impl Sealed {
    /// What is to be entered.
    #[must_use]
    pub fn logged(&self) -> &Logged {
        &self.logged
    }

    /// It is entered: the file need not have it any longer. Then [`CommitLog::release`].
    ///
    /// # Errors
    /// As the disk has it. The next start will see that it was entered, so nothing comes twice.
    pub fn empty(&mut self) -> Result<(), StoreError> {
        self.logged.clear();
        self.page.as_mut().map_or(Ok(()), Page::empty)
    }
}

/// One of the files.
#[derive(Debug)]
struct Page {
    path: PathBuf,
    file: File,
    /// Its length, but for what could not be written whole.
    end: u64,
}

impl CommitLog {
    /// Opens the files in a folder; makes them if they aren't there. What is in them has been entered.
    pub(crate) fn open(folder: &Path, durability: Durability, database: i64) -> Result<Self, StoreError> {
        let [first, second] = paths(folder).map(|path| Page::open(path, database));
        let (held, numbers) = (Logged::default(), Numbers::default());
        Ok(Self { current: first?, next: Some(second?), held, numbers, durability })
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
        let Logged { count, ref bytes } = self.held;
        let before = bytes.len();
        let Self { held, numbers, .. } = self;
        let mut said = batch.into_iter().filter_map(Said::of_kept);
        let added = said.try_for_each(|said| numbers.lines(&said, |line| held.push(line)));
        let done = added.and_then(|()| {
            let fresh = self.held.bytes.get(before..).unwrap_or_default();
            self.current.append(fresh, self.durability)
        });
        if done.is_err() {
            self.held.cut(before, count);
            // Some may stand for who was in what is cut off.
            self.numbers.clear();
        }
        done
    }

    /// Makes writing fail until the file that was there is put back.
    #[cfg(test)]
    pub(crate) fn break_file(&mut self, path: &Path) -> File {
        let broken = File::open(path).expect("the file is there");
        std::mem::replace(&mut self.current.file, broken)
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
        into.logged.take_all_of(&mut self.held);
        self.numbers.clear();
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
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let open = || {
            let found = fs::read(&path).or_else(|error| {
                if error.kind() == io::ErrorKind::NotFound { Ok(Vec::new()) } else { Err(error) }
            })?;
            if found.len() > HEADER && !found.starts_with(&header(FORMAT, database)) {
                let mut aside = path.clone().into_os_string();
                aside.push(".other");
                fs::rename(&path, &aside)?;
                let aside = aside.display();
                tracing::warn!(%aside, "what was said last belongs to another database, and is put aside");
            }
            let file = options.open(&path)?;
            file.set_len(0)?;
            (&file).write_all(&header(FORMAT, database))?;
            Ok(file)
        };
        match open() {
            Ok(file) => Ok(Self { path, file, end: HEADER as u64 }),
            Err(error) => Err(StoreError::Folder { path, error }),
        }
    }

    /// Whether no record is in it.
    fn is_empty(&self) -> bool {
        self.end == HEADER as u64
    }

    fn append(&mut self, bytes: &[u8], durability: Durability) -> Result<(), StoreError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let write = || {
            (&self.file).write_all(bytes)?;
            match durability {
                Durability::Process => Ok(()),
                Durability::Power => self.file.sync_data(),
            }
        };
        match write() {
            Ok(()) => {
                self.end += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Nothing of it may come back as if it had been kept.
                let _ = self.file.set_len(self.end);
                Err(StoreError::Folder { path: self.path.clone(), error })
            }
        }
    }

    fn empty(&mut self) -> Result<(), StoreError> {
        if !self.is_empty() {
            let emptied = self.file.set_len(HEADER as u64);
            emptied.map_err(|error| StoreError::Folder { path: self.path.clone(), error })?;
            self.end = HEADER as u64;
        }
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

/// What is in a folder's log and came after an event, in the order in which it was kept: also while a server appends to
/// it.
///
/// # Errors
/// If it can't be read, or a newer program has written it.
pub(crate) fn read(folder: &Path, database: i64, after: EventId) -> Result<Logged, StoreError> {
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
        let Some((head, mut rest)) = bytes.split_first_chunk::<HEADER>() else { continue };
        let damaged = |what: String| StoreError::Damaged { path: path.clone(), what };
        match head.split_at(MAGIC.len()) {
            (what, _) if what != MAGIC => return Err(damaged("it is no log of Polylogue".to_owned())),
            (_, &[found, ..]) if !(FIRST_FORMAT..=FORMAT).contains(&found) => {
                let (path, found, known) = (path.clone(), found.into(), FORMAT.into());
                return Err(StoreError::TooNew { path, found, known });
            }
            _ => {}
        }
        let format = head[MAGIC.len()];
        if *head != header(format, database) {
            // It belongs to another database.
            continue;
        }
        let mut named = Named::default();
        while let Some((said, behind)) = next(rest) {
            let record = match format {
                FIRST_FORMAT => Record::first(said).map(Some),
                _ => postcard::from_bytes(said).and_then(|line| Record::of_line(&mut named, line)),
            };
            records.extend(record.map_err(|error| damaged(format!("a record makes no sense: {error}")))?);
            rest = behind;
        }
        if !rest.is_empty() {
            // Nobody was told that it is kept.
            let bytes = rest.len();
            tracing::info!(path = %path.display(), bytes, "the end of what was said last was not written whole");
        }
    }
    records.sort_by_key(Record::id);
    let mut found = Logged::default();
    let mut left = records.iter().filter(|record| record.id() > after).flat_map(Record::lines);
    left.try_for_each(|line| found.push(&line))?;
    Ok(found)
}

/// The files of a folder's log.
pub(crate) fn paths(folder: &Path) -> [PathBuf; 2] {
    ENDINGS.map(|ending| folder.join(format!("{FILE_NAME}{ending}")))
}

/// The next record, and what comes after it; nothing if it isn't whole.
fn next(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (said, rest) = split(bytes)?;
    let sum = bytes.get(HEAD / 2..)?.first_chunk()?;
    (crc32fast::hash(said) == u32::from_le_bytes(*sum)).then_some((said, rest))
}

/// The same without a look at the sum.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
    let length = u32::from_le_bytes(*head.first_chunk()?);
    rest.split_at_checked(length as usize)
}
