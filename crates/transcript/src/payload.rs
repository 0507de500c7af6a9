//! Payloads: bytes as they are written in a transcript.

use std::fmt;

/// What a server's message has to look like: exact pieces with anything but a line feed between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    pieces: Vec<Vec<u8>>,
}

/// The sign for "anything but a line feed".
const WILDCARD: &str = "[..]";

impl Pattern {
    /// Reads an expected payload.
    ///
    /// # Errors
    /// The rule that the payload breaks.
    pub fn parse(written: &str) -> Result<Self, String> {
        let pieces = match written.strip_prefix("hex:") {
            Some(digits) => vec![unhex(digits)?],
            None => written.split(WILDCARD).map(unescape).collect::<Result<_, _>>()?,
        };
        Ok(Self { pieces })
    }

    /// Whether a message is as expected, from its first byte to its last.
    #[must_use]
    pub fn matches(&self, message: &[u8]) -> bool {
        let Some((first, rest)) = self.pieces.split_first() else { return message.is_empty() };
        let Some(mut left) = message.strip_prefix(first.as_slice()) else { return false };
        let Some((last, middle)) = rest.split_last() else { return left.is_empty() };
        for piece in middle {
            let Some(at) = find_on_line(left, piece) else { return false };
            left = &left[at + piece.len()..];
        }
        // The last piece ends the message, so it is looked for from behind.
        left.strip_suffix(last.as_slice()).is_some_and(|skipped| !skipped.contains(&b'\n'))
    }
}

/// Where `piece` begins in `bytes` with no line feed before it.
fn find_on_line(bytes: &[u8], piece: &[u8]) -> Option<usize> {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    (0..=end).find(|at| bytes[*at..].starts_with(piece))
}

/// The bytes of a payload, and whether they are written as binary.
pub(crate) fn parse_bytes(written: &str) -> Result<(Vec<u8>, bool), String> {
    match written.strip_prefix("hex:") {
        Some(digits) => Ok((unhex(digits)?, true)),
        None => Ok((unescape(written)?, false)),
    }
}

fn unhex(digits: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u8> = digits.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pair = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).ok().filter(|text| text.len() == 2)?;
        u8::from_str_radix(text, 16).ok()
    };
    digits
        .chunks(2)
        .map(|digits| pair(digits).ok_or_else(|| "after `hex:` come pairs of hexadecimal digits".to_owned()))
        .collect()
}

fn unescape(written: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(written.len());
    let mut rest = written;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = &rest[at + 1..];
        let after = match escape.chars().next() {
            Some('r') => push(&mut bytes, b"\r", escape, 1),
            Some('n') => push(&mut bytes, b"\n", escape, 1),
            Some('t') => push(&mut bytes, b"\t", escape, 1),
            Some('s') => push(&mut bytes, b" ", escape, 1),
            Some('\\') => push(&mut bytes, b"\\", escape, 1),
            Some('x') => {
                let byte = escape.get(1..3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
                push(&mut bytes, &[byte.ok_or("`\\x` takes two hexadecimal digits")?], escape, 3)
            }
            Some('u') => {
                let digits = escape.strip_prefix("u{").and_then(|digits| digits.split_once('}'));
                let (digits, after) = digits.ok_or("`\\u` takes a number in braces")?;
                let number = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
                let c = number.ok_or_else(|| format!("`\\u{{{digits}}}` is no character"))?;
                push(&mut bytes, c.encode_utf8(&mut [0; 4]).as_bytes(), after, 0)
            }
            _ => return Err("after `\\` comes one of r n t s \\ xNN u{N}".to_owned()),
        };
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

fn push<'t>(bytes: &mut Vec<u8>, what: &[u8], rest: &'t str, skip: usize) -> &'t str {
    bytes.extend_from_slice(what);
    &rest[skip..]
}

/// Writes bytes as a payload that reads back as the same bytes.
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\r' => out.push_str("\\r"),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\\' => out.push_str("\\\\"),
                c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
                c if c.is_control() || is_invisible(c) => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    let mut out = out.replace(WILDCARD, "\\x5b..]");
    // What a reader would take for something else, or an editor would remove.
    if out == "EOF" || out.starts_with("hex:") {
        out = format!("\\x{:02x}{}", out.as_bytes()[0], &out[1..]);
    }
    if out.starts_with(' ') {
        out.replace_range(..1, "\\s");
    }
    if out.ends_with(' ') {
        out.replace_range(out.len() - 1.., "\\s");
    }
    out
}

/// Characters that nobody sees in a listing though they matter.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, piece) in self.pieces.iter().enumerate() {
            if index > 0 {
                f.write_str(WILDCARD)?;
            }
            f.write_str(&escape(piece))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_read_back() {
        for bytes in [
            b" a\r\n\t\\ ".as_slice(),
            b"EOF",
            b"hex:00",
            b"[..]",
            "é🦀\u{200b}\u{85}".as_bytes(),
            b"\xff\x00\xc3",
            b" ",
            b"",
        ] {
            let written = escape(bytes);
            assert_eq!(parse_bytes(&written).unwrap(), (bytes.to_vec(), false), "{written}");
            assert!(Pattern::parse(&written).unwrap().matches(bytes), "{written}");
            assert_eq!(written.trim(), written);
        }
        assert_eq!(escape(b"x\xff\r"), "x\\xff\\r");
    }

    #[test]
    fn what_is_no_payload() {
        for written in
            ["\\q", "\\", "\\x4", "\\xzz", "\\x\u{e9}9", "\\u00e9", "\\u{110000}", "hex:0", "hex:zz"]
        {
            assert!(parse_bytes(written).is_err(), "{written}");
        }
    }

    #[test]
    fn hex_is_binary() {
        assert_eq!(parse_bytes("hex:00 ff10").unwrap(), (vec![0, 0xff, 0x10], true));
    }

    #[test]
    fn wildcards_stay_on_their_line() {
        let matches =
            |pattern: &str, message: &str| Pattern::parse(pattern).unwrap().matches(message.as_bytes());
        assert!(matches("a[..]c", "abc") && matches("a[..]c", "ac") && matches("[..]", ""));
        assert!(matches("[..]c[..]", "abcd") && matches("a[..]b[..]b", "a1b2b"));
        assert!(matches("a[..]\\nb", "a1\nb"));
        assert!(!matches("a[..]c", "a\nc") && !matches("a[..]b[..]b", "ab") && !matches("a", "ab"));
        assert!(!matches("[..]c", "abcd") && !matches("a[..]", "a\n") && !matches("a[..]b[..]", "a\nb"));
    }
}
