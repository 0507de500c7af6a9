//! One line, taken apart where it stands: nothing is copied.

use smallvec::SmallVec;

use super::{PARAMS_MAX, Tags};
use crate::ProtocolError;

/// How many parameters most lines have at most.
const PARAMS_FEW: usize = 4;

/// A message as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its tags.
    pub tags: Tags<'a>,
    /// Who it claims to come from. Servers pass over what a client says here.
    pub source: Option<&'a str>,
    /// Letters or three digits, as sent.
    pub command: &'a str,
    /// The parameters.
    pub params: Params<'a>,
}

/// Up to 15 parameters. Reads like a slice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Params<'a>(SmallVec<[&'a str; PARAMS_FEW]>);

impl<'a> Params<'a> {
    /// The parameter at a position, for as long as the line lives.
    #[must_use]
    pub fn at(&self, index: usize) -> Option<&'a str> {
        self.0.get(index).copied()
    }
}

impl<'a> std::ops::Deref for Params<'a> {
    type Target = [&'a str];

    fn deref(&self) -> &[&'a str] {
        &self.0
    }
}

impl<'a> Line<'a> {
    /// Takes a line without its end apart; `None` if nothing is on it.
    ///
    /// The last of 15 parameters takes what is left of the line, as does one that begins with a colon.
    ///
    /// # Errors
    /// [`ProtocolError::Malformed`] if the command is missing or is neither letters nor three digits.
    pub fn parse(line: &'a str) -> Result<Option<Self>, ProtocolError> {
        let mut rest = line.trim_start_matches(' ');
        if rest.is_empty() {
            return Ok(None);
        }
        let mut tags = Tags::default();
        if let Some(tagged) = rest.strip_prefix('@') {
            let (raw, after) = word(tagged);
            (tags, rest) = (Tags::new(raw), after);
        }
        let mut source = None;
        if let Some(sourced) = rest.strip_prefix(':') {
            let (from, after) = word(sourced);
            (source, rest) = (Some(from), after);
        }
        let (command, mut rest) = word(rest);
        if !is_command(command) {
            return Err(ProtocolError::malformed("command", command.as_bytes()));
        }
        let mut params = SmallVec::new();
        while !rest.is_empty() {
            if let Some(trailing) = rest.strip_prefix(':') {
                params.push(trailing);
                break;
            }
            if params.len() == PARAMS_MAX - 1 {
                params.push(rest);
                break;
            }
            let (param, after) = word(rest);
            params.push(param);
            rest = after;
        }
        Ok(Some(Self { tags, source, command, params: Params(params) }))
    }

    /// Whether this is the command, whatever the case.
    #[must_use]
    pub fn is(&self, command: &str) -> bool {
        self.command.eq_ignore_ascii_case(command)
    }
}

/// What comes before the next space, and what comes after the spaces there.
fn word(text: &str) -> (&str, &str) {
    match memchr::memchr(b' ', text.as_bytes()) {
        Some(at) => {
            let (word, rest) = text.split_at(at);
            (word, rest.trim_start_matches(' '))
        }
        None => (text, ""),
    }
}

fn is_command(word: &str) -> bool {
    let bytes = word.as_bytes();
    let letters = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_alphabetic);
    letters || (bytes.len() == 3 && bytes.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Line<'_> {
        Line::parse(line).unwrap().unwrap()
    }

    #[test]
    fn parts() {
        let line = parse("@a=b;+c :ana!a@h PRIVMSG  #den   :hi :there ");
        assert_eq!((line.source, line.command), (Some("ana!a@h"), "PRIVMSG"));
        assert_eq!(*line.params, ["#den", "hi :there "]);
        assert_eq!(line.tags.get("a").as_deref(), Some("b"));
        assert_eq!(line.tags.get("+c").as_deref(), Some(""));
        assert!(line.is("privmsg"));
        assert_eq!(*parse("PING").params, [""; 0]);
        assert_eq!(*parse("TOPIC #a :").params, ["#a", ""]);
        assert_eq!(*parse("USER a 0 * b ").params, ["a", "0", "*", "b"]);
        assert_eq!(parse("001 ana").command, "001");
    }

    #[test]
    fn the_fifteenth_parameter_takes_the_rest() {
        let line = parse("X 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17");
        assert_eq!(line.params.len(), 15);
        assert_eq!(line.params[14], "15 16 17");
        assert_eq!(parse("X 1 2 3 4 5 6 7 8 9 10 11 12 13 14 :15 16").params[14], "15 16");
    }

    #[test]
    fn what_is_no_line() {
        assert_eq!(Line::parse("   ").unwrap(), None);
        for bad in ["@a=b", ":ana", ":ana :x", "é", "12", "1234", "PRIV-MSG x", "@a ", ":"] {
            assert!(Line::parse(bad).is_err(), "{bad:?}");
        }
    }
}
