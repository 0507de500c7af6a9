//! Writing messages: straight into the buffer, in one go.

use super::tags::escape_into;
use super::{LINE_BYTES_MAX, Numeric};

/// Writes one message into a buffer: tags, then the source, then the command, then parameters, then the end. What
/// comes out is one line whatever goes in, and its part after the tags has at most 512 bytes.
#[derive(Debug)]
pub struct Writer<'b> {
    out: &'b mut Vec<u8>,
    /// Where the message began.
    start: usize,
    /// Where the part without tags began.
    body: Option<usize>,
}

impl<'b> Writer<'b> {
    /// A message at the end of the buffer.
    pub fn new(out: &'b mut Vec<u8>) -> Self {
        let start = out.len();
        Self { out, start, body: None }
    }

    /// One more tag; with an empty value only its key. Tags come first.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.begin_tag();
        self.out.extend_from_slice(key.as_bytes());
        if !value.is_empty() {
            self.out.push(b'=');
            escape_into(value, self.out);
        }
        self
    }

    /// Tags as they were sent, escaped already.
    #[must_use]
    pub fn raw_tags(mut self, raw: &str) -> Self {
        if !raw.is_empty() {
            self.begin_tag();
            self.out.extend_from_slice(raw.as_bytes());
        }
        self
    }

    fn begin_tag(&mut self) {
        self.out.push(if self.out.len() == self.start { b'@' } else { b';' });
    }

    fn begin_body(&mut self) {
        if self.body.is_none() {
            if self.out.len() > self.start {
                self.out.push(b' ');
            }
            self.body = Some(self.out.len());
        }
    }

    /// Who it comes from: a server's name, or [`Writer::user`].
    #[must_use]
    pub fn source(mut self, source: &str) -> Self {
        self.begin_body();
        self.out.push(b':');
        self.out.extend_from_slice(source.as_bytes());
        self.out.push(b' ');
        self
    }

    /// It comes from `nick!user@host`.
    #[must_use]
    pub fn user(mut self, nick: &str, user: &str, host: &str) -> Self {
        self.begin_body();
        self.out.push(b':');
        for (part, after) in [(nick, b'!'), (user, b'@'), (host, b' ')] {
            self.out.extend_from_slice(part.as_bytes());
            self.out.push(after);
        }
        self
    }

    /// The command.
    #[must_use]
    pub fn command(mut self, command: &str) -> Self {
        self.begin_body();
        self.out.extend_from_slice(command.as_bytes());
        self
    }

    /// The command is a numeric to `target`.
    #[must_use]
    pub fn numeric(mut self, numeric: Numeric, target: &str) -> Self {
        self.begin_body();
        let number = numeric.number();
        for digit in [number / 100, number / 10 % 10, number % 10] {
            self.out.push(b'0' + digit as u8);
        }
        self.param(target)
    }

    /// One more parameter that isn't the last. What can't stand there (nothing, a space in it, a colon first) is
    /// made so that it can: the line stays whole.
    #[must_use]
    pub fn param(self, param: &str) -> Self {
        self.out.push(b' ');
        if param.is_empty() {
            self.out.push(b'*');
        }
        if param.starts_with(':') {
            self.out.push(b'_');
        }
        let start = self.out.len();
        self.out.extend_from_slice(param.as_bytes());
        for byte in self.out.get_mut(start..).unwrap_or_default() {
            if matches!(byte, b' ' | b'\r' | b'\n' | 0) {
                *byte = b'_';
            }
        }
        self
    }

    /// The last parameter, behind a colon.
    pub fn trailing(self, text: &str) {
        self.trailing_parts([text]);
    }

    /// The last parameter in parts, behind a colon.
    pub fn trailing_parts<'t>(self, parts: impl IntoIterator<Item = &'t str>) {
        self.out.extend_from_slice(b" :");
        for part in parts {
            self.out.extend_from_slice(part.as_bytes());
        }
        self.end();
    }

    /// All the rest of the line, as another writer has written it.
    pub fn rest(self, rest: &str) {
        self.out.extend_from_slice(rest.as_bytes());
        self.end();
    }

    /// Nothing more. What would have ended the line earlier is taken out of it.
    pub fn end(self) {
        let body = self.body.unwrap_or(self.start);
        let line = self.out.get_mut(body..).unwrap_or_default();
        if memchr::memchr3(b'\r', b'\n', 0, line).is_some() {
            for byte in line {
                if matches!(byte, b'\r' | b'\n' | 0) {
                    *byte = b' ';
                }
            }
        }
        let most = LINE_BYTES_MAX - 2;
        if self.out.len() - body > most {
            let mut end = body + most;
            // Not within a character.
            while end > body && self.out.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
                end -= 1;
            }
            self.out.truncate(end);
        }
        self.out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::irc::Line;

    fn written(write: impl FnOnce(Writer<'_>)) -> String {
        let mut out = Vec::new();
        write(Writer::new(&mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn messages() {
        assert_eq!(
            written(|w| w
                .tag("time", "1;2")
                .tag("bot", "")
                .raw_tags("+a=b\\s;c")
                .user("ana", "~a", "h")
                .command("PRIVMSG")
                .param("#den")
                .trailing("hi there")),
            "@time=1\\:2;bot;+a=b\\s;c :ana!~a@h PRIVMSG #den :hi there\r\n"
        );
        assert_eq!(
            written(|w| w.source("irc.example").numeric(Numeric::RPL_WELCOME, "ana").trailing("Welcome")),
            ":irc.example 001 ana :Welcome\r\n"
        );
        assert_eq!(written(|w| w.command("PING").end()), "PING\r\n");
        assert_eq!(written(|w| w.command("X").trailing_parts(["1", "\r\n"])), "X :1  \r\n");
        assert_eq!(written(|w| w.command("X").rest(" a :b")), "X a :b\r\n");
        assert_eq!(
            written(|w| w.command("X").param("").param(":a b\n").trailing("\r\n")),
            "X * _:a_b_ :  \r\n"
        );
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        let line = written(|w| w.tag("a", &"t".repeat(600)).command("X").trailing(&"é".repeat(400)));
        let body = line.split_once(' ').unwrap().1;
        assert!(body.len() == 511 || body.len() == 512);
        assert!(body.ends_with("é\r\n"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn whatever_goes_in_one_line_comes_out(
            key in "[a-z]{1,8}", value in any::<String>(), param in any::<String>(), text in any::<String>(),
        ) {
            let line = written(|w| {
                w.tag(&key, &value).source("s").command("X").param(&param).trailing(&text);
            });
            let line = line.strip_suffix("\r\n").unwrap();
            prop_assert!(!line.contains(['\r', '\n', '\0']));
            let parsed = Line::parse(line).unwrap().unwrap();
            prop_assert_eq!(parsed.tags.get(&key).unwrap(), value.replace('\0', ""));
            prop_assert_eq!(parsed.command, "X");
            if text.len() + param.len() < 400 {
                let text = text.replace(['\r', '\n', '\0'], " ");
                prop_assert_eq!(parsed.params.last().copied().unwrap(), text);
            }
        }
    }
}
