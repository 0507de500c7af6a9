//! What two clients say to each other. There is no framing: one turn's bytes, up to a silence, are one message,
//! and every client has its own way to write it.

use bytes::BytesMut;

use super::Contact;
use super::block::{Block, put_header};

/// The goodbye that most clients know; those that don't are told by the end of the connection.
pub const QUIT: &[u8] = b"QUIT\r\n\r\n";

/// What one turn brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Turn {
    /// The name in the CHAT that opens a conversation, or in the headers around a text.
    pub id: Option<String>,
    /// The texts, in order. None of them is empty.
    pub texts: Vec<String>,
    /// Whether the text stood in a header of a CHAT: such clients may wait for an answer to it.
    pub framed: bool,
    /// Whether the peer says goodbye.
    pub quit: bool,
}

/// Whether a turn's bytes can be understood without waiting for a silence: a block that is complete.
#[must_use]
pub fn is_complete(bytes: &[u8]) -> bool {
    let ended = bytes.ends_with(b"\n\r\n") || bytes.ends_with(b"\n\n");
    ended && std::str::from_utf8(bytes).is_ok_and(is_frame)
}

/// Understands one turn's bytes. Bytes that are not UTF-8 are shown as replacement characters.
#[must_use]
pub fn decode(bytes: &[u8]) -> Turn {
    let text = String::from_utf8_lossy(bytes);
    let mut turn = Turn::default();
    let mut rest = text.as_ref();
    loop {
        rest = rest.trim_start_matches(['\r', '\n', '\0']);
        if rest.is_empty() || turn.quit {
            return turn;
        }
        if !is_frame(rest) {
            break;
        }
        let (block, after) = split_block(rest);
        turn.take_block(block);
        rest = after;
    }
    turn.take_bare(rest);
    turn
}

impl Turn {
    fn take_block(&mut self, block: &str) {
        let Ok(parsed) = Block::parse(block.as_bytes()) else { return };
        let kind = parsed.get("Type").unwrap_or_default();
        self.quit |= is_quit(parsed.verb) || kind.eq_ignore_ascii_case("quit");
        // An opening without a request line has its name where the verb would be.
        let named = parsed.verb.split_once(':').map(|(_, id)| id.trim()).or_else(|| parsed.get("clientID"));
        self.id = self.id.take().or_else(|| named.map(str::to_owned));
        let text = (!self.quit).then(|| message_header(&parsed)).flatten();
        self.framed |= text.is_some();
        self.texts.extend(text.filter(|text| !text.is_empty()).map(str::to_owned));
    }

    fn take_bare(&mut self, rest: &str) {
        let mut text = rest.trim_end_matches(['\r', '\n', '\0']);
        // A goodbye right behind a text, told from the word by its empty line.
        let ended = rest.ends_with("\n\r\n") || rest.ends_with("\n\n");
        if let Some((before, "QUIT")) = text.rsplit_once('\n').filter(|_| ended) {
            self.quit = true;
            text = before.trim_end_matches(['\r', '\n']);
        }
        self.texts.extend((!text.trim().is_empty()).then(|| text.to_owned()));
    }
}

/// The text in a CHAT's headers, under any of the names that clients use.
pub(super) fn message_header<'a>(block: &Block<'a>) -> Option<&'a str> {
    const NAMES: [&str; 6] = ["message", "content", "text", "body", "msg", "data"];
    let is_one = |name: &str| NAMES.iter().any(|known| name.eq_ignore_ascii_case(known));
    block.headers().find(|(name, _)| is_one(name)).map(|(_, value)| value)
}

/// A text without the `ID> ` that some clients put before what they send.
#[must_use]
pub fn without_prompt<'a>(text: &'a str, id: &str) -> &'a str {
    let bare = text.split_once('>').filter(|(name, _)| name.trim().eq_ignore_ascii_case(id));
    bare.map(|(_, text)| text.trim_start()).filter(|text| !text.is_empty()).unwrap_or(text)
}

/// Whether a client could take this line for a goodbye or an opening instead of a text.
#[must_use]
pub fn reads_as_verb(line: &str) -> bool {
    let word = line.trim_start().trim_start_matches('/');
    let word = word.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    word.eq_ignore_ascii_case("QUIT") || word.eq_ignore_ascii_case("CHAT")
}

/// Writes the opening of a conversation, in the form that most clients know.
pub fn encode_opening(caller: &Contact, out: &mut BytesMut) {
    out.extend_from_slice(b"CHAT\r\n");
    put_header(out, "clientID", &caller.id);
    put_header(out, "IP", &caller.ip);
    put_header(out, "Port", &caller.port);
    out.extend_from_slice(b"\r\n");
}

/// Whether a turn begins with a block and not with a text. People do write `QUIT` and `CHAT`: what follows has to
/// be a header or nothing.
fn is_frame(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    let (first, second) = (lines.next().unwrap_or_default(), lines.next());
    match first {
        "CHAT" => second.is_some_and(|line| line.is_empty() || line.contains(':')),
        first if is_quit(first) => second.is_none_or(|line| line.is_empty() || line.contains(':')),
        // An opening without a request line.
        first => first.starts_with("ID:") && second.is_some_and(|line| line.starts_with("IP:")),
    }
}

fn is_quit(line: &str) -> bool {
    line == "QUIT" || line == "/quit"
}

/// A block, and what follows its empty line.
fn split_block(text: &str) -> (&str, &str) {
    let ends = [("\n\r\n", 3), ("\n\n", 2)];
    let end = ends.into_iter().filter_map(|(end, len)| text.find(end).map(|at| (at, len))).min();
    end.and_then(|(at, len)| Some((text.get(..=at)?, text.get(at + len..)?))).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(bytes: &str) -> Vec<String> {
        decode(bytes.as_bytes()).texts
    }

    /// docs/protocols/bridge.md, rule 10: every way in which clients write a text.
    #[test]
    fn rule_10_texts_bare_with_line_end_prompted_and_framed() {
        assert_eq!(said("hello"), ["hello"]);
        assert_eq!(said("hello\r\n"), ["hello"]);
        assert_eq!(said("two\nlines\n"), ["two\nlines"]);
        assert_eq!(said("CHAT\r\nclientID: bob\r\ncontent: hello\r\n\r\n"), ["hello"]);
        assert_eq!(said("CHAT\r\nclientID: bob\r\nMessage: a: b\r\n\r\n"), ["a: b"]);
        assert_eq!(said("CHAT\r\nclientID: bob\r\n\r\nhello"), ["hello"]);
        assert_eq!(without_prompt("Bob> hello", "bob"), "hello");
        assert_eq!(without_prompt("2 > 1", "bob"), "2 > 1");
        let framed = decode(b"CHAT\r\nclientID: bob\r\ncontent: hello\r\n\r\n");
        assert!(framed.framed && framed.id.as_deref() == Some("bob"));
    }

    #[test]
    fn openings_of_every_kind_are_no_text() {
        for opening in [
            "CHAT\r\nclientID: bob\r\nIP: 127.0.0.1\r\nPort: 1225\r\n\r\n",
            "CHAT\r\nclientID: bob\r\n\r\n",
            "CHAT\r\nType: init\r\nclientID: bob\r\n\r\n",
            "ID: bob\r\nIP: 127.0.0.1\r\nPort: 1225\r\n\r\n",
        ] {
            let turn = decode(opening.as_bytes());
            assert_eq!(turn, Turn { id: Some("bob".to_owned()), ..Turn::default() }, "{opening:?}");
            assert_eq!(said(&format!("{opening}hi")), ["hi"]);
            assert!(is_complete(opening.as_bytes()));
        }
    }

    #[test]
    fn rule_10_goodbyes_of_every_kind() {
        for goodbye in [
            "QUIT\r\n\r\n",
            "QUIT\r\n\r\n\r\n",
            "QUIT",
            "QUIT\n",
            "QUIT\r\nclientID: bob\r\n\r\n",
            "CHAT\r\nType: quit\r\n\r\n",
            "/quit",
            "/quit\r\n",
        ] {
            let turn = decode(goodbye.as_bytes());
            assert!(turn.quit && turn.texts.is_empty(), "{goodbye:?}");
        }
        let turn = decode(b"bye\r\nQUIT\r\n\r\n");
        assert!(turn.quit && turn.texts == ["bye"]);
    }

    #[test]
    fn words_are_no_goodbyes() {
        for text in ["QUIT smoking", "quit", "I QUIT", "one\nQUIT", "CHATTER", "QUIT\nnow", "CHAT", "ID: 7"] {
            assert_eq!(decode(text.as_bytes()), Turn { texts: vec![text.to_owned()], ..Turn::default() });
            assert!(!is_complete(text.as_bytes()));
        }
        assert_eq!(decode(b"\r\n"), Turn::default());
    }

    #[test]
    fn lines_that_a_client_could_misread() {
        for line in ["QUIT", " quit", "/quit", "CHAT", "chat: x", "QUIT now"] {
            assert!(reads_as_verb(line), "{line}");
        }
        for line in ["quite", "let's chat", "chats", ""] {
            assert!(!reads_as_verb(line), "{line}");
        }
    }
}
