//! What a client writes, and what servers write, read.

use std::fmt::Write;

use bytes::{Buf, BufMut, BytesMut};

use crate::ProtocolError;
use crate::messenger::head::{is_blank, length_value, split_word, trim};
use crate::messenger::{ClientFrame, ErrorCode, Layout, Role, SentWord, ServerFrame};

/// Bytes in, [`ServerFrame`]s out. Drained, it owns no memory.
///
/// Servers differ in how they end a message and in the word of an acknowledgement; both are taken. The length of
/// a FORWARD counts characters.
#[derive(Debug)]
pub struct Decoder {
    buf: BytesMut,
    scanned: usize,
    bytes_max: usize,
    body: Option<Box<Body>>,
    failed: Option<Box<ProtocolError>>,
}

/// A FORWARD whose body comes next.
#[derive(Debug)]
struct Body {
    from: String,
    chars: usize,
    /// How many characters have come, and their bytes.
    counted: (usize, usize),
}

impl Decoder {
    /// A decoder of lines and bodies of at most `bytes_max` bytes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self { buf: BytesMut::new(), scanned: 0, bytes_max, body: None, failed: None }
    }

    /// Takes what one read gave. Any split will do.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buf.extend_from_slice(bytes);
        }
    }

    /// The next frame; `Ok(None)`: feed more. A fatal error repeats; after any other go on.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn next_frame(&mut self) -> Result<Option<ServerFrame>, ProtocolError> {
        if let Some(error) = &self.failed {
            return Err((**error).clone());
        }
        let result = if self.body.is_some() { self.body() } else { self.line() };
        if let Err(error) = &result
            && error.is_fatal()
        {
            self.failed = Some(Box::new(error.clone()));
            self.buf.clear();
        }
        if self.buf.is_empty() {
            self.buf = BytesMut::new();
        }
        result
    }

    fn line(&mut self) -> Result<Option<ServerFrame>, ProtocolError> {
        if self.scanned == 0 {
            let blanks = self.buf.iter().take_while(|byte| is_blank(**byte) || **byte == b'\n').count();
            self.buf.advance(blanks);
        }
        let Some(end) = self.line_end(self.scanned)? else { return Ok(None) };
        let line = trim(self.buf.get(..end).unwrap_or_default());
        let (verb, rest) = split_word(line);
        if verb == b"FORWARD" {
            return self.forward(end);
        }
        let result = parse(verb, rest);
        self.consume(end + 1);
        result.map(Some)
    }

    /// Where the line that goes on at `from` ends. What was searched once is not searched again.
    fn line_end(&mut self, from: usize) -> Result<Option<usize>, ProtocolError> {
        let searched = from.max(self.scanned);
        let rest = self.buf.get(searched..).unwrap_or_default();
        let end = memchr::memchr(b'\n', rest).map(|at| searched + at);
        if end.unwrap_or(self.buf.len()) > self.bytes_max {
            return Err(ProtocolError::TooLong { what: "a line", limit: self.bytes_max });
        }
        if end.is_none() {
            self.scanned = self.buf.len();
        }
        Ok(end)
    }

    /// Reads a header of two lines and an empty one. They are short: nothing is consumed before all are there.
    fn forward(&mut self, first_end: usize) -> Result<Option<ServerFrame>, ProtocolError> {
        self.scanned = first_end;
        let incomplete = || ProtocolError::Missing { what: "Content-length" }.fatal();
        let Some(second_end) = end_of_line(&self.buf, first_end + 1) else { return self.more() };
        let first = trim(self.buf.get(..first_end).unwrap_or_default());
        let second = trim(self.buf.get(first_end + 1..second_end).unwrap_or_default());
        let (name, length) = second.split_at_checked(b"Content-length".len()).ok_or_else(incomplete)?;
        if !name.eq_ignore_ascii_case(b"Content-length") {
            return Err(incomplete());
        }
        let (chars, _) = length_value(length)?;
        if chars > self.bytes_max {
            return Err(ProtocolError::TooLong { what: "a body", limit: self.bytes_max });
        }
        let from = text(trim(split_word(first).1));
        let Some(third_end) = end_of_line(&self.buf, second_end + 1) else { return self.more() };
        if !trim(self.buf.get(second_end + 1..third_end).unwrap_or_default()).is_empty() {
            return Err(ProtocolError::Missing { what: "empty line" }.fatal());
        }
        self.consume(third_end + 1);
        self.body = Some(Box::new(Body { from, chars, counted: (0, 0) }));
        self.body()
    }

    fn more(&self) -> Result<Option<ServerFrame>, ProtocolError> {
        if self.buf.len() > self.bytes_max {
            return Err(ProtocolError::TooLong { what: "a FORWARD header", limit: self.bytes_max });
        }
        Ok(None)
    }

    fn body(&mut self) -> Result<Option<ServerFrame>, ProtocolError> {
        let Some(body) = &mut self.body else { return Ok(None) };
        let (mut chars, mut at) = body.counted;
        let most = at.saturating_add(4 * (body.chars - chars)).min(self.buf.len());
        let rest = self.buf.get(at..most).unwrap_or_default();
        let valid = match std::str::from_utf8(rest) {
            Ok(text) => text,
            Err(error) => {
                let valid = rest.get(..error.valid_up_to()).unwrap_or_default();
                let valid = std::str::from_utf8(valid).unwrap_or_default();
                if error.error_len().is_some() && valid.chars().count() < body.chars - chars {
                    return Err(ProtocolError::NotUtf8 { what: "a body" }.fatal());
                }
                valid
            }
        };
        for c in valid.chars().take(body.chars - chars) {
            chars += 1;
            at += c.len_utf8();
        }
        body.counted = (chars, at);
        if chars < body.chars {
            return Ok(None);
        }
        let (from, body) = (std::mem::take(&mut body.from), text(self.buf.get(..at).unwrap_or_default()));
        self.body = None;
        self.consume(at);
        Ok(Some(ServerFrame::Forward { from, body }))
    }

    fn consume(&mut self, bytes: usize) {
        self.buf.advance(bytes.min(self.buf.len()));
        self.scanned = 0;
    }
}

fn end_of_line(bytes: &[u8], from: usize) -> Option<usize> {
    memchr::memchr(b'\n', bytes.get(from..)?).map(|at| from + at)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn parse(verb: &[u8], rest: &[u8]) -> Result<ServerFrame, ProtocolError> {
    let rest = trim(rest);
    match verb {
        b"REGISTERED" => {
            let (role, name) = split_word(rest);
            let role = Role::parse(role).ok_or_else(|| ProtocolError::unknown("role", role))?;
            Ok(ServerFrame::Registered { role, name: text(trim(name)) })
        }
        b"SEND" => Ok(ServerFrame::Sent { word: SentWord::Send, to: text(rest) }),
        b"SENT" => Ok(ServerFrame::Sent { word: SentWord::Sent, to: text(rest) }),
        b"ERROR" => {
            let (code, words) = split_word(rest);
            let code = std::str::from_utf8(code).ok().and_then(|code| code.parse::<u16>().ok());
            let code = code.ok_or_else(|| ProtocolError::malformed("error", rest))?;
            Ok(ServerFrame::Error(error_code(code, trim(words))))
        }
        b"UNREGISTERED" => Ok(ServerFrame::Unregistered),
        _ => Err(ProtocolError::unknown("verb", verb)),
    }
}

fn error_code(code: u16, words: &[u8]) -> ErrorCode {
    let known = [
        ErrorCode::MalformedUsername,
        ErrorCode::NoUserRegistered,
        ErrorCode::UnableToSend,
        ErrorCode::HeaderIncomplete,
    ];
    // Some servers have other words for the same number; the number is what counts.
    let found = known.into_iter().find(|known| known.code() == code);
    found.unwrap_or_else(|| ErrorCode::Other { code, text: text(words) })
}

/// Writes one message.
pub fn encode(frame: &ClientFrame, out: &mut BytesMut) {
    match frame {
        ClientFrame::Register { role, name, spaced, end } => {
            let blank = if *spaced { " " } else { "" };
            put(out, &["REGISTER ", role.as_str(), " ", name, blank, end.as_str()]);
        }
        ClientFrame::Send { to, body, layout, spaced } => {
            let (after_name, between) = match layout {
                Layout::Lines => (if *spaced { " \n" } else { "\n" }, "\n\n"),
                Layout::NoEmptyLine => (if *spaced { " \n" } else { "\n" }, "\n"),
                Layout::OneLine => (" ", " "),
            };
            put(out, &["SEND ", to, after_name]);
            // Writing to a BytesMut can't fail: it grows.
            let _ = write!(out, "Content-length: {}{between}", body.chars().count());
            put(out, &[body]);
        }
        ClientFrame::Received { about, misspelled } => {
            put(out, &[if *misspelled { "RECIEVED" } else { "RECEIVED" }, " ", about, "\n\n"]);
        }
        ClientFrame::Error { text } => put(out, &["ERROR ", text, "\n\n"]),
        ClientFrame::Unregister => put(out, &["UNREGISTER\n\n"]),
    }
}

fn put(out: &mut BytesMut, parts: &[&str]) {
    out.reserve(parts.iter().map(|part| part.len()).sum());
    parts.iter().for_each(|part| out.put_slice(part.as_bytes()));
}
