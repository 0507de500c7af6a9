//! Message tags (IRCv3 message-tags): read where they stand, escaped and unescaped on demand.

use std::borrow::Cow;

/// The tags of a message, as they were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tags<'a>(&'a str);

impl<'a> Tags<'a> {
    /// The text between `@` and the space.
    #[must_use]
    pub fn new(raw: &'a str) -> Self {
        Self(raw)
    }

    /// The text between `@` and the space.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The tags as keys and escaped values, in order; a value that is missing is empty.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.split(';').filter(|tag| !tag.is_empty()).map(|tag| tag.split_once('=').unwrap_or((tag, "")))
    }

    /// A tag's value, unescaped. Of several of one key the last one counts.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Cow<'a, str>> {
        self.iter().filter(|(name, _)| *name == key).last().map(|(_, value)| unescape(value))
    }
}

/// An escaped value as it is meant. A backslash before any other character, or at the end, means nothing.
#[must_use]
pub fn unescape(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut plain = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some(':') => plain.push(';'),
            Some('s') => plain.push(' '),
            Some('r') => plain.push('\r'),
            Some('n') => plain.push('\n'),
            Some(other) => plain.push(other),
            None => {}
        }
    }
    Cow::Owned(plain)
}

/// Writes a value so that nothing of it ends the tag.
pub fn escape_into(value: &str, out: &mut Vec<u8>) {
    for byte in value.bytes() {
        match byte {
            b';' => out.extend_from_slice(b"\\:"),
            b' ' => out.extend_from_slice(b"\\s"),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0 => {}
            byte => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back() {
        for value in ["", "a;b c\\d\r\ne", "é\\", "s:rn"] {
            let mut escaped = Vec::new();
            escape_into(value, &mut escaped);
            assert!(!escaped.iter().any(|byte| b"; \r\n".contains(byte)));
            assert_eq!(unescape(std::str::from_utf8(&escaped).unwrap()), value);
        }
        assert_eq!(unescape("a\\b\\"), "ab");
    }

    #[test]
    fn the_last_of_one_key_counts() {
        let tags = Tags::new("a=1;b;a=2;;c=");
        assert_eq!(tags.get("a").as_deref(), Some("2"));
        assert_eq!(tags.get("b").as_deref(), Some(""));
        assert_eq!(tags.get("d"), None);
        assert_eq!(tags.iter().count(), 4);
    }
}
