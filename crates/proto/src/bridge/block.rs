//! Blocks of header lines: cutting them out of a stream, and taking one apart.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;

use crate::ProtocolError;

/// Cuts a stream into blocks at empty lines. Leading empty lines are skipped. Drained, it owns no memory.
#[derive(Debug)]
pub(super) struct Blocks {
    buf: BytesMut,
    /// No block ends before this.
    scanned: usize,
    block_bytes_max: usize,
    buffer_bytes_max: usize,
    failed: Option<ProtocolError>,
}

impl Blocks {
    pub(super) fn new(block_bytes_max: usize, buffer_bytes_max: usize) -> Self {
        Self { buf: BytesMut::new(), scanned: 0, block_bytes_max, buffer_bytes_max, failed: None }
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        if self.buf.len() + bytes.len() > self.buffer_bytes_max {
            let limit = self.buffer_bytes_max;
            let _: ProtocolError = self.fail(ProtocolError::TooLong { what: "what waits to be read", limit });
            return;
        }
        self.buf.extend_from_slice(bytes);
    }

    /// The next complete block, without its empty line.
    pub(super) fn next_block(&mut self) -> Result<Option<Bytes>, ProtocolError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.skip_empty_lines();
        let Some((len, next)) = self.find_end() else {
            // The last two bytes may be the empty line of a block that is just short enough.
            if self.buf.len() >= self.block_bytes_max + 2 {
                return Err(self.too_long());
            }
            return Ok(None);
        };
        if len > self.block_bytes_max {
            return Err(self.too_long());
        }
        let mut block = self.take(next);
        block.truncate(len);
        Ok(Some(block))
    }

    /// What has come of a block that isn't complete.
    pub(super) fn partial(&mut self) -> &[u8] {
        self.skip_empty_lines();
        &self.buf
    }

    /// Takes everything that is there, whatever it is.
    pub(super) fn take_all(&mut self) -> Bytes {
        self.take(self.buf.len())
    }

    /// Whether anything is there.
    pub(super) fn is_empty(&self) -> bool {
        self.buf.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.buf.len()
    }

    fn take(&mut self, end: usize) -> Bytes {
        self.scanned = 0;
        if end >= self.buf.len() {
            return std::mem::take(&mut self.buf).freeze();
        }
        self.buf.split_to(end).freeze()
    }

    fn skip_empty_lines(&mut self) {
        if self.scanned > 0 {
            return;
        }
        let empty = self.buf.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        if empty == self.buf.len() {
            self.buf = BytesMut::new();
        } else {
            self.buf.advance(empty);
        }
    }

    /// The length of the first block with its last line's end, and where the next one begins.
    fn find_end(&mut self) -> Option<(usize, usize)> {
        while let Some(found) = memchr(b'\n', self.buf.get(self.scanned..)?) {
            let line_end = self.scanned + found;
            match (self.buf.get(line_end + 1), self.buf.get(line_end + 2)) {
                (Some(b'\n'), _) => return Some((line_end + 1, line_end + 2)),
                (Some(b'\r'), Some(b'\n')) => return Some((line_end + 1, line_end + 3)),
                (None, _) | (Some(b'\r'), None) => {
                    self.scanned = line_end;
                    return None;
                }
                _ => self.scanned = line_end + 1,
            }
        }
        self.scanned = self.buf.len();
        None
    }

    fn too_long(&mut self) -> ProtocolError {
        let limit = self.block_bytes_max;
        self.fail(ProtocolError::TooLong { what: "the block of headers", limit })
    }

    fn fail(&mut self, error: ProtocolError) -> ProtocolError {
        self.buf = BytesMut::new();
        self.scanned = 0;
        self.failed = Some(error.clone());
        error
    }
}

/// A block taken apart.
#[derive(Debug)]
pub(super) struct Block<'a> {
    /// The first line, trimmed.
    pub(super) verb: &'a str,
    rest: &'a str,
}

impl<'a> Block<'a> {
    pub(super) fn parse(block: &'a [u8]) -> Result<Self, ProtocolError> {
        let text = std::str::from_utf8(block)
            .map_err(|_| ProtocolError::NotUtf8 { what: "the block of headers" })?;
        let (verb, rest) = text.split_once('\n').unwrap_or((text, ""));
        Ok(Self { verb: verb.trim(), rest })
    }

    /// The lines after the first, without their ends.
    pub(super) fn lines(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.rest.lines().filter(|line| !line.trim().is_empty())
    }

    /// The names and values of the header lines; a line without a colon is left out.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.lines().filter_map(|line| line.split_once(':')).map(|(name, value)| (name.trim(), value.trim()))
    }

    /// The value of the first header of this name, in any case.
    pub(super) fn get(&self, wanted: &str) -> Option<&'a str> {
        self.headers().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
    }

    pub(super) fn need(&self, wanted: &'static str) -> Result<&'a str, ProtocolError> {
        self.get(wanted).ok_or(ProtocolError::Missing { what: wanted })
    }
}

/// Writes `name: value` as a line. What would break the line is left out.
pub(super) fn put_header(out: &mut BytesMut, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    put_line(out, value);
}

/// Writes a line. What would break it is left out.
pub(super) fn put_line(out: &mut BytesMut, line: &str) {
    for part in line.split(['\r', '\n']) {
        out.extend_from_slice(part.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(limit: usize) -> Blocks {
        Blocks::new(limit, 1024)
    }

    #[test]
    fn blocks_end_at_empty_lines_of_either_kind() {
        let mut blocks = blocks(100);
        blocks.feed(b"\r\n\nA\r\nb: c\r\n\r\nB\n\n\r\nC\r\n\nD\n\r\nE");
        for expected in ["A\r\nb: c\r\n", "B\n", "C\r\n", "D\n"] {
            assert_eq!(blocks.next_block().unwrap().unwrap(), expected);
        }
        assert_eq!(blocks.next_block(), Ok(None));
        assert_eq!(blocks.partial(), b"E");
        assert_eq!(blocks.take_all(), "E");
        assert!(blocks.is_empty() && blocks.buf.capacity() == 0);
    }

    #[test]
    fn the_limit_is_exact_however_the_bytes_arrive() {
        for (line, fits) in [("A\r\nxxxxx\r\n", true), ("A\r\nxxxxxx\r\n", false)] {
            let input = format!("{line}\r\n");
            for step in [1, 2, input.len()] {
                let mut blocks = blocks(10);
                let mut found = Ok(None);
                for part in input.as_bytes().chunks(step) {
                    blocks.feed(part);
                    found = blocks.next_block();
                    if !matches!(found, Ok(None)) {
                        break;
                    }
                }
                let limit = 10;
                let expected = if fits {
                    Ok(Some(Bytes::from(line)))
                } else {
                    Err(ProtocolError::TooLong { what: "the block of headers", limit })
                };
                assert_eq!(found, expected, "{line:?} by {step}");
            }
        }
    }

    #[test]
    fn what_is_never_taken_out_is_bounded_too() {
        let mut blocks = blocks(100);
        for _ in 0..400 {
            blocks.feed(b"A\n\n");
        }
        assert!(matches!(blocks.next_block(), Err(ProtocolError::TooLong { .. })));
        assert!(matches!(blocks.next_block(), Err(ProtocolError::TooLong { .. })));
        assert!(blocks.is_empty());
    }

    #[test]
    fn headers_in_any_case_and_spacing() {
        let block = Block::parse(b"REGACK \r\nCLIENTid:  ana \r\nnothing\r\n IP:1.2.3.4\r\n").unwrap();
        assert_eq!(block.verb, "REGACK");
        assert_eq!(block.get("clientID"), Some("ana"));
        assert_eq!(block.get("ip"), Some("1.2.3.4"));
        assert_eq!(block.need("Port"), Err(ProtocolError::Missing { what: "Port" }));
    }
}
