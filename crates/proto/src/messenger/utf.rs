//! The character encodings of Java clients: modified UTF-8 in frames, the low byte of each character without.

use bytes::{BufMut, BytesMut};

/// The text in `bytes`, which should be UTF-8. Bytes that are not are taken for the low bytes of characters,
/// which is what `DataOutputStream.writeBytes` makes of a text.
pub(super) fn decode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// The text in modified UTF-8: NUL in two bytes, characters beyond the first plane as two surrogates of three
/// bytes each.
pub(super) fn decode_modified(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    let mut units: Vec<u16> = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((unit, after)) = unit(rest) {
        units.push(unit);
        rest = after;
    }
    if rest.is_empty() { String::from_utf16_lossy(&units) } else { decode(bytes) }
}

/// The first UTF-16 unit of modified UTF-8 and what follows it.
fn unit(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let tail = |byte: u8| (byte & 0xc0 == 0x80).then_some(u16::from(byte & 0x3f));
    match bytes {
        [one, rest @ ..] if one.is_ascii() => Some((u16::from(*one), rest)),
        [one, two, rest @ ..] if one & 0xe0 == 0xc0 => Some((u16::from(one & 0x1f) << 6 | tail(*two)?, rest)),
        [one, two, three, rest @ ..] if one & 0xf0 == 0xe0 => {
            Some((u16::from(one & 0x0f) << 12 | tail(*two)? << 6 | tail(*three)?, rest))
        }
        _ => None,
    }
}

/// How many bytes a character takes in modified UTF-8.
#[must_use]
pub fn modified_width(c: char) -> usize {
    match c.len_utf8() {
        4 => 6,
        1 if c == '\0' => 2,
        width => width,
    }
}

/// Writes a text in modified UTF-8.
pub(super) fn encode_modified(text: &str, out: &mut BytesMut) {
    if text.bytes().all(|byte| byte != 0 && byte < 0xf0) {
        return out.put_slice(text.as_bytes());
    }
    for unit in text.encode_utf16() {
        let [high, low] = unit.to_be_bytes();
        let (top, middle, bottom) = (high >> 4, (high & 0x0f) << 2 | low >> 6, low & 0x3f);
        match unit {
            1..=0x7f => out.put_u8(low),
            0 | 0x80..=0x7ff => out.put_slice(&[0xc0 | middle, 0x80 | bottom]),
            _ => out.put_slice(&[0xe0 | top, 0x80 | middle, 0x80 | bottom]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_java_writes() {
        let mut out = BytesMut::new();
        encode_modified("a\0é€\u{1f980}", &mut out);
        assert_eq!(
            out.as_ref(),
            [b'a', 0xc0, 0x80, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xed, 0xa0, 0xbe, 0xed, 0xb6, 0x80]
        );
        assert_eq!(decode_modified(&out), "a\0é€\u{1f980}");
        assert_eq!(decode(b"caf\xe9"), "café");
        assert_eq!(decode_modified(b"caf\xe9"), "café");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn modified_utf8_comes_back(text in ".*") {
            let mut out = BytesMut::new();
            encode_modified(&text, &mut out);
            prop_assert_eq!(out.len(), text.chars().map(modified_width).sum::<usize>());
            prop_assert_eq!(decode_modified(&out), text);
        }

        #[test]
        fn any_bytes_are_some_text(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode_modified(&bytes);
            let _ = decode(&bytes);
        }
    }
}
