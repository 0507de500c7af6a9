//! What is kept, as bytes behind others: as postcard has them, which reads them again.
//!
//! By hand, because each message passes here, and what postcard itself writes to are bytes that it takes and gives back, or
//! numbers that are put together elsewhere first: the processor then waits for what was written to arrive in memory.

/// Writes a number.
#[inline]
pub(crate) fn number(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return bytes.push(low);
        }
        bytes.push(low | 0x80);
    }
}

/// Writes a number that may be negative.
#[inline]
pub(crate) fn signed(bytes: &mut Vec<u8>, signed: i64) {
    number(bytes, ((signed << 1) ^ (signed >> 63)).cast_unsigned());
}

/// Writes a text.
#[inline]
pub(crate) fn text(bytes: &mut Vec<u8>, text: &str) {
    number(bytes, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}

/// Writes something that may be missing.
#[inline]
pub(crate) fn option<T>(bytes: &mut Vec<u8>, what: Option<T>, write: impl FnOnce(&mut Vec<u8>, T)) {
    bytes.push(what.is_some().into());
    if let Some(what) = what {
        write(bytes, what);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

    use std::borrow::Cow;

    use super::*;

    #[test]
    fn postcard_reads_it() {
        for big in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            for small in [0, -1, 63, -64, 64, 8_192, i64::MIN, i64::MAX] {
                for optional in [None, Some(""), Some("+a=b")] {
                    let mut bytes = Vec::new();
                    number(&mut bytes, big);
                    signed(&mut bytes, small);
                    text(&mut bytes, "hi 👍");
                    option(&mut bytes, optional, text);
                    option(&mut bytes, optional.map(|_| small), signed);
                    let expected = (big, small, "hi 👍", optional, optional.map(|_| small));
                    assert_eq!(bytes, postcard::to_allocvec(&expected).unwrap());
                    let read: (u64, i64, &str, Option<Cow<'_, str>>, Option<i64>) =
                        postcard::from_bytes(&bytes).unwrap();
                    assert_eq!(read, (big, small, "hi 👍", optional.map(Cow::from), optional.map(|_| small)));
                }
            }
        }
    }
}
