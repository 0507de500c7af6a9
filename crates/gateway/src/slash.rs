//! Commands that people type, in the dialects whose protocol lacks the verb.

/// A typed command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slash<'a> {
    /// `/msg NAME text`: writes to one person. Holds what follows the word; a name may have blanks in it, so only
    /// the hub can tell where it ends.
    Msg(&'a str),
    /// `/who`: asks who is in the room.
    Who,
    /// `/history [N]`: asks for what was said before.
    History,
}

impl<'a> Slash<'a> {
    /// Understands a text as a command. Anything else that begins with a slash is an ordinary text.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim_end();
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim_start();
        match word {
            "/msg" if !rest.is_empty() => Some(Self::Msg(rest)),
            "/who" if rest.is_empty() => Some(Self::Who),
            "/history" if rest.bytes().all(|byte| byte.is_ascii_digit()) => Some(Self::History),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commands_are_commands() {
        assert_eq!(Slash::parse("/msg  bob hi there "), Some(Slash::Msg("bob hi there")));
        assert_eq!(Slash::parse("/who\n"), Some(Slash::Who));
        assert_eq!(Slash::parse("/history 20"), Some(Slash::History));
        for text in ["/msg", "/whois", "/who cares", "/history of art", "/usr/bin", "msg bob", " /who"] {
            assert_eq!(Slash::parse(text), None, "{text}");
        }
    }
}
