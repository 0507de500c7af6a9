//! Commands that people type, in the dialects whose protocol lacks the verb.

use std::time::{Duration, SystemTime};

use hub::{Command, EventId, Namespace, Recalled, RoomId, To, Window, Wish};

use crate::plain::plain;
use crate::text;

/// How many messages `/history` shows that doesn't say how many.
const HISTORY_USUAL: usize = 20;
/// How many messages `/history` shows at most.
const HISTORY_MAX: usize = 100;

/// A typed command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slash<'a> {
    /// `/msg NAME text`: writes to one person. Holds what follows the word; a name may have blanks in it, so only
    /// the hub can tell where it ends.
    Msg(&'a str),
    /// `/who`: asks who is in the room.
    Who,
    /// `/history [N]`: asks for the last messages before now.
    History(usize),
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
            "/history" if rest.is_empty() => Some(Self::History(HISTORY_USUAL)),
            "/history" => rest.parse().ok().filter(|count| *count > 0).map(Self::History),
            _ => None,
        }
    }
}

/// Asks for the last messages of a room.
pub(crate) fn history(room: RoomId, count: usize) -> Command {
    let (of, limit) = (To::Room(room), count.min(HISTORY_MAX));
    Command::Recall(Wish::Page { of, window: Window::Latest(EventId::default()), limit, all_kinds: false })
}

/// What is shown of the answer, line by line: with the time, because it is past, and never like something that is
/// said now.
pub(crate) fn history_lines(recalled: &Recalled, space: Namespace) -> Vec<String> {
    let events = match recalled {
        Recalled::Events(events) if events.is_empty() => {
            return vec!["nothing was said here before".to_owned()];
        }
        Recalled::Events(events) => events,
        Recalled::Missed(_) | Recalled::Targets(_) | Recalled::Failed => {
            return vec!["the history can't be looked up now; try again later".to_owned()];
        }
    };
    let lines = events.iter().filter_map(|event| {
        let plain = plain(event, space)?;
        let at =
            humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + Duration::from_millis(event.unix_ms));
        let at = at.to_string().replace('T', " ").replace('Z', " UTC");
        let text = text::lines(&plain.text).collect::<Vec<_>>().join(" / ");
        Some(format!("[{at}] {}: {text}", plain.from.wire_name(space)))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commands_are_commands() {
        assert_eq!(Slash::parse("/msg  bob hi there "), Some(Slash::Msg("bob hi there")));
        assert_eq!(Slash::parse("/who\n"), Some(Slash::Who));
        assert_eq!(Slash::parse("/history 5"), Some(Slash::History(5)));
        assert_eq!(Slash::parse("/history"), Some(Slash::History(HISTORY_USUAL)));
        for text in
            ["/msg", "/whois", "/who cares", "/history of art", "/history 0", "/usr/bin", "msg bob", " /who"]
        {
            assert_eq!(Slash::parse(text), None, "{text}");
        }
    }
}
