//! Cuts a stream of JSON values into its objects: where one begins and ends, not what is in it.

use bytes::{Buf, BytesMut};
use memchr::memchr3;

use super::Framing;
use crate::ProtocolError;

/// A stream of JSON values, of which only the objects count. Drained, it owns no memory.
#[derive(Debug)]
pub(super) struct Objects {
    buf: BytesMut,
    /// How far into `buf` the search for the end has come; 0 between values.
    scanned: usize,
    place: Place,
    bytes_max: usize,
    framing: Option<Framing>,
    failed: Option<ProtocolError>,
}

/// Where in the stream the first unread byte stands.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Between values, or in one of those that don't matter and can't hold an object: numbers, words, junk.
    Between,
    /// In a string that is no part of an object. Nothing of it is kept.
    String { escaped: bool },
    /// In an array that is no part of an object. Nothing of it is kept.
    Array { depth: usize, string: Option<InString> },
    /// In the object that `buf` begins with.
    Object { depth: usize, string: Option<InString>, last: u8 },
}

/// Inside of a string; `escaped`: behind a backslash.
#[derive(Debug, Clone, Copy)]
struct InString {
    escaped: bool,
}

/// How the object at the beginning of the buffer goes on.
enum Step {
    /// Its end isn't there yet.
    More,
    /// It is this long.
    End(usize),
    /// It is none: it is given up, and what comes after this many bytes is read afresh.
    Broken(usize),
}

impl Objects {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            buf: BytesMut::new(),
            scanned: 0,
            place: Place::Between,
            bytes_max,
            framing: None,
            failed: None,
        }
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        if let (None, Some(first)) = (self.framing, bytes.first()) {
            // No JSON begins with a zero byte, and no length within the limit begins with another.
            self.framing = Some(if *first == 0 { Framing::Length } else { Framing::Bare });
        }
        self.buf.extend_from_slice(bytes);
    }

    /// What the first byte has settled.
    pub(super) fn framing(&self) -> Option<Framing> {
        self.framing
    }

    /// What is kept of unfinished input, in bytes.
    pub(super) fn buffered(&self) -> usize {
        self.buf.len()
    }

    /// The next object's bytes. An error that isn't fatal stands for an object that was given up.
    pub(super) fn next_object(&mut self) -> Result<Option<BytesMut>, ProtocolError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let next = match self.framing {
            None => Ok(None),
            Some(Framing::Bare) => self.next_bare(),
            Some(Framing::Length) => self.next_framed(),
        };
        if let Err(error) = &next
            && error.is_fatal()
        {
            self.failed = Some(error.clone());
            self.buf = BytesMut::new();
        }
        if self.buf.is_empty() {
            self.buf = BytesMut::new();
        }
        next
    }

    fn next_framed(&mut self) -> Result<Option<BytesMut>, ProtocolError> {
        while let Some(prefix) = self.buf.first_chunk::<4>() {
            let length = u32::from_be_bytes(*prefix) as usize;
            if length > self.bytes_max {
                return Err(self.too_long());
            }
            if length == 0 {
                self.buf.advance(4);
                continue;
            }
            if self.buf.len() < 4 + length {
                return Ok(None);
            }
            self.buf.advance(4);
            return Ok(Some(self.buf.split_to(length)));
        }
        Ok(None)
    }

    fn next_bare(&mut self) -> Result<Option<BytesMut>, ProtocolError> {
        loop {
            if self.buf.is_empty() {
                return Ok(None);
            }
            match self.place {
                Place::Between => self.find_start(),
                Place::String { escaped } => self.skip_string(escaped),
                Place::Array { depth, string } => self.skip_array(depth, string),
                Place::Object { depth, string, last } => match self.scan(depth, string, last) {
                    Step::More if self.scanned >= self.bytes_max => return Err(self.too_long()),
                    Step::More => return Ok(None),
                    Step::End(length) => {
                        self.start_afresh();
                        return Ok(Some(self.buf.split_to(length)));
                    }
                    Step::Broken(length) => {
                        self.start_afresh();
                        let given_up = self.buf.split_to(length);
                        return Err(ProtocolError::malformed("object", &given_up));
                    }
                },
            }
        }
    }

    fn too_long(&self) -> ProtocolError {
        ProtocolError::TooLong { what: "object", limit: self.bytes_max }
    }

    fn start_afresh(&mut self) {
        self.place = Place::Between;
        self.scanned = 0;
    }

    /// Drops everything up to the next byte that begins a string, an array or an object.
    fn find_start(&mut self) {
        let start = memchr3(b'{', b'[', b'"', &self.buf).unwrap_or(self.buf.len());
        self.buf.advance(start);
        match self.buf.first() {
            Some(b'{') => {
                self.scanned = 1;
                self.place = Place::Object { depth: 1, string: None, last: b'{' };
            }
            Some(b'[') => {
                self.buf.advance(1);
                self.place = Place::Array { depth: 1, string: None };
            }
            Some(_) => {
                self.buf.advance(1);
                self.place = Place::String { escaped: false };
            }
            None => {}
        }
    }

    /// Drops a string up to its end. JSON has no line feed in strings: one is taken for the end of a broken line.
    fn skip_string(&mut self, escaped: bool) {
        let mut string = InString { escaped };
        for (at, byte) in self.buf.iter().enumerate() {
            if string.ends(*byte) || *byte == b'\n' {
                self.buf.advance(at + 1);
                return self.start_afresh();
            }
        }
        self.buf.clear();
        self.place = Place::String { escaped: string.escaped };
    }

    /// Drops an array up to its end, or up to a line feed inside of a string, where it is given up.
    fn skip_array(&mut self, mut depth: usize, mut string: Option<InString>) {
        for (at, byte) in self.buf.iter().enumerate() {
            match (&mut string, *byte) {
                (Some(_), b'\n') => depth = 0,
                (Some(inside), byte) => {
                    if inside.ends(byte) {
                        string = None;
                    }
                }
                (None, b'"') => string = Some(InString { escaped: false }),
                (None, b'[') => depth += 1,
                (None, b']') => depth -= 1,
                (None, _) => {}
            }
            if depth == 0 {
                self.buf.advance(at + 1);
                return self.start_afresh();
            }
        }
        self.buf.clear();
        self.place = Place::Array { depth, string };
    }

    /// Goes on with the object at the beginning of the buffer, from where the last call ended.
    fn scan(&mut self, mut depth: usize, mut string: Option<InString>, mut last: u8) -> Step {
        let end = self.buf.len().min(self.bytes_max);
        let mut at = self.scanned;
        while let Some(unread) = self.buf.get(at..end)
            && let Some(&byte) = unread.first()
        {
            let Some(inside) = &mut string else {
                at += 1;
                match byte {
                    b'"' => string = Some(InString { escaped: false }),
                    // JSON has no place for an object but behind one of these three: the one before was cut short.
                    b'{' if !matches!(last, b':' | b'[' | b',') => return Step::Broken(at - 1),
                    b'{' => depth += 1,
                    b'}' => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    return Step::End(at);
                }
                if !byte.is_ascii_whitespace() {
                    last = byte;
                }
                continue;
            };
            if !inside.escaped {
                at += memchr3(b'"', b'\\', b'\n', unread).unwrap_or(unread.len());
            }
            let Some(&byte) = self.buf.get(at).filter(|_| at < end) else { break };
            at += 1;
            if byte == b'\n' {
                return Step::Broken(at);
            }
            if inside.ends(byte) {
                string = None;
                last = b'"';
            }
        }
        self.scanned = at;
        self.place = Place::Object { depth, string, last };
        Step::More
    }
}

impl InString {
    /// Takes one more byte; whether it is the quote that ends the string.
    fn ends(&mut self, byte: u8) -> bool {
        let escaped = std::mem::replace(&mut self.escaped, false);
        match byte {
            b'"' if !escaped => return true,
            b'\\' if !escaped => self.escaped = true,
            _ => {}
        }
        false
    }
}
