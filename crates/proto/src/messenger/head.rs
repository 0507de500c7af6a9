//! Verbs and headers, as loosely as clients write them.

use super::{Layout, Role};
use crate::ProtocolError;

/// What a client's message begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Register,
    Send,
    Received { misspelled: bool },
    Error,
    Unregister,
}

const WORDS: [(&[u8], Verb); 6] = [
    (b"REGISTER", Verb::Register),
    (b"SEND", Verb::Send),
    (b"RECEIVED", Verb::Received { misspelled: false }),
    (b"RECIEVED", Verb::Received { misspelled: true }),
    (b"ERROR", Verb::Error),
    (b"UNREGISTER", Verb::Unregister),
];

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

/// Without blanks at both ends. A carriage return is one.
pub(super) fn trim(line: &[u8]) -> &[u8] {
    let line = trim_start(line);
    let end = line.iter().rposition(|byte| !is_blank(*byte)).map_or(0, |last| last + 1);
    line.get(..end).unwrap_or_default()
}

fn trim_start(line: &[u8]) -> &[u8] {
    let start = line.iter().position(|byte| !is_blank(*byte)).unwrap_or(line.len());
    line.get(start..).unwrap_or_default()
}

/// Whether blanks stand before the line's end.
pub(super) fn is_spaced(line: &[u8]) -> bool {
    line.strip_suffix(b"\r").unwrap_or(line).last().is_some_and(|last| is_blank(*last))
}

fn starts_with(bytes: &[u8], word: &[u8]) -> bool {
    bytes.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// The first word of a line without leading blanks, and what follows it.
pub(super) fn split_word(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|byte| is_blank(*byte)).unwrap_or(line.len());
    (line.get(..end).unwrap_or_default(), line.get(end..).unwrap_or_default())
}

/// The verb that a line begins with, and what follows it. Acknowledgements are told by their beginning alone.
pub(super) fn verb(line: &[u8]) -> Option<(Verb, &[u8])> {
    let (spelled, verb) = WORDS.into_iter().find(|(spelled, _)| starts_with(line, spelled))?;
    let rest = line.get(spelled.len()..).unwrap_or_default();
    let ends = matches!(verb, Verb::Received { .. }) || rest.first().is_none_or(|next| is_blank(*next));
    ends.then_some((verb, rest))
}

/// Whether more bytes could make a verb of these.
pub(super) fn may_become_verb(bytes: &[u8]) -> bool {
    WORDS.into_iter().any(|(spelled, _)| spelled.len() >= bytes.len() && starts_with(spelled, bytes))
}

/// Whether some bytes are the next message and not the rest of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    Message,
    Text,
    Unclear,
}

/// No line of this length begins a message.
const LOOK_BYTES_MAX: usize = 1024;

/// Judges what stands where the next message would begin. A verb alone is not enough: people write "send" too.
pub(super) fn likeness(bytes: &[u8]) -> Likeness {
    let start = bytes.iter().position(|byte| !is_blank(*byte) && *byte != b'\n').unwrap_or(bytes.len());
    let bytes = bytes.get(start..).unwrap_or_default();
    match bytes.first() {
        Some(0) => return Likeness::Message,
        // Every client begins its verbs with a capital. This spares most texts the wait for silence.
        Some(first) if !first.is_ascii_uppercase() => return Likeness::Text,
        Some(_) | None => {}
    }
    let look = bytes.get(..LOOK_BYTES_MAX).unwrap_or(bytes);
    let Some(end) = memchr::memchr(b'\n', look) else {
        let unclear = bytes.len() < LOOK_BYTES_MAX && (may_become_verb(bytes) || verb(bytes).is_some());
        return if unclear { Likeness::Unclear } else { Likeness::Text };
    };
    let Some((verb, rest)) = verb(look.get(..end).unwrap_or_default()) else { return Likeness::Text };
    let (first, second) = split_word(trim(rest));
    let is_message = match verb {
        Verb::Register => Role::parse(first).is_some(),
        Verb::Send => !first.is_empty() && (second.is_empty() || find_length(second).is_some()),
        Verb::Received { .. } => true,
        Verb::Error => first.len() == 3 && first.iter().all(u8::is_ascii_digit),
        Verb::Unregister => first.is_empty(),
    };
    if is_message { Likeness::Message } else { Likeness::Text }
}

/// The header of a SEND.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SendHead {
    pub(super) to: String,
    pub(super) length: usize,
    pub(super) layout: Layout,
    pub(super) spaced: bool,
    /// The header line began with a blank: then so does the body, and that blank is not counted.
    pub(super) indented: bool,
}

const LENGTH: &[u8] = b"Content-length";

/// Where `Content-length` stands as a word of its own.
fn find_length(line: &[u8]) -> Option<usize> {
    let at = line.windows(LENGTH.len()).position(|window| window.eq_ignore_ascii_case(LENGTH))?;
    let before = at.checked_sub(1).and_then(|before| line.get(before));
    before.is_none_or(|byte| is_blank(*byte)).then_some(at)
}

/// The number after `Content-length`, and what follows it on its line.
pub(super) fn length_value(after: &[u8]) -> Result<(usize, &[u8]), ProtocolError> {
    let malformed = || ProtocolError::malformed("Content-length", trim(after)).fatal();
    let value = trim_start(trim_start(after).strip_prefix(b":").ok_or_else(malformed)?);
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = value.split_at_checked(digits).ok_or_else(malformed)?;
    if number.is_empty() || rest.first().is_some_and(|byte| !is_blank(*byte)) {
        return Err(malformed());
    }
    let number = number.iter().fold(0usize, |sum, digit| {
        sum.saturating_mul(10).saturating_add(usize::from(digit.wrapping_sub(b'0')))
    });
    Ok((number, rest))
}

/// Reads a SEND's header at the beginning of `bytes`, which end inside it for `None`. `all`: no more bytes are
/// expected. Also tells how many bytes the header takes.
pub(super) fn send_head(bytes: &[u8], all: bool) -> Result<Option<(SendHead, usize)>, ProtocolError> {
    let missing = || ProtocolError::Missing { what: "Content-length" }.fatal();
    let first_end = match memchr::memchr(b'\n', bytes) {
        Some(end) => end,
        None if all => bytes.len(),
        None => return Ok(None),
    };
    let first = bytes.get(..first_end).unwrap_or_default();
    let (_, rest) = split_word(first);
    let look = rest.get(..LOOK_BYTES_MAX).unwrap_or(rest);
    let after_first = first_end + 1;
    // Both header fields may be on one line.
    if let Some(at) = find_length(look) {
        let (to, field) = rest.split_at_checked(at).unwrap_or_default();
        let line = LengthLine { from: first_end - field.len(), end: first_end, indented: false };
        return finish_head(bytes, trim(to), false, line, all).or_else(unfinished(bytes, first_end));
    }
    if rest.len() > LOOK_BYTES_MAX {
        return Err(ProtocolError::TooLong { what: "a recipient", limit: LOOK_BYTES_MAX });
    }
    let Some(second) = bytes.get(after_first..) else { return Ok(None) };
    let begun = trim_start(second.get(..LOOK_BYTES_MAX).unwrap_or(second));
    if !begun.is_empty() && !starts_with(begun, LENGTH) && !starts_with(LENGTH, begun) {
        return Err(missing());
    }
    let Some(second_len) = memchr::memchr(b'\n', second).or_else(|| all.then_some(second.len())) else {
        return Ok(None);
    };
    let second = second.get(..second_len).unwrap_or_default();
    let blanks = second.len() - trim_start(second).len();
    let second_end = after_first + second_len;
    if second.len() < blanks + LENGTH.len() {
        return Err(missing()).or_else(unfinished(bytes, second_end));
    }
    let line = LengthLine { from: after_first + blanks, end: second_end, indented: blanks > 0 };
    finish_head(bytes, trim(rest), is_spaced(first), line, all).or_else(unfinished(bytes, second_end))
}

/// A line that has no line feed yet can't be wrong for good: somebody may be typing it.
fn unfinished<T>(
    bytes: &[u8],
    line_end: usize,
) -> impl FnOnce(ProtocolError) -> Result<Option<T>, ProtocolError> {
    let is_open = line_end >= bytes.len();
    move |error| if is_open { Ok(None) } else { Err(error) }
}

/// Where a `Content-length` field stands: from its first letter to its line's end.
struct LengthLine {
    from: usize,
    end: usize,
    indented: bool,
}

fn finish_head(
    bytes: &[u8],
    to: &[u8],
    spaced: bool,
    line: LengthLine,
    all: bool,
) -> Result<Option<(SendHead, usize)>, ProtocolError> {
    let value = bytes.get(line.from + LENGTH.len()..line.end).unwrap_or_default();
    let (length, rest) = length_value(value)?;
    if to.is_empty() {
        return Err(ProtocolError::Missing { what: "recipient" }.fatal());
    }
    let to = String::from_utf8_lossy(to).into_owned();
    let head = |layout| SendHead { to, length, layout, spaced, indented: line.indented };
    if !trim(rest).is_empty() {
        // The body follows on the same line, after one blank.
        return Ok(Some((head(Layout::OneLine), line.end - rest.len() + 1)));
    }
    let body = (line.end + 1).min(bytes.len());
    if length == 0 {
        return Ok(Some((head(Layout::Lines), body)));
    }
    let after = bytes.get(body..).unwrap_or_default();
    let blanks = after.iter().take_while(|byte| is_blank(**byte)).count();
    match after.get(blanks) {
        Some(b'\n') => Ok(Some((head(Layout::Lines), body + blanks + 1))),
        Some(_) => Ok(Some((head(Layout::NoEmptyLine), body))),
        None if all && blanks >= length => Ok(Some((head(Layout::NoEmptyLine), body))),
        None => Ok(None),
    }
}
