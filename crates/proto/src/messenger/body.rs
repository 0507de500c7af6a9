//! Where a body ends: its length counts bytes for some clients and characters for most.

use super::head::{Likeness, likeness};

/// How long nothing has come, which decides what would otherwise need the next byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Patience {
    /// More may come at any moment.
    Full,
    /// A short silence: what was sent in one piece is here.
    Short,
    /// A long silence, or the end: nothing more will come.
    Gone,
}

/// Finds the end of one body, counting each byte once.
#[derive(Debug, Default)]
pub(super) struct Counter {
    /// The bytes that were counted: whole characters.
    at: usize,
    /// How many characters they are.
    chars: usize,
    /// A character ends where the body would if its length were in bytes.
    boundary: bool,
    /// Bytes and characters are not the same here.
    wide: bool,
}

impl Counter {
    /// The end of a body of `length` bytes or characters at the beginning of `bytes`; `None`: not known yet.
    ///
    /// It is the number of bytes, unless more is waiting that is no message of its own: then it is the number
    /// of characters. Without [`Patience::Full`] the answer doesn't depend on how the bytes were cut.
    pub(super) fn end(&mut self, bytes: &[u8], length: usize, patience: Patience) -> Option<usize> {
        let (head, rest) = bytes.split_at_checked(length)?;
        if !self.wide {
            if head.is_ascii() {
                return Some(length);
            }
            self.wide = true;
        }
        if self.count(bytes, length).is_err() {
            return Some(length);
        }
        let in_bytes = |least| (patience >= least).then_some(length);
        let in_chars = (self.chars == length).then_some(self.at);
        if rest.is_empty() {
            return in_bytes(Patience::Short);
        }
        if !self.boundary {
            return in_chars.or_else(|| in_bytes(Patience::Gone));
        }
        match likeness(rest) {
            Likeness::Message => Some(length),
            Likeness::Text => in_chars.or_else(|| in_bytes(Patience::Gone)),
            Likeness::Unclear if patience == Patience::Full => None,
            Likeness::Unclear => in_chars.or(Some(length)),
        }
    }

    /// Goes on counting, up to `length` characters. Fails at bytes that are not UTF-8.
    fn count(&mut self, bytes: &[u8], length: usize) -> Result<(), std::str::Utf8Error> {
        let most = self.at.saturating_add(4 * (length - self.chars)).min(bytes.len());
        let rest = bytes.get(self.at..most).unwrap_or_default();
        let (valid, error) = match std::str::from_utf8(rest) {
            Ok(text) => (text, None),
            Err(error) => {
                let valid = rest.get(..error.valid_up_to()).unwrap_or_default();
                (std::str::from_utf8(valid).unwrap_or_default(), Some(error))
            }
        };
        for c in valid.chars().take(length - self.chars) {
            self.chars += 1;
            self.at += c.len_utf8();
            self.boundary |= self.at == length;
        }
        match error {
            // An unfinished character at the end may still be finished.
            Some(error) if error.error_len().is_some() && self.chars < length => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(bytes: &str, length: usize, patience: Patience) -> Option<usize> {
        let whole = Counter::default().end(bytes.as_bytes(), length, patience);
        let mut counter = Counter::default();
        for cut in 0..bytes.len() {
            if let Some(early) = counter.end(&bytes.as_bytes()[..cut], length, Patience::Full) {
                assert_eq!(Some(early), whole, "{bytes:?} cut at {cut}");
                return whole;
            }
        }
        assert_eq!(counter.end(bytes.as_bytes(), length, patience), whole, "{bytes:?} in pieces");
        whole
    }

    #[test]
    fn ascii_is_settled_at_once() {
        assert_eq!(end("hello", 5, Patience::Full), Some(5));
        assert_eq!(end("hell", 5, Patience::Gone), None);
        assert_eq!(end("SEND a\nSEND b\n", 7, Patience::Full), Some(7));
    }

    #[test]
    fn characters_if_more_waits_that_is_no_message() {
        assert_eq!(end("née", 3, Patience::Full), Some(4));
        assert_eq!(end("né€🦀", 4, Patience::Full), Some(10));
        assert_eq!(end("ééé send it", 11, Patience::Full), Some(14));
        assert_eq!(end("éÀ", 2, Patience::Full), Some(4));
    }

    #[test]
    fn bytes_if_nothing_or_a_message_waits() {
        assert_eq!(end("née", 4, Patience::Full), None);
        assert_eq!(end("née", 4, Patience::Short), Some(4));
        assert_eq!(end("néeSEND bob\nContent-length: 2\n\nhi", 4, Patience::Full), Some(4));
        assert_eq!(end("née\nUNREGISTER\n\n", 4, Patience::Full), Some(4));
        assert_eq!(end("née\n", 4, Patience::Full), None);
    }

    #[test]
    fn a_word_that_is_a_verb_is_no_message() {
        // Both a message and a body of 14 bytes could end before the word.
        let text = "ééééééé SEND x";
        assert_eq!(end(text, 14, Patience::Full), None);
        assert_eq!(end(text, 14, Patience::Short), Some(text.len()));
    }

    #[test]
    fn one_byte_a_character() {
        let java = b"caf\xe9";
        assert_eq!(Counter::default().end(java, 4, Patience::Short), Some(4));
        assert_eq!(Counter::default().end(b"caf\xe9 noir", 9, Patience::Full), Some(9));
    }

    #[test]
    fn a_body_that_stays_short_of_its_characters_was_counted_in_bytes() {
        assert_eq!(end("néenonsense", 4, Patience::Full), Some(5));
        assert_eq!(end("éééx", 6, Patience::Short), None);
        assert_eq!(end("éééx", 6, Patience::Gone), Some(6));
    }
}
