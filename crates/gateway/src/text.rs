//! What a text has to lose, or how it has to be cut, so that a dialect can bear it.

use std::borrow::Cow;

/// More units than any dialect takes for a byte of UTF-8 ([`split`]): muca's `\u0000` are six.
const UNITS_MAX: usize = 6;

/// Without control characters, but for tab and line feed: nothing that a terminal would obey.
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    let drop = |c: char| c.is_control() && !matches!(c, '\t' | '\n');
    // Most texts are printed ASCII, which is seen faster, and all bytes of it at once.
    let is_printed = text.bytes().fold(true, |all, byte| all & matches!(byte, b' '..=b'~'));
    if is_printed || !text.contains(drop) { Cow::Borrowed(text) } else { Cow::Owned(text.replace(drop, "")) }
}

/// On one line: runs of line breaks become one space, other control characters but tab are dropped.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    if memchr::memchr2(b'\n', b'\r', text.as_bytes()).is_none() {
        return plain(text);
    }
    let joined = lines(text).collect::<Vec<_>>().join(" ");
    Cow::Owned(plain(&joined).into_owned())
}

/// The lines that have something in them, so that no part of a text stands where a line begins unless its
/// dialect puts the sender's name there again.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    let lines = std::iter::from_fn(move || {
        let text = rest?;
        let end = memchr::memchr2(b'\n', b'\r', text.as_bytes()).unwrap_or(text.len());
        rest = text.get(end + 1..);
        text.get(..end)
    });
    lines.filter(|line| !line.trim().is_empty())
}

/// Cuts a text into pieces of at most `max` units at word boundaries; `width` says how many units a character
/// takes on the wire. The blank at a cut is left out. Only a word that is too long by itself is cut inside, and
/// then between characters. A `max` too small for one character gives one character a piece.
pub fn split(text: &str, max: usize, width: impl Fn(char) -> usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (end, next) = cut(rest, max, &width);
        let (piece, after) = (&rest[..end], &rest[next..]);
        rest = after;
        Some(piece)
    })
}

/// Where the first piece of a text ends and where the next one begins.
fn cut(text: &str, max: usize, width: &impl Fn(char) -> usize) -> (usize, usize) {
    if text.len() <= max / UNITS_MAX {
        return (text.len(), text.len());
    }
    let mut used = 0;
    let mut blank = None;
    for (at, c) in text.char_indices() {
        used += width(c);
        if used > max && at > 0 {
            return match blank {
                // The blank itself may be what no longer fits.
                _ if c == ' ' => (at, at + 1),
                Some(blank) => (blank, blank + 1),
                None => (at, at),
            };
        }
        if c == ' ' && at > 0 {
            blank = Some(at);
        }
    }
    (text.len(), text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn terminals_have_nothing_to_obey() {
        assert_eq!(plain("a\u{1b}[2Jb\tc\nd\u{9b}\u{7f}"), "a[2Jb\tc\nd");
        assert!(matches!(plain("plain"), Cow::Borrowed(_)));
        assert!(matches!(plain("tab\tand\u{e9}\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn one_line_forges_none() {
        assert_eq!(one_line("hi\r\n\r\nbob - hello\n"), "hi bob - hello");
        assert_eq!(one_line("hi"), "hi");
        assert_eq!(lines("\r\na\n\n b\rc\n \n").collect::<Vec<_>>(), ["a", " b", "c"]);
        assert_eq!(lines("").count(), 0);
    }

    #[test]
    fn words_stay_whole_where_they_can() {
        let pieces = |text, max| split(text, max, char::len_utf8).collect::<Vec<_>>();
        assert_eq!(pieces("one two three", 7), ["one two", "three"]);
        assert_eq!(pieces("one two three", 8), ["one two", "three"]);
        assert_eq!(pieces("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(pieces("ééé", 3), ["é", "é", "é"]);
        assert_eq!(pieces("é", 1), ["é"]);
        assert_eq!(pieces("", 5), Vec::<&str>::new());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn nothing_but_blanks_is_lost(text in ".{0,60}", max in 4usize..20) {
            let pieces: Vec<_> = split(&text, max, char::len_utf8).collect();
            prop_assert!(pieces.iter().all(|piece| piece.len() <= max));
            let solid = |text: &str| text.replace(' ', "");
            prop_assert_eq!(solid(&pieces.concat()), solid(&text));
        }
    }
}
