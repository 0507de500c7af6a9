//! What a server reads: lines out of bytes.

use bytes::{Buf, BytesMut};

use super::{CLIENT_TAG_BYTES_MAX, LINE_BYTES_MAX};

/// Why a line is not read. The next one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// More than 512 bytes, or more than 4094 bytes of tags.
    #[error("the line is too long")]
    TooLong,
    /// Not UTF-8.
    #[error("the line is not UTF-8")]
    NotUtf8,
    /// A NUL, or a carriage return that doesn't end the line.
    #[error("a character that lines can't have")]
    Malformed,
}

/// The longest line with tags: `@`, tags, a space, the message.
const BYTES_MAX: usize = 1 + CLIENT_TAG_BYTES_MAX + 1 + LINE_BYTES_MAX;

/// Takes bytes as they come and lends lines. Drained, it owns no memory.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
    /// Bytes at the front of the buffer that were lent as a line.
    lent: usize,
    /// Bytes after those without a line feed.
    scanned: usize,
    /// A line that is too long is being passed over.
    skipping: bool,
}

impl Decoder {
    /// Takes more bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether nothing waits and nothing is being passed over: what comes next begins a line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty() && !self.skipping
    }

    /// How many bytes wait.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.buffer.len() - self.lent
    }

    /// What was lent last, as far as it is text: for lines that are none.
    #[must_use]
    pub fn lent_lossy(&self) -> String {
        let lent = self.buffer.get(..self.lent).unwrap_or_default();
        String::from_utf8_lossy(lent.trim_ascii_end()).into_owned()
    }

    /// Gives the line that was lent last back: it is lent again.
    pub fn keep_line(&mut self) {
        let lent = self.buffer.get(..self.lent).unwrap_or_default();
        // One without end was lent as too long, and is to be again.
        self.skipping &= lent.ends_with(b"\n");
        self.lent = 0;
    }

    /// Lends the next whole line, without its end. `None` if there is none yet.
    pub fn next_line(&mut self) -> Option<Result<&str, LineError>> {
        loop {
            self.buffer.advance(std::mem::take(&mut self.lent));
            if self.buffer.is_empty() {
                *self = Self { skipping: self.skipping, ..Self::default() };
                return None;
            }
            let unseen = self.buffer.get(self.scanned..).unwrap_or_default();
            let Some(at) = memchr::memchr(b'\n', unseen) else {
                self.scanned = self.buffer.len();
                if !self.skipping && self.buffer.len() <= BYTES_MAX {
                    return None;
                }
                // It can only be too long: that is reported at once, and the rest passed over.
                self.lent = self.buffer.len();
                self.scanned = 0;
                if std::mem::replace(&mut self.skipping, true) {
                    continue;
                }
                return Some(Err(LineError::TooLong));
            };
            let end = self.scanned + at;
            (self.lent, self.scanned) = (end + 1, 0);
            if !std::mem::take(&mut self.skipping) {
                return Some(check(self.buffer.get(..end).unwrap_or_default()));
            }
        }
    }
}

/// The first whole line of some bytes, without its line feed, and what comes after it. To a [`Decoder`] that is empty it
/// would be the next line.
#[must_use]
pub fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\n', bytes)?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}

/// Looks at a line without its line feed, perhaps with its carriage return. Over WebSocket each message is one.
///
/// # Errors
/// [`LineError`].
pub fn check(line: &[u8]) -> Result<&str, LineError> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (tags, body) = match line.first() {
        Some(b'@') => {
            let end = memchr::memchr(b' ', line).unwrap_or(line.len());
            (end.saturating_sub(1), line.len().saturating_sub(end + 1))
        }
        _ => (0, line.len()),
    };
    if tags > CLIENT_TAG_BYTES_MAX || body > LINE_BYTES_MAX - 2 {
        return Err(LineError::TooLong);
    }
    if memchr::memchr2(b'\r', 0, line).is_some() {
        return Err(LineError::Malformed);
    }
    std::str::from_utf8(line).map_err(|_| LineError::NotUtf8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(decoder: &mut Decoder) -> Vec<Result<String, LineError>> {
        std::iter::from_fn(|| decoder.next_line().map(|line| line.map(str::to_owned))).collect()
    }

    #[test]
    fn ends_and_limits() {
        let mut decoder = Decoder::default();
        decoder.feed(b"a\r\nb\n\r\nc");
        assert_eq!(lines(&mut decoder), [Ok("a".into()), Ok("b".into()), Ok(String::new())]);
        decoder.feed(b"\n");
        assert_eq!(lines(&mut decoder), [Ok("c".into())]);
        assert_eq!(decoder.buffer.capacity(), 0);
        let long = "x".repeat(510);
        decoder.feed(format!("{long}\r\n{long}x\r\n@{} {long}\r\n", "t".repeat(4094)).as_bytes());
        let got = lines(&mut decoder);
        assert!(got[0].is_ok() && got[1] == Err(LineError::TooLong) && got[2].is_ok());
        decoder.feed(format!("@{} x\n", "t".repeat(4095)).as_bytes());
        decoder.feed(b"\xff\na\0b\na\rb\n");
        let got = lines(&mut decoder);
        assert_eq!(got[0], Err(LineError::TooLong));
        assert_eq!(got[1..], [Err(LineError::NotUtf8), Err(LineError::Malformed), Err(LineError::Malformed)]);
    }

    #[test]
    fn a_line_without_end_is_reported_once_and_takes_no_room() {
        let mut decoder = Decoder::default();
        let mut got = Vec::new();
        for _ in 0..100 {
            decoder.feed(&[b'x'; 1000]);
            got.extend(lines(&mut decoder));
            assert!(decoder.backlog() <= BYTES_MAX + 1000);
        }
        decoder.feed(b"x\nPING\n");
        got.extend(lines(&mut decoder));
        assert_eq!(got, [Err(LineError::TooLong), Ok("PING".into())]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn lines_dont_depend_on_how_the_bytes_are_cut(
            data in proptest::collection::vec(
                prop_oneof![4 => any::<u8>(), 1 => Just(b'\n'), 1 => Just(b'\r'), 1 => Just(b'@')], 0..600),
            cuts in proptest::collection::vec(1usize..40, 1..20),
        ) {
            let mut whole = Decoder::default();
            whole.feed(&data);
            let whole = lines(&mut whole);
            let (mut cut, mut got, mut rest) = (Decoder::default(), Vec::new(), data.as_slice());
            for size in cuts.into_iter().cycle() {
                if rest.is_empty() { break; }
                let (head, tail) = rest.split_at(size.min(rest.len()));
                cut.feed(head);
                got.extend(lines(&mut cut));
                rest = tail;
            }
            prop_assert_eq!(&got, &whole);
            // Nor on where they stand.
            let (mut rest, mut got) = (data.as_slice(), Vec::new());
            while let Some((line, after)) = split_line(rest) {
                got.push(check(line).map(str::to_owned));
                rest = after;
            }
            let mut decoder = Decoder::default();
            decoder.feed(rest);
            got.extend(lines(&mut decoder));
            prop_assert_eq!(got, whole);
        }
    }
}
