//! The header: read in whichever unit its writer counted, written in UTF-16 units.

use bytes::{BufMut, BytesMut};

use super::{HEADER_UNITS, MARK, SCHEME, TYPE_UNITS, USER_UNITS, trim};
use crate::ProtocolError;

/// A message taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message<'a> {
    /// The type, trimmed.
    pub(super) kind: &'a str,
    /// The user field, trimmed; empty if there is none.
    pub(super) user: &'a str,
    pub(super) body: &'a str,
}

/// How the writer of a header may have counted. The first that fits is taken.
const WIDTHS: [fn(char) -> usize; 3] = [char::len_utf16, |_| 1, char::len_utf8];

impl<'a> Message<'a> {
    pub(super) fn read(message: &'a str, body_bytes_max: usize) -> Result<Self, ProtocolError> {
        let parts = match message.get(..HEADER_UNITS) {
            // Whatever the unit, the marks are in the same places.
            Some(header) if header.is_ascii() => cut(message, char::len_utf8),
            _ => WIDTHS.into_iter().find_map(|width| cut(message, width)),
        };
        let Some(parts) = parts else {
            return Err(ProtocolError::malformed("header", message.as_bytes()));
        };
        if parts.body.len() > body_bytes_max {
            return Err(ProtocolError::TooLong { what: "body", limit: body_bytes_max });
        }
        Ok(parts)
    }
}

/// Takes a message apart if the marks are where they have to be in this unit.
fn cut(message: &str, width: fn(char) -> usize) -> Option<Message<'_>> {
    let rest = message.strip_prefix(SCHEME)?;
    let (kind, rest) = split_at_unit(rest, TYPE_UNITS, width)?;
    let (user, body) = split_at_unit(rest.strip_prefix(MARK)?, USER_UNITS, width)?;
    let body = body.strip_prefix(MARK)?;
    Some(Message { kind: trim(kind), user: trim(user), body })
}

fn split_at_unit(text: &str, units: usize, width: fn(char) -> usize) -> Option<(&str, &str)> {
    let mut left = units;
    let mut end = 0;
    for c in text.chars() {
        if left == 0 {
            break;
        }
        left = left.checked_sub(width(c))?;
        end += c.len_utf8();
    }
    if left == 0 { text.split_at_checked(end) } else { None }
}

/// How many UTF-16 units a name takes in the user field.
#[must_use]
pub fn user_units(name: &str) -> usize {
    if name.is_ascii() {
        return name.len();
    }
    name.encode_utf16().count()
}

/// As much of a name as fits the user field, cut between characters.
#[must_use]
pub fn clip_user(name: &str) -> &str {
    if name.is_ascii() {
        return trim(name.get(..USER_UNITS).unwrap_or(name));
    }
    let mut left = USER_UNITS;
    let mut end = 0;
    for c in name.chars() {
        match left.checked_sub(c.len_utf16()) {
            Some(rest) => left = rest,
            None => break,
        }
        end += c.len_utf8();
    }
    trim(name.get(..end).unwrap_or(name))
}

/// Writes a header, padded in UTF-16 units. A name that is too long is clipped.
pub(super) fn write(kind: &str, user: &str, out: &mut BytesMut) {
    const SPACES: &[u8; TYPE_UNITS] = &[b' '; TYPE_UNITS];
    let user = clip_user(user);
    let pad = |from: usize, to: usize| SPACES.get(..to.saturating_sub(from)).unwrap_or_default();
    out.put_slice(SCHEME.as_bytes());
    out.put_slice(kind.as_bytes());
    out.put_slice(pad(kind.len(), TYPE_UNITS));
    out.put_slice(MARK.as_bytes());
    out.put_slice(user.as_bytes());
    out.put_slice(pad(user_units(user), USER_UNITS));
    out.put_slice(MARK.as_bytes());
}

/// How many bytes a header with this name takes.
pub(super) fn bytes(user: &str) -> usize {
    let user = clip_user(user);
    HEADER_UNITS + user.len() - user_units(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(user: &str, pad: usize) -> String {
        format!("tmp://CHAT_MSSG                       ::/{user}{}::/hi", " ".repeat(pad))
    }

    #[test]
    fn marks_are_found_in_each_unit() {
        // "Zoé🦀": 5 UTF-16 units, 4 characters, 8 bytes.
        for pad in [15, 16, 12] {
            let message = header("Zoé🦀", pad);
            let read = Message::read(&message, 10).unwrap();
            assert_eq!((read.kind, read.user, read.body), ("CHAT_MSSG", "Zoé🦀", "hi"), "{pad}");
        }
        for pad in [11, 13, 14, 17] {
            assert!(Message::read(&header("Zoé🦀", pad), 10).is_err(), "{pad}");
        }
    }

    #[test]
    fn utf16_wins_where_two_units_fit() {
        // Three é make the byte reading end three units earlier, where this name has a mark too.
        let name = format!("ééé{}::/", "x".repeat(14));
        let message = header(&name, 0);
        let read = Message::read(&message, 10).unwrap();
        assert_eq!((read.user, read.body), (name.as_str(), "hi"));
    }

    #[test]
    fn a_mark_inside_a_character_is_no_mark() {
        let message = header(&"🦀".repeat(10), 0);
        assert_eq!(Message::read(&message, 10).unwrap().user, "🦀".repeat(10));
        // 19 units and then a character of two: no unit fits.
        assert!(Message::read(&header(&format!("x{}", "🦀".repeat(10)), 0), 10).is_err());
    }

    #[test]
    fn what_is_no_header() {
        let good = header("bob", 17);
        let no_scheme = good.replacen("tmp", "tmq", 1);
        let no_type_mark = good.replacen("::/", ":::", 1);
        let short = good.get(..63).unwrap();
        for bad in ["", "tmp://", "hello", &no_scheme, &no_type_mark, short] {
            assert!(matches!(Message::read(bad, 10), Err(ProtocolError::Malformed { .. })), "{bad:?}");
        }
        assert_eq!(Message::read(good.get(..64).unwrap(), 0).unwrap().body, "");
    }

    #[test]
    fn a_body_has_a_limit() {
        let message = header("bob", 17);
        assert!(Message::read(&message, 2).is_ok());
        let error = Message::read(&message, 1).unwrap_err();
        assert_eq!(error, ProtocolError::TooLong { what: "body", limit: 1 });
    }

    #[test]
    fn names_are_clipped_between_characters() {
        assert_eq!(clip_user("bob"), "bob");
        assert_eq!(clip_user("a name that is far too long"), "a name that is far t");
        assert_eq!(clip_user("nineteen characters x"), "nineteen characters");
        assert_eq!(clip_user(&format!("x{}", "🦀".repeat(10))), format!("x{}", "🦀".repeat(9)));
    }
}
