//! IRC: as much of it as it takes to talk in the lobby, to be told what became of it, and to read the history.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use super::wire::Wire;
use super::{Client, Happening};
use crate::check::{Said, Sees};

/// A line from the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its tags. None of those that are looked at needs unescaping.
    pub(crate) tags: BTreeMap<String, String>,
    /// Who it is from: a nickname, or the server.
    pub(crate) from: String,
    /// The command, or a number.
    pub(crate) command: String,
    /// What it has.
    pub(crate) parameters: Vec<String>,
}

impl Line {
    /// Takes a line apart.
    pub(crate) fn read(line: &str) -> Self {
        let mut read = Self::default();
        let mut rest = line;
        if let Some((tags, behind)) = rest.strip_prefix('@').and_then(|tagged| tagged.split_once(' ')) {
            let pairs = tags.split(';').map(|tag| tag.split_once('=').unwrap_or((tag, "")));
            read.tags = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
            rest = behind;
        }
        if let Some((source, behind)) = rest.strip_prefix(':').and_then(|sourced| sourced.split_once(' ')) {
            read.from = source.split_once('!').map_or(source, |(nick, _)| nick).to_owned();
            rest = behind;
        }
        let (words, trailing) = match rest.split_once(" :") {
            Some((words, trailing)) => (words, Some(trailing.to_owned())),
            None => (rest, None),
        };
        let mut words = words.split(' ').map(str::to_owned);
        read.command = words.next().unwrap_or_default();
        read.parameters = words.chain(trailing).collect();
        read
    }

    /// A parameter, empty if there is none.
    pub(crate) fn parameter(&self, at: usize) -> &str {
        self.parameters.get(at).map_or("", String::as_str)
    }

    /// The last parameter.
    pub(crate) fn text(&self) -> &str {
        self.parameters.last().map_or("", String::as_str)
    }

    /// The tag, empty if there is none.
    pub(crate) fn tag(&self, key: &str) -> &str {
        self.tags.get(key).map_or("", String::as_str)
    }

    /// What it says in the lobby, if that is what it does.
    pub(crate) fn said(&self) -> Option<Said> {
        let is_said = self.command == "PRIVMSG" && self.parameter(0) == "#lobby";
        is_said.then(|| Said { from: self.from.clone(), text: self.text().to_owned() })
    }
}

/// A client with some capabilities, in the lobby.
pub(crate) struct Irc {
    wire: Wire,
    nick: String,
    has_labels: bool,
    has_echo: bool,
}

impl Irc {
    /// Signs in with these capabilities, and waits until it is in the lobby.
    #[track_caller]
    pub(crate) fn join(address: SocketAddr, nick: &str, capabilities: &str) -> Self {
        let mut irc = Self {
            wire: Wire::connect(address),
            nick: nick.to_owned(),
            has_labels: capabilities.contains("labeled-response"),
            has_echo: capabilities.contains("echo-message"),
        };
        irc.send("CAP LS 302");
        if !capabilities.is_empty() {
            irc.send(&format!("CAP REQ :{capabilities}"));
            irc.until(|line| {
                assert_ne!(line.parameter(1), "NAK", "{line:?}");
                line.command == "CAP" && line.parameter(1) == "ACK"
            });
        }
        irc.send(&format!("NICK {nick}\r\nUSER {nick} 0 * :{nick}\r\nCAP END\r\nJOIN #lobby"));
        irc.until(|line| {
            assert_ne!(line.command, "433", "{line:?}");
            line.command == "366"
        });
        irc
    }

    /// Whether answers have labels.
    pub(crate) fn has_labels(&self) -> bool {
        self.has_labels
    }

    /// Sends a line.
    pub(crate) fn send(&mut self, line: &str) {
        self.wire.send(&format!("{line}\r\n")).unwrap();
    }

    /// The next line. The server's PINGs are answered.
    pub(crate) fn line(&mut self) -> io::Result<Line> {
        loop {
            let line = Line::read(&self.wire.line()?);
            if line.command != "PING" {
                return Ok(line);
            }
            self.wire.send(&format!("PONG :{}\r\n", line.text()))?;
        }
    }

    /// Waits for a line; others are passed over.
    ///
    /// # Panics
    /// If it doesn't come, with all that came instead.
    #[track_caller]
    pub(crate) fn until(&mut self, wanted: impl Fn(&Line) -> bool) -> Line {
        let mut passed = Vec::new();
        loop {
            match self.line() {
                Ok(line) if wanted(&line) => return line,
                Ok(line) => passed.push(line),
                Err(error) => panic!("{}: {error}; what came: {passed:#?}", self.nick),
            }
        }
    }
}

impl Client for Irc {
    fn name(&self) -> &str {
        &self.nick
    }

    fn sees(&self) -> Sees {
        if self.has_echo { Sees::All } else { Sees::Others }
    }

    fn say(&mut self, number: u32, text: &str) -> io::Result<()> {
        let label = if self.has_labels { format!("@label={number} ") } else { String::new() };
        self.wire.send(&format!("{label}PRIVMSG #lobby :{text}\r\n"))
    }

    fn next(&mut self) -> io::Result<Happening> {
        loop {
            let line = self.line()?;
            if let Some(said) = line.said() {
                return Ok(Happening::Said(said));
            }
            match line.command.as_str() {
                "ACK" => {
                    let number = line.tag("label").parse().map_err(io::Error::other)?;
                    return Ok(Happening::Acknowledged(number));
                }
                // What comes when people come and go.
                "JOIN" | "PART" | "QUIT" | "MODE" => {}
                _ => return Err(io::Error::other(format!("{line:?}"))),
            }
        }
    }
}

#[test]
fn lines_are_taken_apart() {
    let line =
        Line::read("@label=7;time=2026-01-01T00:00:00.000Z :ana!~a@localhost PRIVMSG #lobby :hi : there");
    assert_eq!(line.tag("label"), "7");
    assert_eq!(line.said(), Some(Said { from: "ana".to_owned(), text: "hi : there".to_owned() }));
    let line = Line::read(":polylogue 366 ana #lobby :End");
    assert_eq!((line.command.as_str(), line.parameter(1), line.said()), ("366", "#lobby", None));
    assert_eq!(Line::read("BATCH -1").parameters, ["-1"]);
}
