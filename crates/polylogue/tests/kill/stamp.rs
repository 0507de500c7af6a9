//! Texts that tell who said them, in which run and as which number, and whether they are whole.

use std::fmt;

/// What a text says of itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    /// Who said it.
    pub(crate) sender: String,
    /// In which run.
    pub(crate) run: u32,
    /// How many the sender had said before in that run.
    pub(crate) number: u32,
}

/// Without the filling.
impl fmt::Display for Stamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}-{}", self.sender, self.run, self.number)
    }
}

impl Stamp {
    pub(crate) fn new(sender: &str, run: u32, number: u32) -> Self {
        Self { sender: sender.to_owned(), run, number }
    }

    /// The text: `sender-run-number`, some filling, and a full stop. Texts have many lengths, so that they lie on the
    /// borders of whatever they are kept in.
    pub(crate) fn text(&self) -> String {
        let length = self.number.wrapping_mul(2_654_435_761).rotate_left(7) % 200;
        let filling: String = ('a'..='z').cycle().take(length as usize).collect();
        format!("{self}-{filling}.")
    }

    /// Reads a text. `None` if it isn't exactly one that [`Stamp::text`] makes.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '-');
        let sender = parts.next()?;
        let stamp = Self::new(sender, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        (stamp.text() == text).then_some(stamp)
    }
}

#[test]
fn a_text_is_read_only_if_it_is_whole() {
    for number in 0..300 {
        let stamp = Stamp::new("ines", 7, number);
        let text = stamp.text();
        assert!(text.is_ascii() && text.len() < 256, "{text}");
        assert_eq!(Stamp::read(&text), Some(stamp));
        for end in 0..text.len() {
            assert_eq!(Stamp::read(&text[..end]), None, "{text} up to {end}");
        }
        assert_eq!(Stamp::read(&format!("{text}.")), None);
        assert_eq!(
            Stamp::read(&format!("x{}", &text[1..])).map(|stamp| stamp.sender),
            Some("xnes".to_owned())
        );
    }
    assert_eq!(Stamp::read("ines-07-1-."), None);
}
