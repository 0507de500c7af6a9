//! What waits to be written to one connection.
//!
//! A chunk is a part of a message that all recipients share, or the few bytes that a transport puts before it;
//! nothing is copied. An empty queue owns no memory: its storage goes back to a store that the connections of
//! one reactor share, so that neither an idle connection keeps any nor a delivery allocates any.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};

use bytes::{Buf, Bytes};
use smallvec::SmallVec;

/// How many chunks one write takes.
const SLICES_MAX: usize = 64;
/// Storage larger than this many chunks is given back to the allocator.
const SPARE_CHUNKS_MAX: usize = 64;
/// How much storage is kept for the next queues.
const SPARES_MAX: usize = 1024;

/// The longest frame header that a server writes: no mask, 8 bytes of length.
pub(crate) const HEADER_BYTES_MAX: usize = 10;

/// A few bytes that belong to one connection alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    bytes: [u8; HEADER_BYTES_MAX],
    start: u8,
    end: u8,
}

impl Header {
    /// Takes at most [`HEADER_BYTES_MAX`] bytes.
    pub(crate) fn new(from: &[u8]) -> Self {
        let mut bytes = [0; HEADER_BYTES_MAX];
        let len = from.len().min(HEADER_BYTES_MAX);
        bytes[..len].copy_from_slice(&from[..len]);
        Self { bytes, start: 0, end: len as u8 }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[usize::from(self.start)..usize::from(self.end)]
    }
}

#[derive(Debug)]
enum Chunk {
    Shared(Bytes),
    Header(Header),
}

impl Default for Chunk {
    /// Nothing.
    fn default() -> Self {
        Self::Header(Header::new(&[]))
    }
}

impl Chunk {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Shared(bytes) => bytes,
            Self::Header(header) => header.as_slice(),
        }
    }

    fn advance(&mut self, by: usize) {
        match self {
            Self::Shared(bytes) => bytes.advance(by),
            Self::Header(header) => header.start += by as u8,
        }
    }
}

/// Storage for queues that are about to be needed.
#[derive(Debug, Default)]
pub(crate) struct Spare(Vec<VecDeque<Chunk>>);

/// What waits to be written. In this order in memory, as a connection is.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct WriteQueue {
    /// In all chunks, none of which is empty.
    bytes: usize,
    /// Mostly the only one; the others are there only behind it.
    first: Chunk,
    others: VecDeque<Chunk>,
}

impl WriteQueue {
    /// Puts a message's shared bytes at the end.
    #[inline]
    pub(crate) fn push(&mut self, bytes: Bytes, spare: &mut Spare) {
        self.put(Chunk::Shared(bytes), spare);
    }

    /// Puts a transport's own bytes at the end.
    pub(crate) fn push_header(&mut self, header: Header, spare: &mut Spare) {
        self.put(Chunk::Header(header), spare);
    }

    #[inline]
    fn put(&mut self, chunk: Chunk, spare: &mut Spare) {
        let len = chunk.as_slice().len();
        if self.is_empty() {
            self.first = chunk;
        } else if len > 0 {
            self.put_behind(chunk, spare);
        }
        self.bytes += len;
    }

    // Apart, because most that is put is alone.
    #[inline(never)]
    fn put_behind(&mut self, chunk: Chunk, spare: &mut Spare) {
        if self.others.capacity() == 0 {
            self.others = spare.0.pop().unwrap_or_default();
        }
        self.others.push_back(chunk);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// How many bytes wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What waiting costs: the bytes, and the room that the chunks take in the queue, without which a flood of
    /// tiny messages would cost many times what it seems to.
    pub(crate) fn cost(&self) -> usize {
        self.bytes + self.others.len() * size_of::<Chunk>()
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Writes until all is written or the socket takes no more; whether it takes no more.
    ///
    /// # Errors
    /// The socket's, but for "would block" and "interrupted".
    pub(crate) fn write_to(&mut self, socket: &mut impl Write, spare: &mut Spare) -> io::Result<bool> {
        while !self.is_empty() {
            let (asked, written) = match self.write_some(socket) {
                Ok(progress) => progress,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            };
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            if written == self.bytes && self.others.is_empty() {
                // Mostly it is one message, and it is gone.
                (self.first, self.bytes) = (Chunk::default(), 0);
                break;
            }
            self.advance(written);
            // A socket that took only a part is full: asking again would only hear "would block".
            if written < asked {
                return Ok(true);
            }
        }
        if self.others.capacity() > 0 {
            let empty = std::mem::take(&mut self.others);
            if empty.capacity() <= SPARE_CHUNKS_MAX && spare.0.len() < SPARES_MAX {
                spare.0.push(empty);
            }
        }
        Ok(false)
    }

    /// One write: how many bytes it was asked to take and how many it took.
    fn write_some(&self, socket: &mut impl Write) -> io::Result<(usize, usize)> {
        if !self.others.is_empty() {
            return self.write_several(socket);
        }
        Ok((self.bytes, socket.write(self.first.as_slice())?))
    }

    // Apart, because its slices take room on the stack that one message doesn't need.
    #[inline(never)]
    fn write_several(&self, socket: &mut impl Write) -> io::Result<(usize, usize)> {
        let chunks = std::iter::once(&self.first).chain(&self.others).take(SLICES_MAX);
        let slices: SmallVec<[IoSlice<'_>; SLICES_MAX]> =
            chunks.map(|chunk| IoSlice::new(chunk.as_slice())).collect();
        let asked = slices.iter().map(|slice| slice.len()).sum();
        Ok((asked, socket.write_vectored(&slices)?))
    }

    fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        loop {
            let len = self.first.as_slice().len();
            if written < len {
                return self.first.advance(written);
            }
            written -= len;
            self.first = match self.others.pop_front() {
                Some(next) => next,
                None => return self.first = Chunk::default(),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes at most `take` bytes a call, and nothing after `calls` calls.
    struct Narrow {
        take: usize,
        calls: usize,
        got: Vec<u8>,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.write_vectored(&[IoSlice::new(bytes)])
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            if self.calls == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.calls -= 1;
            let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
            let taken = all.len().min(self.take);
            self.got.extend(&all[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn filled(spare: &mut Spare) -> (WriteQueue, Vec<u8>) {
        let mut queue = WriteQueue::default();
        let mut all = Vec::new();
        for number in 0..200u8 {
            let text = format!("message {number}\n");
            queue.push_header(Header::new(&[number, 0]), spare);
            queue.push(Bytes::from(text.clone()), spare);
            all.extend([number, 0]);
            all.extend(text.as_bytes());
        }
        assert_eq!(queue.bytes(), all.len());
        (queue, all)
    }

    #[test]
    fn a_wide_socket_takes_all_and_the_empty_queue_owns_nothing() {
        let mut spare = Spare::default();
        let (mut queue, all) = filled(&mut spare);
        let mut socket = Narrow { take: usize::MAX, calls: usize::MAX, got: Vec::new() };
        assert!(!queue.write_to(&mut socket, &mut spare).unwrap());
        assert_eq!(socket.got, all);
        assert_eq!((queue.bytes(), queue.cost(), queue.others.capacity()), (0, 0, 0));
    }

    #[test]
    fn a_narrow_socket_gets_every_byte_once() {
        let mut spare = Spare::default();
        for take in 1..40 {
            let (mut queue, all) = filled(&mut spare);
            let mut got = Vec::new();
            while !queue.is_empty() {
                let mut socket = Narrow { take, calls: 1, got: Vec::new() };
                queue.write_to(&mut socket, &mut spare).unwrap();
                got.extend(socket.got);
                assert_eq!(queue.bytes(), all.len() - got.len());
            }
            assert_eq!(got, all, "{take}");
        }
    }

    #[test]
    fn storage_is_used_again() {
        let mut spare = Spare::default();
        let mut queue = WriteQueue::default();
        queue.push(Bytes::from_static(b"x"), &mut spare);
        queue.push(Bytes::from_static(b"x"), &mut spare);
        let mut socket = Narrow { take: 9, calls: 9, got: Vec::new() };
        queue.write_to(&mut socket, &mut spare).unwrap();
        assert_eq!(spare.0.len(), 1);
        queue.push(Bytes::from_static(b"y"), &mut spare);
        assert_eq!(spare.0.len(), 1);
        queue.push(Bytes::from_static(b"y"), &mut spare);
        assert!(spare.0.is_empty());
    }
}
