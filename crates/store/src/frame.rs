//! What is appended to the commit log in one go, and how it is read again.

use crate::commit_log::FIRST_FORMAT;
use crate::lot::{Lot, Piece, Somebody};
use crate::numbers::{News, Numbers};
use crate::record::{self, Line, Named, Record, Said};

/// Memory that is kept for the next frame: bytes, and events.
const SPARE_BYTES: usize = 256 * 1024;
const SPARE_EVENTS: usize = 4 * 1024;

/// What is appended in one go: the length of what it says and its CRC-32, four bytes each, the lowest first; which time it
/// is that the file is written, four bytes; the id of its first event, eight; and then [`Line`]s. The sum is of all that
/// comes after it.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    bytes: Vec<u8>,
    faces: Vec<Somebody>,
    events: Vec<Piece>,
}

impl Frame {
    /// Bytes before what it says.
    const HEAD: usize = 20;
    /// Where the sum is, what it is of, and where the first id is.
    const SUM: usize = 4;
    const SUMMED: usize = 8;
    const FIRST: usize = 12;

    pub(crate) fn begin(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(SPARE_BYTES);
        self.bytes.extend([0; Self::HEAD]);
        self.faces.clear();
        self.faces.shrink_to(SPARE_EVENTS);
        self.events.clear();
        self.events.shrink_to(SPARE_EVENTS);
    }

    pub(crate) fn push(&mut self, said: &Said<'_>, numbers: &mut Numbers, lot: &mut Lot) {
        let Self { bytes, faces, events } = self;
        let known = numbers.of(said, lot.places_mut(), |news| match news {
            News::Face(number, look) => {
                record::append_face(number, look, bytes);
                faces.push(Somebody { number, look: bytes.len() - look.len()..bytes.len() });
            }
            News::Place(number, place) => record::append_place(number, place, bytes),
        });
        let id = said.id();
        let first = events.first().map_or(id, |first: &Piece| first.id);
        let begins = said.append_event(known, first, bytes);
        events.push(Piece { place: known.place, id, said: begins..bytes.len() });
    }

    /// All of it; nothing if it says nothing.
    pub(crate) fn end(&mut self, time: u32) -> Option<&[u8]> {
        let first = self.events.first()?.id;
        let length = u32::try_from(self.bytes.len() - Self::HEAD).unwrap_or(u32::MAX);
        self.put(0, length.to_le_bytes());
        self.put(Self::SUMMED, time.to_le_bytes());
        self.put(Self::FIRST, first.to_le_bytes());
        let sum = crc32fast::hash(self.bytes.get(Self::SUMMED..).unwrap_or_default());
        self.put(Self::SUM, sum.to_le_bytes());
        Some(&self.bytes)
    }

    fn put<const N: usize>(&mut self, at: usize, number: [u8; N]) {
        if let Some(there) = self.bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            *there = number;
        }
    }

    /// Hands its events to who enters them.
    pub(crate) fn give(&self, lot: &mut Lot) {
        lot.take(&self.bytes, &self.faces, &self.events, 0);
    }

    /// The next one, and what comes after it; nothing if it isn't whole.
    fn next(bytes: &[u8]) -> Option<(FrameRead<'_>, &[u8])> {
        let length = number(bytes, 0)? as usize;
        let (frame, rest) = bytes.split_at_checked(Self::HEAD.checked_add(length)?)?;
        if crc32fast::hash(frame.get(Self::SUMMED..)?) != number(bytes, Self::SUM)? {
            return None;
        }
        let first = frame.get(Self::FIRST..)?.first_chunk()?;
        let (time, first) = (number(frame, Self::SUMMED)?, u64::from_le_bytes(*first));
        Some((FrameRead { time, first, said: frame.get(Self::HEAD..)? }, rest))
    }
}

/// A [`Frame`] that was read.
struct FrameRead<'r> {
    time: u32,
    first: u64,
    said: &'r [u8],
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|number| u32::from_le_bytes(*number))
}

/// The records of a file; how many bytes there are at its end that are none and should be.
pub(crate) fn records_in<'r>(mut bytes: &'r [u8], records: &mut Vec<Record<'r>>) -> postcard::Result<usize> {
    let mut named = Named::default();
    let mut time = None;
    while let Some((frame, rest)) = Frame::next(bytes) {
        if *time.get_or_insert(frame.time) != frame.time {
            break;
        }
        let mut said = frame.said;
        while !said.is_empty() {
            let (line, behind) = postcard::take_from_bytes::<Line<'_>>(said)?;
            let record = Record::of_line(&mut named, line)?;
            records.extend(record.map(|record| record.after(frame.first)));
            said = behind;
        }
        bytes = rest;
    }
    // Something from a former time may be there, which was entered.
    let is_former =
        matches!((time, number(bytes, Frame::SUMMED)), (Some(time), Some(found)) if time != found);
    Ok(if is_former { 0 } else { bytes.len() })
}

/// The same of a file of a former format: a record was its length and its CRC-32, and what it said.
pub(crate) fn former_records_in<'r>(
    format: u8,
    mut bytes: &'r [u8],
    records: &mut Vec<Record<'r>>,
) -> postcard::Result<usize> {
    let mut named = Named::default();
    let next = |bytes: &'r [u8]| {
        let (said, rest) = bytes.get(8..)?.split_at_checked(number(bytes, 0)? as usize)?;
        (crc32fast::hash(said) == number(bytes, 4)?).then_some((said, rest))
    };
    while let Some((said, rest)) = next(bytes) {
        records.extend(match format {
            FIRST_FORMAT => Some(Record::first(said)?),
            _ => Record::of_line(&mut named, postcard::from_bytes::<Line<'_, u32>>(said)?)?,
        });
        bytes = rest;
    }
    Ok(bytes.len())
}
