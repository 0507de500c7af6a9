//! The client side: registers, joins one room, and says and hears what people say.

mod lines;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use super::{Line, Writer};
use crate::ProtocolError;
use crate::client::{ClientOutbox, Happening, Link};

use lines::Lines;

/// What a server is asked for before it is asked for anything else.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The wanted nickname, also given as user name and real name.
    pub nick: String,
    /// The room to join, with its `#`. Without one the client is signed in when it was welcomed.
    pub room: Option<String>,
    /// The server's password, or an account's as `NAME:PASSWORD`.
    pub password: Option<String>,
    /// Capabilities to ask for, of those that the server offers. With none, there is no negotiation.
    pub capabilities: Vec<String>,
    /// Whether to tell who is in the room ([`Happening::People`]): in a large one that is much to remember.
    pub people: bool,
}

/// The client side of one connection.
#[derive(Debug)]
pub struct Client {
    options: Options,
    state: State,
    lines: Lines,
    /// Capabilities that the server has; then those that it gave.
    capabilities: Vec<String>,
    /// Names of a list that isn't complete.
    names: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Until the end of the welcome.
    Registering,
    /// Until the end of the list of names.
    Joining,
    Ready,
    Ended,
}

impl Client {
    /// A client that is not connected yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            state: State::Registering,
            lines: Lines::default(),
            capabilities: Vec::new(),
            names: Vec::new(),
        }
    }

    /// The nickname that the server knows.
    #[must_use]
    pub fn nick(&self) -> &str {
        &self.options.nick
    }

    /// Asks for another nickname after [`Happening::Refused`].
    pub fn try_nick(&mut self, nick: &str, out: &mut ClientOutbox) {
        nick.clone_into(&mut self.options.nick);
        send(out, |line| line.command("NICK").param(nick).end());
    }

    /// Leaves the room for another, which is then the one that is spoken in.
    pub fn move_to(&mut self, room: &str, out: &mut ClientOutbox) {
        if let Some(from) = self.options.room.replace(room.to_owned()) {
            send(out, |line| line.command("PART").param(&from).end());
        }
        send(out, |line| line.command("JOIN").param(room).end());
    }

    /// Asks for what was said last in the room, if the server can be asked (draft/chathistory).
    pub fn history(&mut self, messages: usize, out: &mut ClientOutbox) {
        let Some(room) = self.options.room.as_deref().filter(|_| self.has("draft/chathistory")) else {
            return;
        };
        let messages = messages.to_string();
        send(out, |line| {
            line.command("CHATHISTORY").param("LATEST").param(room).param("*").param(&messages).end();
        });
    }

    /// Whether the server gave a capability.
    #[must_use]
    pub fn has(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|has| has == capability)
    }

    fn on_line(&mut self, line: &str, out: &mut ClientOutbox) {
        let line = match Line::parse(line) {
            Ok(Some(line)) => line,
            Ok(None) => return,
            Err(error) => return out.tell(Happening::Confused(error)),
        };
        match line.command {
            "PRIVMSG" => self.on_message(&line, out),
            // Servers send notices of their own, which are nobody's words.
            "NOTICE" if self.state == State::Ready => self.on_message(&line, out),
            "TAGMSG" => self.on_tags(&line, out),
            "PING" => {
                let token = line.params.at(0).unwrap_or_default();
                send(out, |line| line.command("PONG").trailing(token));
            }
            "CAP" => self.on_capabilities(&line, out),
            "ERROR" => self.end(line.params.at(0).unwrap_or("the server said ERROR"), out),
            numeric if numeric.len() == 3 => self.on_numeric(numeric, &line, out),
            _ => {}
        }
    }

    fn on_message(&mut self, line: &Line<'_>, out: &mut ClientOutbox) {
        let (Some(source), Some(target), Some(text)) = (line.source, line.params.at(0), line.params.at(1))
        else {
            return out.tell(Happening::Confused(ProtocolError::Missing { what: "sender, target or text" }));
        };
        let Some((from, _)) = source.split_once('!') else { return };
        if line.tags.get("batch").is_some() {
            return out.tell(Happening::Earlier { from: from.to_owned(), text: text.to_owned() });
        }
        if from == self.options.nick && self.has("echo-message") {
            return out.tell(Happening::Delivered { to: target.to_owned() });
        }
        let (from, text) = (from.to_owned(), text.to_owned());
        let private = !target.starts_with(['#', '&', '+', '!']);
        out.tell(Happening::Message { from, text, private });
    }

    fn on_tags(&self, line: &Line<'_>, out: &mut ClientOutbox) {
        let from = line.source.and_then(|source| source.split_once('!')).map(|(nick, _)| nick);
        if let Some(from) = from
            && from != self.options.nick
            && line.tags.get("+typing").as_deref() == Some("active")
        {
            out.tell(Happening::Typing { from: from.to_owned() });
        }
    }

    /// `CAP LS`, in several lines or one, then `CAP ACK` or `CAP NAK`.
    fn on_capabilities(&mut self, line: &Line<'_>, out: &mut ClientOutbox) {
        if self.state != State::Registering {
            return;
        }
        let (more, list) = match (line.params.at(2), line.params.at(3)) {
            (Some("*"), Some(list)) => (true, list),
            (list, _) => (false, list.unwrap_or_default()),
        };
        let names = list.split(' ').filter_map(|item| item.split('=').next()).filter(|name| !name.is_empty());
        match line.params.at(1) {
            Some("LS") => {
                self.capabilities.extend(names.map(str::to_owned));
                if more {
                    return;
                }
                let offered = std::mem::take(&mut self.capabilities);
                let wanted = &self.options.capabilities;
                let both: Vec<_> = wanted.iter().filter(|name| offered.contains(name)).cloned().collect();
                if !both.is_empty() {
                    return send(out, |line| line.command("CAP").param("REQ").trailing(&both.join(" ")));
                }
            }
            Some("ACK") => self.capabilities.extend(names.map(str::to_owned)),
            _ => {}
        }
        send(out, |line| line.command("CAP").param("END").end());
    }

    fn on_numeric(&mut self, numeric: &str, line: &Line<'_>, out: &mut ClientOutbox) {
        match numeric {
            "001" => line.params.at(0).unwrap_or_default().clone_into(&mut self.options.nick),
            "376" | "422" if self.state == State::Registering => self.on_welcome(out),
            "353" if self.options.people => {
                let names = line.params.at(3).unwrap_or_default().split(' ').filter(|name| !name.is_empty());
                // Their ranks stand before them.
                let names = names.map(|name| name.trim_start_matches(['~', '&', '@', '%', '+']).to_owned());
                self.names.extend(names);
            }
            "366" => {
                if self.options.people {
                    out.tell(Happening::People { names: std::mem::take(&mut self.names) });
                }
                if self.state == State::Joining {
                    self.sign_in(out);
                }
            }
            error if error.starts_with(['4', '5']) => self.on_error(error, line, out),
            _ => {}
        }
    }

    fn on_welcome(&mut self, out: &mut ClientOutbox) {
        match self.options.room.clone() {
            Some(room) => {
                self.state = State::Joining;
                send(out, |line| line.command("JOIN").param(&room).end());
            }
            None => self.sign_in(out),
        }
    }

    fn sign_in(&mut self, out: &mut ClientOutbox) {
        self.state = State::Ready;
        out.tell(Happening::SignedIn { name: self.options.nick.clone() });
    }

    fn on_error(&self, code: &str, line: &Line<'_>, out: &mut ClientOutbox) {
        let reason = line.params.last().copied().unwrap_or_default().to_owned();
        match self.state {
            // No message of the day, and the commands of a negotiation that a server doesn't know.
            State::Registering | State::Joining if matches!(code, "421" | "422" | "451") => {}
            State::Registering | State::Joining => {
                out.tell(Happening::Refused { code: code.to_owned(), reason });
            }
            State::Ready => out.tell(Happening::Undelivered { reason }),
            State::Ended => {}
        }
    }

    fn end(&mut self, reason: &str, out: &mut ClientOutbox) {
        if self.state != State::Ended {
            self.state = State::Ended;
            out.tell(Happening::Hangup { link: Link::Main });
            out.tell(Happening::Ended { reason: reason.to_owned() });
        }
    }

    fn send_lines(&self, to: &str, text: &str, out: &mut ClientOutbox) -> Result<(), ProtocolError> {
        self.expect_ready("a message")?;
        for text in text.lines().filter(|text| !text.is_empty()) {
            send(out, |line| line.command("PRIVMSG").param(to).trailing(text));
        }
        Ok(())
    }

    fn expect_ready(&self, what: &'static str) -> Result<(), ProtocolError> {
        match self.state {
            State::Ready => Ok(()),
            State::Registering | State::Joining => {
                Err(ProtocolError::OutOfPlace { what, when: "before login" })
            }
            State::Ended => Err(ProtocolError::OutOfPlace { what, when: "after the end" }),
        }
    }
}

/// Queues one message.
fn send(out: &mut ClientOutbox, write: impl FnOnce(Writer<'_>)) {
    let mut bytes = Vec::with_capacity(128);
    write(Writer::new(&mut bytes));
    out.send(Link::Main, Bytes::from(bytes));
}

impl crate::client::Client for Client {
    fn on_connected(&mut self, _: Link, out: &mut ClientOutbox) {
        let Options { nick, password, capabilities, .. } = &self.options;
        // One write, as one message of ours: a server reads it at once.
        let mut bytes = Vec::with_capacity(128);
        if !capabilities.is_empty() {
            Writer::new(&mut bytes).command("CAP").param("LS").param("302").end();
        }
        if let Some(password) = password {
            Writer::new(&mut bytes).command("PASS").trailing(password);
        }
        Writer::new(&mut bytes).command("NICK").param(nick).end();
        Writer::new(&mut bytes).command("USER").param(nick).param("0").param("*").trailing(nick);
        out.send(Link::Main, Bytes::from(bytes));
    }

    fn on_bytes(&mut self, _: Link, bytes: &[u8], out: &mut ClientOutbox) {
        let mut lines = std::mem::take(&mut self.lines);
        let fed = lines.feed(bytes, |line| match line {
            Ok(line) => self.on_line(line, out),
            Err(error) => out.tell(Happening::Confused(error)),
        });
        self.lines = lines;
        if let Err(error) = fed {
            let reason = error.to_string();
            out.tell(Happening::Confused(error));
            self.end(&reason, out);
        }
    }

    fn on_closed(&mut self, _: Link, out: &mut ClientOutbox) {
        self.end("the server closed the connection", out);
    }

    fn say(&mut self, text: &str, out: &mut ClientOutbox) -> Result<(), ProtocolError> {
        let Some(room) = self.options.room.as_deref() else {
            return Err(ProtocolError::OutOfPlace { what: "a message to the room", when: "without a room" });
        };
        self.send_lines(room, text, out)
    }

    fn tell(&mut self, to: &str, text: &str, out: &mut ClientOutbox) -> Result<(), ProtocolError> {
        self.send_lines(to, text, out)
    }

    fn typing(&mut self, out: &mut ClientOutbox) -> Result<(), ProtocolError> {
        self.expect_ready("typing")?;
        let Some(room) = self.options.room.as_deref().filter(|_| self.has("message-tags")) else {
            return Err(ProtocolError::OutOfPlace {
                what: "typing",
                when: "without a room and message-tags",
            });
        };
        send(out, |line| line.tag("+typing", "active").command("TAGMSG").param(room).end());
        Ok(())
    }

    fn leave(&mut self, out: &mut ClientOutbox) {
        if self.state != State::Ended {
            send(out, |line| line.command("QUIT").end());
        }
    }
}
