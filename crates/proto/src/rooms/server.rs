//! What a rooms server reads and writes.

use bytes::{BufMut, BytesMut};
use memchr::memchr;

use super::{
    ClientFrame, EXIT, FIRST_BYTES_MAX, Framing, PRIVATE, SEPARATOR, ServerFrame, take_read, take_text,
};
use crate::ProtocolError;

/// Bytes in, frames out. Drained, it owns no memory.
///
/// Where a read is a message the frames have to be taken after each call of [`Decoder::feed`].
#[derive(Debug)]
pub struct Decoder {
    pub(super) buf: BytesMut,
    /// No line feed before this.
    scanned: usize,
    line_bytes_max: usize,
    /// `None` until the first message is complete.
    framing: Option<Framing>,
    /// The first message is complete without a line feed.
    paused: bool,
    finished: bool,
    failed: Option<ProtocolError>,
}

impl Decoder {
    /// Waits for a first message. `line_bytes_max` bounds a line, and is where a longer read is cut in two; it
    /// has to have room for a character.
    #[must_use]
    pub fn new(line_bytes_max: usize) -> Self {
        Self {
            buf: BytesMut::new(),
            scanned: 0,
            line_bytes_max: line_bytes_max.max(4),
            framing: None,
            paused: false,
            finished: false,
            failed: None,
        }
    }

    /// One call per socket read.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buf.extend_from_slice(bytes);
        }
    }

    /// Nothing came for a while: a first message without a line feed is complete.
    pub fn pause(&mut self) {
        self.paused |= self.framing.is_none() && !self.buf.is_empty();
    }

    /// Nothing will come any more: what has no end yet ends here.
    pub fn finish(&mut self) {
        self.pause();
        self.finished = true;
    }

    /// How the client's messages are told apart; known once the first message is complete.
    #[must_use]
    pub fn framing(&self) -> Option<Framing> {
        self.framing
    }

    /// What came and was not taken yet, in bytes.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buf.len()
    }

    /// The next frame; `Ok(None)`: feed more.
    ///
    /// # Errors
    /// If the first message isn't one, or a line is too long. Both are fatal, and repeat.
    pub fn next_frame(&mut self) -> Result<Option<ClientFrame>, ProtocolError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let frame = match self.framing {
            None => self.first(),
            Some(Framing::Lines) => self.line(),
            Some(Framing::Reads) => {
                let text = take_read(&mut self.buf, self.line_bytes_max, self.finished);
                Ok(text.map(ClientFrame::Text))
            }
        };
        if let Err(error) = &frame {
            self.buf = BytesMut::new();
            self.failed = Some(error.clone());
        }
        frame
    }

    fn first(&mut self) -> Result<Option<ClientFrame>, ProtocolError> {
        let end = self.find_line_feed();
        // The limit is on the message; its end may be two bytes more.
        if end.unwrap_or(self.buf.len()) > FIRST_BYTES_MAX + 1 {
            return Err(too_long_first());
        }
        let message = match end {
            Some(end) => {
                self.framing = Some(Framing::Lines);
                self.take_line(end)
            }
            None if self.paused => {
                self.framing = Some(Framing::Reads);
                self.scanned = 0;
                std::mem::take(&mut self.buf)
            }
            None => return Ok(None),
        };
        first(&message).map(Some)
    }

    fn line(&mut self) -> Result<Option<ClientFrame>, ProtocolError> {
        let end = self.find_line_feed();
        if end.unwrap_or(self.buf.len()) > self.line_bytes_max {
            return Err(ProtocolError::TooLong { what: "a line", limit: self.line_bytes_max }.fatal());
        }
        match end {
            Some(end) => {
                let line = self.take_line(end);
                Ok(Some(ClientFrame::Text(String::from_utf8_lossy(&line).into_owned())))
            }
            None if self.finished && !self.buf.is_empty() => {
                self.scanned = 0;
                let len = self.buf.len();
                Ok(Some(ClientFrame::Text(take_text(&mut self.buf, len))))
            }
            None => Ok(None),
        }
    }

    fn find_line_feed(&mut self) -> Option<usize> {
        let found = memchr(b'\n', self.buf.get(self.scanned..).unwrap_or_default());
        let end = found.map(|at| self.scanned + at);
        self.scanned = end.unwrap_or(self.buf.len());
        end
    }

    /// Takes the line whose line feed is at `end`, without that and a CR before it.
    fn take_line(&mut self, end: usize) -> BytesMut {
        let mut line = self.buf.split_to((end + 1).min(self.buf.len()));
        self.scanned = 0;
        if self.buf.is_empty() {
            self.buf = BytesMut::new();
        }
        line.truncate(end);
        if line.last() == Some(&b'\r') {
            line.truncate(end - 1);
        }
        line
    }
}

fn too_long_first() -> ProtocolError {
    ProtocolError::TooLong { what: "the first message", limit: FIRST_BYTES_MAX }.fatal()
}

fn first(message: &[u8]) -> Result<ClientFrame, ProtocolError> {
    if message.len() > FIRST_BYTES_MAX {
        return Err(too_long_first());
    }
    let malformed = || ProtocolError::malformed("first message, which is NAME_ROOM", message).fatal();
    let text = std::str::from_utf8(message)
        .map_err(|_| ProtocolError::NotUtf8 { what: "the first message" }.fatal())?;
    let (name, room) = text.split_once('_').ok_or_else(malformed)?;
    if name.is_empty() || room.is_empty() || room.contains('_') {
        return Err(malformed());
    }
    Ok(ClientFrame::First { name: name.to_owned(), room: room.to_owned() })
}

/// Appends what somebody said. It has to be on one line where lines are messages.
pub fn encode_message(from: &str, private: bool, text: &str, framing: Framing, out: &mut BytesMut) {
    // Exactly as much as is needed: then the bytes can be shared without being wrapped.
    out.reserve(message_bytes(from, private, text.len(), framing));
    let end = if framing == Framing::Lines { "\n" } else { "" };
    for part in [from, if private { PRIVATE } else { "" }, SEPARATOR, text, end] {
        out.put_slice(part.as_bytes());
    }
}

/// How many bytes a message with so many bytes of text takes.
#[must_use]
pub fn message_bytes(from: &str, private: bool, text: usize, framing: Framing) -> usize {
    let private = if private { PRIVATE.len() } else { 0 };
    from.len() + private + SEPARATOR.len() + text + usize::from(framing == Framing::Lines)
}

/// Appends a frame. Its text has to be on one line where lines are messages.
pub fn encode(frame: &ServerFrame, framing: Framing, out: &mut BytesMut) {
    match frame {
        ServerFrame::Code(code) => out.put_slice(code.as_str().as_bytes()),
        ServerFrame::Message { from, private, text } => {
            return encode_message(from, *private, text, framing, out);
        }
        ServerFrame::Exit => out.put_slice(EXIT.as_bytes()),
        ServerFrame::Other(text) => out.put_slice(text.as_bytes()),
    }
    if framing == Framing::Lines {
        out.put_u8(b'\n');
    }
}
