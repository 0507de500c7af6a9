//! The fields of an object, read forgivingly and written as Python's `json.dumps` writes them.

use std::borrow::Cow;
use std::fmt;

use bytes::BytesMut;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::ProtocolError;

/// The fields that the protocol has, as they stand in the text: of keys given twice the last, of others nothing.
#[derive(Debug, Default)]
pub(super) struct Fields<'t> {
    pub(super) cmd: Option<&'t RawValue>,
    pub(super) kind: Option<&'t RawValue>,
    pub(super) msg: Option<&'t RawValue>,
    pub(super) from: Option<&'t RawValue>,
    pub(super) to: Option<&'t RawValue>,
    pub(super) name: Option<&'t RawValue>,
    pub(super) uid: Option<&'t RawValue>,
    pub(super) data: Option<&'t RawValue>,
}

/// Reads one object with `read`. Bytes that are not UTF-8 become U+FFFD, and what some clients and the
/// protocol's own examples get wrong is put right: `\'`, and half a surrogate pair.
pub(super) fn read<T>(
    object: &[u8],
    read: impl Fn(&Fields<'_>) -> Result<T, Fault>,
) -> Result<T, ProtocolError> {
    // Most is, and that is seen sooner this way.
    let text = str::from_utf8(object).map_or_else(|_| String::from_utf8_lossy(object), Cow::Borrowed);
    let attempt = |text: &str| serde_json::from_str(text).map_err(|_| Fault::Json).and_then(|f| read(&f));
    let result = match attempt(&text) {
        Err(Fault::Json) => attempt(&repaired(&text)),
        result => result,
    };
    result.map_err(|fault| match fault {
        Fault::Json => ProtocolError::malformed("object", object),
        Fault::Protocol(error) => error,
    })
}

/// What can be wrong with an object.
pub(super) enum Fault {
    /// It is not JSON.
    Json,
    /// It is, but not a frame.
    Protocol(ProtocolError),
}

impl From<ProtocolError> for Fault {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

/// A field's text; `None` if it is missing or no string.
pub(super) fn string(field: Option<&RawValue>) -> Result<Option<String>, Fault> {
    match field.map(RawValue::get) {
        Some(text) if text.starts_with('"') => serde_json::from_str(text).map(Some).map_err(|_| Fault::Json),
        _ => Ok(None),
    }
}

/// A field's text, which must be there.
pub(super) fn needed(field: Option<&RawValue>, what: &'static str) -> Result<String, Fault> {
    string(field)?.ok_or(Fault::Protocol(ProtocolError::Missing { what }))
}

/// A field's entries; `None` if it is missing or no list.
pub(super) fn list(field: Option<&RawValue>) -> Result<Option<Vec<&RawValue>>, Fault> {
    match field.map(RawValue::get) {
        Some(text) if text.starts_with('[') => serde_json::from_str(text).map(Some).map_err(|_| Fault::Json),
        _ => Ok(None),
    }
}

/// An entry's fields; `None` if it is no object.
pub(super) fn fields(entry: &RawValue) -> Option<Fields<'_>> {
    serde_json::from_str(entry.get()).ok()
}

impl<'t> Deserialize<'t> for Fields<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'t> Visitor<'t> for FieldsVisitor {
    type Value = Fields<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Fields<'t>, A::Error> {
        let mut fields = Fields::default();
        while let Some(key) = map.next_key()? {
            let value = Some(map.next_value()?);
            match key {
                Key::Cmd => fields.cmd = value,
                Key::Type => fields.kind = value,
                Key::Msg => fields.msg = value,
                Key::From => fields.from = value,
                Key::To => fields.to = value,
                Key::Un => fields.name = value,
                Key::Uid => fields.uid = value,
                Key::Data => fields.data = value,
                Key::Other => {}
            }
        }
        Ok(fields)
    }
}

enum Key {
    Cmd,
    Type,
    Msg,
    From,
    To,
    Un,
    Uid,
    Data,
    Other,
}

impl<'t> Deserialize<'t> for Key {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Key, E> {
        Ok(match key {
            "CMD" => Key::Cmd,
            "TYPE" => Key::Type,
            "MSG" => Key::Msg,
            "FROM" => Key::From,
            "TO" => Key::To,
            "UN" => Key::Un,
            "UID" => Key::Uid,
            "DATA" => Key::Data,
            _ => Key::Other,
        })
    }
}

/// The text with `\'` as `'` and with `\ufffd` for each surrogate that has no other half.
fn repaired(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        let (better, length) = repaired_escape(escape);
        out.push_str(before);
        out.push_str(better);
        rest = escape.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// What to write for the escape that `text` begins with, and how long that one is.
fn repaired_escape(text: &str) -> (&str, usize) {
    if text.starts_with(r"\'") {
        return ("'", 2);
    }
    let length = match (surrogate(text), text.get(6..).and_then(surrogate)) {
        (Some(Half::First), Some(Half::Second)) => 12,
        (Some(_), _) => return (r"\ufffd", 6),
        (None, _) => text.chars().take(2).map(char::len_utf8).sum(),
    };
    (text.get(..length).unwrap_or(text), length)
}

#[derive(PartialEq, Eq)]
enum Half {
    First,
    Second,
}

/// Which half of a surrogate pair a text begins with, escaped.
fn surrogate(text: &str) -> Option<Half> {
    let digits = text.strip_prefix(r"\u")?.get(..4)?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xd800..=0xdbff => Some(Half::First),
        0xdc00..=0xdfff => Some(Half::Second),
        _ => None,
    }
}

/// Appends a string in quotes, in ASCII. Braces are escaped too: some clients find the end of an object by
/// counting them, or by looking for `}{`, without regard to strings.
pub(super) fn write_string(out: &mut BytesMut, text: &str) {
    out.extend_from_slice(b"\"");
    let mut rest = text;
    // Looked at all at once, which most texts stand and which is faster than byte by byte.
    let is_plain = text.bytes().fold(true, |all, byte| all & stays(byte));
    while !is_plain && let Some(at) = rest.bytes().position(|byte| !stays(byte)) {
        let (plain, other) = rest.split_at(at);
        out.extend_from_slice(plain.as_bytes());
        let mut chars = other.chars();
        if let Some(c) = chars.next() {
            write_escape(out, c);
        }
        rest = chars.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
    out.extend_from_slice(b"\"");
}

/// The bytes that a character takes inside of a string on the wire.
#[must_use]
pub fn escaped_len(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        c if u8::try_from(c).is_ok_and(stays) => 1,
        c => 6 * c.len_utf16(),
    }
}

fn stays(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'{' | b'}')
}

fn write_escape(out: &mut BytesMut, c: char) {
    let short = match c {
        '"' => br#"\""#,
        '\\' => br"\\",
        '\n' => br"\n",
        '\r' => br"\r",
        '\t' => br"\t",
        '\u{8}' => br"\b",
        '\u{c}' => br"\f",
        _ => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let digit = |shift: u16| {
                    let nibble = (*unit >> shift & 0xf) as u8;
                    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
                };
                out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
            }
            return;
        }
    };
    out.extend_from_slice(short);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = BytesMut::new();
        write_string(&mut out, text);
        let length: usize = text.chars().map(escaped_len).sum();
        assert_eq!(out.len(), length + 2);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn strings_are_written_as_python_writes_them() {
        assert_eq!(written("a\"b\\c/d"), r#""a\"b\\c/d""#);
        assert_eq!(written("\n\r\t\u{8}\u{c}\0\u{1b}\u{7f}"), r#""\n\r\t\b\f\u0000\u001b\u007f""#);
        assert_eq!(written("é€\u{ffff}🦀"), r#""\u00e9\u20ac\uffff\ud83e\udd80""#);
    }

    #[test]
    fn braces_are_escaped() {
        assert_eq!(written("}{"), r#""\u007d\u007b""#);
    }

    #[test]
    fn what_clients_get_wrong_is_put_right() {
        assert_eq!(repaired(r"it\'s \\' \n \ud83e\udd80"), r"it's \\' \n \ud83e\udd80");
        assert_eq!(repaired(r"\ud83e \udd80 \ud83e"), r"\ufffd \ufffd \ufffd");
        assert_eq!(repaired(r"\ud83e\ud83e\udd80\u12"), r"\ufffd\ud83e\udd80\u12");
        assert_eq!(repaired("\\é\\"), "\\é\\");
    }
}
