//! What is kept, as bytes behind others: as postcard has them, which reads them again.
//!
//! By hand, because each message passes here, and what postcard itself writes to are bytes that it takes and gives back, or
//! numbers that are put together elsewhere first: the processor then waits for what was written to arrive in memory.

/// Writes behind some bytes. Short things that follow each other are put together in a register, which takes that all of it
/// is inlined: to make room for each byte in memory takes longer than the rest.
pub(crate) struct Writer<'b> {
    bytes: &'b mut Vec<u8>,
    /// What isn't there yet, the lowest byte first, and how many bits of it.
    held: u64,
    bits: u32,
}

impl<'b> Writer<'b> {
    #[inline(always)]
    pub(crate) fn new(bytes: &'b mut Vec<u8>) -> Self {
        Self { bytes, held: 0, bits: 0 }
    }

    /// Writes what isn't there yet.
    #[inline(always)]
    pub(crate) fn flush(&mut self) {
        self.bytes.extend_from_slice(&self.held.to_le_bytes());
        let unused = size_of::<u64>() - (self.bits / u8::BITS) as usize;
        self.bytes.truncate(self.bytes.len() - unused);
        (self.held, self.bits) = (0, 0);
    }

    /// How many bytes there are, with those that are held.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() + (self.bits / u8::BITS) as usize
    }

    /// Writes a byte.
    #[inline(always)]
    pub(crate) fn byte(&mut self, byte: u8) {
        if self.bits == u64::BITS {
            self.flush();
        }
        self.held |= u64::from(byte) << self.bits;
        self.bits += u8::BITS;
    }

    /// Writes a number.
    #[inline(always)]
    pub(crate) fn number(&mut self, mut number: u64) {
        loop {
            let [low, ..] = number.to_le_bytes();
            number >>= 7;
            if number == 0 {
                return self.byte(low);
            }
            self.byte(low | 0x80);
        }
    }

    /// Writes a number that may be negative.
    #[inline(always)]
    pub(crate) fn signed(&mut self, signed: i64) {
        self.number(((signed << 1) ^ (signed >> 63)).cast_unsigned());
    }

    /// Writes a text.
    #[inline(always)]
    pub(crate) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.flush();
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// Writes something that may be missing.
    #[inline(always)]
    pub(crate) fn option<T>(&mut self, what: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.byte(what.is_some().into());
        if let Some(what) = what {
            write(self, what);
        }
    }
}

/// Writes a text that is most often short, as [`Writer::text`] does.
#[inline]
pub(crate) fn text(text: &str, bytes: &mut Vec<u8>) {
    match u8::try_from(text.len()) {
        Ok(length) if length < 0x80 => {
            bytes.reserve(1 + text.len());
            bytes.push(length);
            bytes.extend_from_slice(text.as_bytes());
        }
        _ => Writer::new(bytes).text(text),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

    use std::borrow::Cow;

    use super::*;

    #[test]
    fn postcard_reads_texts() {
        for length in [0, 1, 127, 128, 300, 20_000] {
            let (mut bytes, written) = (b"before".to_vec(), "é".repeat(length / 2) + &"x".repeat(length % 2));
            text(&written, &mut bytes);
            assert_eq!(bytes.strip_prefix(b"before").unwrap(), postcard::to_allocvec(&written).unwrap());
        }
    }

    #[test]
    fn postcard_reads_it() {
        for big in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            for small in [0, -1, 63, -64, 64, 8_192, i64::MIN, i64::MAX] {
                for optional in [None, Some(""), Some("+a=b")] {
                    let mut bytes = b"before".to_vec();
                    let mut writer = Writer::new(&mut bytes);
                    writer.number(big);
                    writer.signed(small);
                    writer.text("hi 👍");
                    writer.option(optional, Writer::text);
                    writer.option(optional.map(|_| small), Writer::signed);
                    let len = writer.len();
                    writer.flush();
                    assert_eq!(bytes.len(), len);
                    let bytes = bytes.strip_prefix(b"before").unwrap();
                    let expected = (big, small, "hi 👍", optional, optional.map(|_| small));
                    assert_eq!(bytes, postcard::to_allocvec(&expected).unwrap());
                    let read: (u64, i64, &str, Option<Cow<'_, str>>, Option<i64>) =
                        postcard::from_bytes(bytes).unwrap();
                    assert_eq!(read, (big, small, "hi 👍", optional.map(Cow::from), optional.map(|_| small)));
                }
            }
        }
    }
}
