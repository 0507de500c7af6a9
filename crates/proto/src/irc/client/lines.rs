//! Lines out of what a server sends. Only a line that isn't complete is copied.

use super::super::{LINE_BYTES_MAX, TAG_BYTES_MAX};
use crate::ProtocolError;

/// The longest line that a server may send, with its tags.
const BYTES_MAX: usize = TAG_BYTES_MAX + LINE_BYTES_MAX;

/// The beginning of a line whose end is still to come. Drained, it owns no memory.
#[derive(Debug, Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// Takes bytes, cut in any way, and lends each whole line without its end.
    ///
    /// # Errors
    /// `TooLong`: a line has no end. A single line that isn't UTF-8 is lent as an error.
    pub(super) fn feed(
        &mut self,
        mut bytes: &[u8],
        mut on_line: impl FnMut(Result<&str, ProtocolError>),
    ) -> Result<(), ProtocolError> {
        while let Some(at) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(at + 1);
            bytes = rest;
            if self.begun.is_empty() {
                on_line(text(line));
            } else {
                self.begun.extend_from_slice(line);
                on_line(text(&self.begun));
                self.begun = Vec::new();
            }
        }
        if self.begun.len() + bytes.len() > BYTES_MAX {
            return Err(ProtocolError::TooLong { what: "a line", limit: BYTES_MAX }.fatal());
        }
        self.begun.extend_from_slice(bytes);
        Ok(())
    }
}

fn text(line: &[u8]) -> Result<&str, ProtocolError> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    std::str::from_utf8(line).map_err(|_| ProtocolError::NotUtf8 { what: "line" })
}
