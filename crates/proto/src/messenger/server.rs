//! The server's side: what clients write, read with all their variants, and what a server writes.

use std::fmt::Write;

use bytes::{Buf, BufMut, BytesMut};

use super::body::{Counter, Patience};
use super::head::{self, SendHead, Verb};
use super::{ClientFrame, End, Framing, Layout, Role, ServerFrame, utf};
use crate::ProtocolError;

/// Bytes in, [`ClientFrame`]s out. Drained, it owns no memory.
///
/// Most messages end where their bytes say. The rest need silence: the owner of the clock calls
/// [`Decoder::pause`] after a short one and [`Decoder::give_up`] after a long one, as long as
/// [`Decoder::is_empty`] is false.
#[derive(Debug)]
pub struct Decoder {
    buf: BytesMut,
    /// Bytes of the line at the front that are known to hold no line feed.
    scanned: usize,
    bytes_max: usize,
    framing: Option<Framing>,
    /// The SEND whose body comes next.
    body: Option<Box<(SendHead, Counter)>>,
    /// What comes next comes right after a body.
    after_body: bool,
    newline_after_body: bool,
    failed: Option<Box<ProtocolError>>,
}

impl Decoder {
    /// A decoder of lines and bodies of at most `bytes_max` bytes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self {
            buf: BytesMut::new(),
            scanned: 0,
            bytes_max,
            framing: None,
            body: None,
            after_body: false,
            newline_after_body: false,
            failed: None,
        }
    }

    /// Takes what one read gave. Any split will do.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buf.extend_from_slice(bytes);
        }
    }

    /// Whether `bytes` are a RECEIVED, as nearly all clients write it, and nothing else while nothing waits; and if so,
    /// whether it is misspelled. Then they are not to be fed. That is nearly all that most connections ever say, and so
    /// it is read where it is.
    pub fn receipt(&mut self, bytes: &[u8]) -> Option<bool> {
        if self.framing != Some(Framing::Bare) || !self.is_empty() || self.failed.is_some() {
            return None;
        }
        let misspelled = match bytes.get(..8)? {
            b"RECEIVED" => false,
            b"RECIEVED" => true,
            _ => return None,
        };
        let (line, rest) = bytes.split_at_checked(memchr::memchr(b'\n', bytes)?)?;
        let is_all = rest.iter().all(|byte| *byte == b'\n' || head::is_blank(*byte));
        if !is_all || line.len() > self.bytes_max {
            return None;
        }
        self.after_body = false;
        Some(misspelled)
    }

    /// The next frame; `Ok(None)`: feed more. A fatal error repeats; after any other go on.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn next_frame(&mut self) -> Result<Option<ClientFrame>, ProtocolError> {
        self.step(Patience::Full)
    }

    /// As [`Decoder::next_frame`] after a short silence: messages whose end can't be seen have ended.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn pause(&mut self) -> Result<Option<ClientFrame>, ProtocolError> {
        self.step(Patience::Short)
    }

    /// As [`Decoder::next_frame`] when nothing more will come: what is not whole now is an error.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn give_up(&mut self) -> Result<Option<ClientFrame>, ProtocolError> {
        self.step(Patience::Gone)
    }

    /// Whether nothing waits for more bytes or for silence.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buf.is_empty() && self.body.is_none()
    }

    /// Whether what waits is a body or a frame whose length is known and that isn't whole.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.body.is_some() || (!self.buf.is_empty() && self.framing() == Framing::Utf)
    }

    /// How many bytes wait.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buf.len()
    }

    /// How this client frames its messages.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.framing.unwrap_or_default()
    }

    /// Whether a body was ever followed by a line feed that its length doesn't count.
    #[must_use]
    pub fn newline_after_body(&self) -> bool {
        self.newline_after_body
    }

    fn step(&mut self, patience: Patience) -> Result<Option<ClientFrame>, ProtocolError> {
        if let Some(error) = &self.failed {
            return Err((**error).clone());
        }
        let result = match self.framing_seen() {
            Framing::Bare => self.bare(patience),
            Framing::Utf => self.framed(patience),
        };
        if let Err(error) = &result
            && error.is_fatal()
        {
            self.failed = Some(Box::new(error.clone()));
            self.buf.clear();
            self.body = None;
        }
        if self.buf.is_empty() {
            self.buf = BytesMut::new();
            self.scanned = 0;
        }
        result
    }

    /// The first byte decides: no verb begins with NUL, every short frame does.
    fn framing_seen(&mut self) -> Framing {
        if let (None, Some(first)) = (self.framing, self.buf.first()) {
            self.framing = Some(if *first == 0 { Framing::Utf } else { Framing::Bare });
        }
        self.framing()
    }

    fn bare(&mut self, patience: Patience) -> Result<Option<ClientFrame>, ProtocolError> {
        if self.body.is_some() {
            return self.body(patience);
        }
        if !self.skip_between() {
            return Ok(None);
        }
        let unscanned = self.buf.get(self.scanned..).unwrap_or_default();
        let line_end = memchr::memchr(b'\n', unscanned).map(|at| self.scanned + at);
        self.scanned = line_end.unwrap_or(self.buf.len());
        if self.scanned > self.bytes_max {
            return Err(ProtocolError::TooLong { what: "a line", limit: self.bytes_max });
        }
        if line_end.is_none() && patience == Patience::Full {
            return Ok(None);
        }
        let line = self.buf.get(..self.scanned).unwrap_or_default();
        let Some((verb, rest)) = head::verb(line) else {
            let word = head::trim(line);
            if line_end.is_none() && patience < Patience::Gone && head::may_become_verb(word) {
                return Ok(None);
            }
            let error = ProtocolError::unknown("verb", word);
            self.consume(self.scanned + 1);
            return Err(error);
        };
        let frame = match verb {
            Verb::Send => return self.send(patience),
            Verb::Register => return self.register(line_end, patience),
            Verb::Received { misspelled } => received(rest, misspelled),
            Verb::Error => error(rest),
            Verb::Unregister => ClientFrame::Unregister,
        };
        self.consume(self.scanned + 1);
        Ok(Some(frame))
    }

    /// Drops what stands between messages: blanks, empty lines, and the length before a single framed message.
    /// Tells whether something is left.
    fn skip_between(&mut self) -> bool {
        if self.scanned > 0 {
            return true;
        }
        loop {
            match self.buf.as_ref() {
                [b'\n', ..] => {
                    self.newline_after_body |= self.after_body;
                    self.buf.advance(1);
                }
                [byte, ..] if head::is_blank(*byte) => self.buf.advance(1),
                [0, _, ..] => self.buf.advance(2),
                [0] | [] => return false,
                [..] => {
                    self.after_body = false;
                    return true;
                }
            }
        }
    }

    fn consume(&mut self, bytes: usize) {
        self.buf.advance(bytes.min(self.buf.len()));
        self.scanned = 0;
    }

    fn register(
        &mut self,
        line_end: Option<usize>,
        patience: Patience,
    ) -> Result<Option<ClientFrame>, ProtocolError> {
        let line = self.buf.get(..self.scanned).unwrap_or_default();
        let parsed = register(line);
        let after = line_end.and_then(|end| self.buf.get(end + 1..));
        let (end, taken) = match after {
            Some(after) => match end_after(after) {
                Some(found) => found,
                None if patience == Patience::Full => return Ok(None),
                None => (End::LineFeed, after.len()),
            },
            // Silence in the middle of typing is no end, so the name has to be there.
            None if patience == Patience::Short
                && !parsed.as_ref().is_ok_and(|(_, name, _)| !name.is_empty()) =>
            {
                return Ok(None);
            }
            None => (End::Nothing, 0),
        };
        self.consume(self.scanned + 1 + taken);
        let (role, name, spaced) = parsed?;
        Ok(Some(ClientFrame::Register { role, name, spaced, end }))
    }

    fn send(&mut self, patience: Patience) -> Result<Option<ClientFrame>, ProtocolError> {
        let Some((head, taken)) = head::send_head(&self.buf, patience > Patience::Full)? else {
            if self.buf.len() > self.bytes_max {
                return Err(ProtocolError::TooLong { what: "a SEND header", limit: self.bytes_max });
            }
            if patience == Patience::Gone {
                return Err(ProtocolError::Truncated { what: "a SEND header" });
            }
            return Ok(None);
        };
        if head.length > self.bytes_max {
            return Err(ProtocolError::TooLong { what: "a body", limit: self.bytes_max });
        }
        self.consume(taken);
        self.body_of(head, Counter::default(), patience)
    }

    fn body(&mut self, patience: Patience) -> Result<Option<ClientFrame>, ProtocolError> {
        let Some(body) = self.body.take() else { return Ok(None) };
        let (head, counter) = *body;
        self.body_of(head, counter, patience)
    }

    /// The frame if its body is whole; else it is kept.
    fn body_of(
        &mut self,
        mut head: SendHead,
        mut counter: Counter,
        patience: Patience,
    ) -> Result<Option<ClientFrame>, ProtocolError> {
        let is_indented = head.indented && head.length > 0;
        if is_indented && let Some(first) = self.buf.first() {
            if *first == b' ' {
                self.buf.advance(1);
            }
            head.indented = false;
        }
        let end = match head.length {
            0 => Some(0),
            _ if is_indented && head.indented => None,
            length => counter.end(&self.buf, length, patience),
        };
        if let Some(end) = end {
            let text = utf::decode(self.buf.get(..end).unwrap_or_default());
            self.consume(end);
            self.after_body = true;
            return Ok(Some(sent(head, text)));
        }
        match patience {
            Patience::Gone => Err(ProtocolError::Truncated { what: "a body" }),
            Patience::Full | Patience::Short => {
                self.body = Some(Box::new((head, counter)));
                Ok(None)
            }
        }
    }

    fn framed(&mut self, patience: Patience) -> Result<Option<ClientFrame>, ProtocolError> {
        loop {
            let frame = match self.buf.as_ref() {
                [] => return Ok(None),
                [high, low, rest @ ..] => rest.get(..usize::from(u16::from_be_bytes([*high, *low]))),
                [_] => None,
            };
            let Some(frame) = frame else {
                return match patience {
                    Patience::Gone => Err(ProtocolError::Truncated { what: "a frame" }),
                    Patience::Full | Patience::Short => Ok(None),
                };
            };
            let taken = frame.len() + 2;
            if frame.len() > self.bytes_max {
                return Err(ProtocolError::TooLong { what: "a frame", limit: self.bytes_max });
            }
            let start = frame.iter().position(|byte| !head::is_blank(*byte) && *byte != b'\n');
            let result = start.and_then(|start| frame.get(start..)).map(whole);
            self.buf.advance(taken);
            if let Some(result) = result {
                let (frame, newline) = result?;
                self.newline_after_body |= newline;
                return Ok(Some(frame));
            }
        }
    }
}

/// Role, name and whether a blank follows it.
fn register(line: &[u8]) -> Result<(Role, String, bool), ProtocolError> {
    let (_, rest) = head::split_word(line);
    let (role, name) = head::split_word(head::trim(rest));
    let role = Role::parse(role).ok_or_else(|| ProtocolError::unknown("role", role))?;
    let name = String::from_utf8_lossy(head::trim(name)).into_owned();
    Ok((role, name, head::is_spaced(line)))
}

/// What a line that is complete up to its line feed ends with, and how many more bytes that takes.
fn end_after(after: &[u8]) -> Option<(End, usize)> {
    let blanks = after.iter().take_while(|byte| head::is_blank(**byte)).count();
    match (after.get(blanks)?, after.get(..blanks).unwrap_or_default()) {
        (b'\n', b"" | b"\r") => Some((End::EmptyLine, blanks + 1)),
        (b'\n', _) => Some((End::BlankLine, blanks + 1)),
        _ => Some((End::LineFeed, 0)),
    }
}

fn received(rest: &[u8], misspelled: bool) -> ClientFrame {
    ClientFrame::Received { about: String::from_utf8_lossy(head::trim(rest)).into_owned(), misspelled }
}

fn error(rest: &[u8]) -> ClientFrame {
    ClientFrame::Error { text: String::from_utf8_lossy(head::trim(rest)).into_owned() }
}

fn sent(head: SendHead, body: String) -> ClientFrame {
    ClientFrame::Send { to: head.to, body, layout: head.layout, spaced: head.spaced }
}

/// Reads a message that is known to be whole; also whether a body in it is followed by an uncounted line feed.
fn whole(message: &[u8]) -> Result<(ClientFrame, bool), ProtocolError> {
    let line_end = memchr::memchr(b'\n', message).unwrap_or(message.len());
    let line = message.get(..line_end).unwrap_or_default();
    let (verb, rest) = head::verb(line).ok_or_else(|| ProtocolError::unknown("verb", head::trim(line)))?;
    let frame = match verb {
        Verb::Register => {
            let (role, name, spaced) = register(line)?;
            let after = message.get(line_end + 1..);
            let end = after.map_or(End::Nothing, |after| end_after(after).map_or(End::LineFeed, |end| end.0));
            ClientFrame::Register { role, name, spaced, end }
        }
        Verb::Send => return whole_send(message),
        Verb::Received { misspelled } => received(rest, misspelled),
        Verb::Error => error(rest),
        Verb::Unregister => ClientFrame::Unregister,
    };
    Ok((frame, false))
}

fn whole_send(message: &[u8]) -> Result<(ClientFrame, bool), ProtocolError> {
    let truncated = ProtocolError::Truncated { what: "a SEND" };
    let (head, taken) = head::send_head(message, true)?.ok_or_else(|| truncated.clone())?;
    let body = message.get(taken..).unwrap_or_default();
    let body = if head.indented { body.strip_prefix(b" ").unwrap_or(body) } else { body };
    let text = utf::decode_modified(body);
    let (text, rest) = match text.char_indices().nth(head.length).map_or(text.len(), |(end, _)| end) {
        // Fewer characters than the header says: then it says bytes.
        end if end == text.len() && body.len() < head.length => return Err(truncated),
        end => text.split_at_checked(end).unwrap_or_default(),
    };
    Ok((sent(head, text.to_owned()), rest.starts_with('\n')))
}

/// What makes the bytes of one client's messages differ from another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Voice {
    /// How each message is framed.
    pub framing: Framing,
    /// How messages without a body end.
    pub end: End,
    /// How a FORWARD is laid out.
    pub layout: Layout,
    /// Whether a line feed that is not counted follows a FORWARD's body.
    pub newline_after_body: bool,
}

/// Writes one message. Names and texts have no line feeds, which is the caller's care.
pub fn encode(frame: &ServerFrame, voice: Voice, out: &mut BytesMut) {
    let end = voice.end.as_str();
    match frame {
        ServerFrame::Registered { role, name } => {
            in_frame(voice, out, |out| put(out, &["REGISTERED ", role.as_str(), " ", name, end]));
        }
        ServerFrame::Sent { word, to } => {
            in_frame(voice, out, |out| put(out, &[word.as_str(), " ", to, end]))
        }
        ServerFrame::Forward { from, body } => encode_forward(from, body, voice, out),
        ServerFrame::Error(code) => in_frame(voice, out, |out| {
            put_number(out, "ERROR ", usize::from(code.code()));
            put(out, &[" ", code.text(), end]);
        }),
        ServerFrame::Unregistered => in_frame(voice, out, |out| put(out, &["UNREGISTERED", end])),
    }
}

/// Writes a FORWARD, as [`encode`] does.
pub fn encode_forward(from: &str, body: &str, voice: Voice, out: &mut BytesMut) {
    let is_one_line = voice.layout == Layout::OneLine;
    let count = body.chars().count() + usize::from(is_one_line);
    let between = match voice.layout {
        Layout::Lines => "\n\n",
        Layout::NoEmptyLine => "\n",
        Layout::OneLine => " ",
    };
    let after_name = if is_one_line { " " } else { "\n" };
    out.reserve(from.len() + body.len() + FORWARD_OVERHEAD_BYTES);
    in_frame(voice, out, |out| {
        put(out, &["FORWARD ", from, after_name]);
        put_number(out, "Content-length: ", count);
        out.put_slice(between.as_bytes());
        match voice.framing {
            Framing::Bare => out.put_slice(body.as_bytes()),
            Framing::Utf => utf::encode_modified(body, out),
        }
        if is_one_line || voice.newline_after_body {
            out.put_u8(b'\n');
        }
    });
}

/// Puts the length before what `write` writes if this client wants it.
fn in_frame(voice: Voice, out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
    if voice.framing == Framing::Bare {
        return write(out);
    }
    let length_at = out.len();
    out.put_u16(0);
    write(out);
    let length = u16::try_from(out.len() - length_at - 2).unwrap_or(u16::MAX);
    if let Some(slot) = out.get_mut(length_at..length_at + 2) {
        slot.copy_from_slice(&length.to_be_bytes());
    }
}

/// The most bytes that a FORWARD has beside its body and its sender's name.
pub const FORWARD_OVERHEAD_BYTES: usize = 2 + "FORWARD \nContent-length: 65535\n\n\n".len();

pub use super::utf::modified_width;

fn put_number(out: &mut BytesMut, before: &str, number: usize) {
    // Writing to a BytesMut can't fail: it grows.
    let _ = write!(out, "{before}{number}");
}

fn put(out: &mut BytesMut, parts: &[&str]) {
    out.reserve(parts.iter().map(|part| part.len()).sum());
    parts.iter().for_each(|part| out.put_slice(part.as_bytes()));
}
