//! IRC: what its commands mean to the hub, and what happens there means to an IRC client (`docs/protocols/irc.md`).
//!
//! A line at a time: the hub answers one before the next is begun ([`flow`]). What happens comes to a client in the
//! bytes that it shares with all who asked for the same capabilities ([`wire`]).

mod accounts;
mod asked;
mod batch;
mod caps;
mod events;
mod flow;
mod greeting;
mod history;
mod info;
mod isupport;
mod messages;
mod metadata;
mod modes;
mod monitor;
mod people;
mod playback;
mod reading;
mod refusal;
mod registration;
mod rooms;
mod wire;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use gcra::GcraState;
use hub::{Card, Command, Fingerprint, Form, Now, Origin, Reply, RoomCard, SessionId, Shared, Token};
use proto::irc::server::{Decoder, LineError, check};
use proto::irc::{Line, Numeric, Writer};

use crate::{Carrier, Close, Outbox, Session, Settings};
use asked::Asked;
use batch::OpenBatch;
use caps::Caps;
use flow::Flow;
pub use greeting::Greeting;
use playback::Playback;
use registration::Registering;

/// The longest label, in bytes (labeled-response).
const LABEL_BYTES_MAX: usize = 64;

/// An IRC client's session.
pub struct IrcSession {
    settings: Arc<Settings>,
    origin: Origin,
    carrier: Carrier,
    decoder: Decoder,
    caps: Caps,
    state: State,
    /// Set while anything waits for the hub.
    flow: Flow,
    /// How many lines it has sent lately; nothing is counted on this machine.
    spent: GcraState,
    /// When the next line may be begun, if it has sent too many.
    resume_at: Option<Instant>,
    /// When the client was last heard of.
    heard_at: Instant,
    /// Whether it was asked since then whether it is there.
    pinged: bool,
    /// Batches that were made for it.
    batches: u32,
    /// What it was shown as it happened, if it asks for the rest (znc.in/playback).
    playback: Option<Box<Playback>>,
    /// The client has closed its side; what it said before is still done.
    ended: bool,
    /// What the client's certificate is known by.
    certificate: Option<Box<Fingerprint>>,
    /// An authentication that is under way.
    sasl: Option<Box<accounts::Sasl>>,
}

enum State {
    Registering(Box<Registering>),
    Active(Active),
    Closed,
}

/// A registered client.
struct Active {
    card: Arc<Card>,
    session: SessionId,
    /// The channels it is on.
    rooms: Vec<Arc<RoomCard>>,
    /// A batch that it has begun and not ended.
    batch: Option<Box<OpenBatch>>,
}

/// One call to the session.
struct Call<'c> {
    now: Now,
    out: &'c mut Outbox,
    /// Lines of the session's own, to go out in this place.
    lines: Vec<u8>,
    /// Whether an answer of the hub's is being written, before which nothing stands in line.
    answering: bool,
}

impl IrcSession {
    /// A session of a connection that has just been made.
    #[must_use]
    pub fn open(
        settings: Arc<Settings>,
        origin: Origin,
        now: Now,
        carrier: Carrier,
        certificate: Option<Fingerprint>,
    ) -> Self {
        Self {
            settings,
            origin,
            carrier,
            decoder: Decoder::default(),
            caps: Caps::empty(),
            state: State::Registering(Box::new(Registering::new(now))),
            flow: Flow::default(),
            spent: GcraState::default(),
            resume_at: None,
            heard_at: now.at,
            pinged: false,
            batches: 0,
            playback: None,
            ended: false,
            certificate: certificate.map(Box::new),
            sasl: None,
        }
    }

    /// Runs one call and puts out what it leaves.
    fn call(&mut self, now: Now, out: &mut Outbox, act: impl FnOnce(&mut Self, &mut Call<'_>)) {
        let mut cx = Call { now, out, lines: Vec::new(), answering: false };
        act(self, &mut cx);
        self.flush(&mut cx);
    }

    /// Puts the session's own lines out, so that what follows comes after them.
    fn flush(&mut self, cx: &mut Call<'_>) {
        if !cx.lines.is_empty() {
            let lines = Bytes::from(std::mem::take(&mut cx.lines));
            self.send(&lines, cx.out);
        }
    }

    /// Puts out lines. Over WebSocket each is a message of its own, without its end.
    fn send(&self, lines: &Bytes, out: &mut Outbox) {
        match self.carrier {
            Carrier::Stream => out.send(lines.clone()),
            Carrier::WebSocketText | Carrier::WebSocketBinary => {
                let mut start = 0;
                while let Some(at) = lines.get(start..).and_then(|rest| memchr::memchr(b'\n', rest)) {
                    let end = start + at;
                    out.send(lines.slice(start..end.saturating_sub(1)));
                    start = end + 1;
                }
            }
        }
    }

    /// A line of the session's own.
    fn line<'s>(&'s mut self, cx: &'s mut Call<'_>) -> Writer<'s> {
        Writer::new(self.flow.sink(cx.answering, &mut cx.lines))
    }

    /// A line in the server's name.
    fn server_line<'s>(&'s mut self, cx: &'s mut Call<'_>) -> Writer<'s> {
        let Self { settings, flow, .. } = self;
        Writer::new(flow.sink(cx.answering, &mut cx.lines)).source(&settings.irc_name)
    }

    /// A numeric, up to its first parameter.
    fn numeric<'s>(&'s mut self, cx: &'s mut Call<'_>, numeric: Numeric) -> Writer<'s> {
        let Self { settings, flow, state, .. } = self;
        let line = Writer::new(flow.sink(cx.answering, &mut cx.lines)).source(&settings.irc_name);
        line.numeric(numeric, nick_of(state))
    }

    /// A standard reply: `FAIL`, with what it is about. Only commands whose specifications have these use them, so
    /// whoever sends such a command knows them, whatever else it has asked for.
    fn fail(&mut self, cx: &mut Call<'_>, command: &str, code: &str, about: &[&str], text: &str) {
        let line = self.server_line(cx).command("FAIL").param(command).param(code);
        about.iter().fold(line, |line, about| line.param(about)).trailing(text);
    }

    /// How the client is addressed.
    fn target(&self) -> String {
        nick_of(&self.state).to_owned()
    }

    /// Asks the hub.
    fn ask(&mut self, cx: &mut Call<'_>, asked: Asked, command: Command) {
        self.flow.ask(asked);
        cx.out.command(command);
    }

    fn on_line(&mut self, cx: &mut Call<'_>, line: &str) {
        match Line::parse(line) {
            Ok(Some(line)) => {
                let label = self.label_of(&line);
                self.flow.begin(label, messages::is_plain_line(&line));
                self.on_command(cx, &line);
            }
            Ok(None) => {}
            // There is no command to answer.
            Err(_) => {
                self.flow.begin(None, false);
                self.numeric(cx, Numeric::ERR_UNKNOWNCOMMAND).param("*").trailing("That is no command");
            }
        }
        self.settle(cx);
    }

    /// A line that can't be taken; `text` is what of it is text.
    fn on_bad_line(&mut self, cx: &mut Call<'_>, text: &str, error: LineError) {
        let line = Line::parse(text).ok().flatten();
        let label = line.as_ref().and_then(|line| self.label_of(line));
        self.flow.begin(label, false);
        match error {
            LineError::Malformed => {
                let text = "A line can't have such characters";
                self.numeric(cx, Numeric::ERR_UNKNOWNCOMMAND).param("*").trailing(text);
            }
            LineError::TooLong => self.input_too_long(cx),
            LineError::NotUtf8 => {
                let command: String = line.map_or("*", |line| line.command).chars().take(32).collect();
                let text = "Message rejected: your message contained invalid UTF-8";
                let line = self.server_line(cx).command("FAIL").param(&command.to_ascii_uppercase());
                line.param("INVALID_UTF8").trailing(text);
            }
        }
        self.settle(cx);
    }

    /// Puts out what is complete.
    fn settle(&mut self, cx: &mut Call<'_>) {
        self.flow.settle(&self.settings.irc_name, &mut self.batches, &mut cx.lines);
    }

    fn label_of(&self, line: &Line<'_>) -> Option<String> {
        if !self.caps.contains(Caps::LABELED_RESPONSE) {
            return None;
        }
        let label = line.tags.get("label")?;
        (!label.is_empty() && label.len() <= LABEL_BYTES_MAX).then(|| label.into_owned())
    }

    fn on_command(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let mut upper = [0u8; 16];
        let Some(name) = upper.get_mut(..line.command.len()) else { return self.unknown(cx, line) };
        // Most clients write capitals.
        let name = if line.command.bytes().any(|byte| byte.is_ascii_lowercase()) {
            name.copy_from_slice(line.command.as_bytes());
            name.make_ascii_uppercase();
            std::str::from_utf8(name).unwrap_or_default()
        } else {
            line.command
        };
        match &self.state {
            State::Registering(_) => self.on_early(cx, name, line),
            State::Active(_) => self.on_late(cx, name, line),
            State::Closed => {}
        }
    }

    /// A command of a registered client.
    fn on_late(&mut self, cx: &mut Call<'_>, name: &str, line: &Line<'_>) {
        // What is sent most comes first.
        let known = self.on_messages(cx, name, line)
            || self.on_session(cx, name, line)
            || self.on_rooms(cx, name, line)
            || self.on_accounts(cx, name, line)
            || self.on_history(cx, name, line)
            || self.on_metadata(cx, name, line)
            || self.on_people(cx, name, line)
            || self.on_info(cx, name, line);
        if !known {
            self.unknown(cx, line);
        }
    }

    fn unknown(&mut self, cx: &mut Call<'_>, line: &Line<'_>) {
        let name: String = line.command.chars().take(32).collect();
        self.numeric(cx, Numeric::ERR_UNKNOWNCOMMAND).param(&name).trailing("Unknown command");
    }

    fn need_more(&mut self, cx: &mut Call<'_>, command: &str) {
        self.numeric(cx, Numeric::ERR_NEEDMOREPARAMS).param(command).trailing("Not enough parameters");
    }

    fn input_too_long(&mut self, cx: &mut Call<'_>) {
        self.numeric(cx, Numeric::ERR_INPUTTOOLONG).trailing("Input line was too long");
    }

    /// Says goodbye and closes.
    fn end(&mut self, cx: &mut Call<'_>, close: Close, reason: &str) {
        let state = std::mem::replace(&mut self.state, State::Closed);
        let host = match &state {
            State::Active(active) => {
                cx.out.command(Command::Leave { reason: Some(reason.to_owned()) });
                active.card.host().to_owned()
            }
            State::Registering(_) => self.origin.address.to_canonical().to_string(),
            State::Closed => return,
        };
        self.line(cx).command("ERROR").trailing_parts(["Closing link: ", &host, " (", reason, ")"]);
        // Whatever waits is not answered any more, but what was written is.
        self.flow.abandon(&self.settings.irc_name, &mut self.batches, &mut cx.lines);
        cx.out.close(close);
    }
}

/// How a client is addressed.
fn nick_of(state: &State) -> &str {
    match state {
        State::Active(active) => wire::nick(&active.card),
        State::Registering(registering) => registering.nick.as_deref().unwrap_or("*"),
        State::Closed => "*",
    }
}

impl Session for IrcSession {
    fn on_open(&mut self, _: Now, out: &mut Outbox) {
        if let Some(fingerprint) = &self.certificate {
            out.command(Command::Certificate(**fingerprint));
        }
    }

    fn on_bytes(&mut self, now: Now, bytes: &[u8], out: &mut Outbox) {
        if matches!(self.state, State::Closed) {
            return;
        }
        (self.heard_at, self.pinged) = (now.at, false);
        if let State::Registering(registering) = &mut self.state {
            registering.begun(now);
        }
        match self.carrier {
            Carrier::Stream => return self.call(now, out, |session, cx| session.on_input(cx, bytes)),
            // One message is one line: without an end, but for the clients that send one all the same.
            Carrier::WebSocketText | Carrier::WebSocketBinary => {
                match check(bytes.strip_suffix(b"\n").unwrap_or(bytes)) {
                    Ok(line) if line.contains('\n') => self.decoder.feed(b"\r \n"),
                    Ok(line) => {
                        self.decoder.feed(line.as_bytes());
                        self.decoder.feed(b"\n");
                    }
                    // The decoder says of these what it says of such lines.
                    Err(_) => {
                        self.decoder.feed(bytes);
                        self.decoder.feed(b"\n");
                    }
                }
            }
        }
        self.call(now, out, Self::read);
    }

    fn on_eof(&mut self, now: Now, out: &mut Outbox) {
        self.ended = true;
        self.call(now, out, Self::read);
    }

    fn on_event(&mut self, now: Now, event: &Shared, out: &mut Outbox) {
        self.call(now, out, |session, cx| session.on_happened(cx, event));
    }

    fn ready<'e>(&self, event: &'e Shared) -> Option<&'e [Bytes]> {
        self.ready_message(event)
    }

    fn form(&self) -> Option<Form> {
        let plain = matches!(self.state, State::Active(_)) && self.carrier == Carrier::Stream;
        // With multiline it depends on how long a message is.
        (plain && !self.caps.contains(Caps::MULTILINE)).then(|| wire::form_of_lines(self.caps))
    }

    fn on_reply(&mut self, now: Now, reply: Reply, out: &mut Outbox) {
        self.call(now, out, |session, cx| {
            session.on_answer(cx, reply);
            session.read(cx);
        });
    }

    fn on_delivered(&mut self, _: Token) -> bool {
        // Else what waits goes on now.
        self.decoder.is_empty() && !self.ended && self.flow.delivered()
    }

    fn on_timer(&mut self, now: Now, out: &mut Outbox) {
        self.call(now, out, |session, cx| {
            if session.resume_at.is_some_and(|at| at <= now.at) {
                session.resume_at = None;
                session.read(cx);
            }
            session.on_silence(cx);
        });
    }

    fn on_shutdown(&mut self, now: Now, out: &mut Outbox) {
        self.call(now, out, |session, cx| session.end(cx, Close::Shutdown, "Server going down"));
    }

    fn on_turned_away(&mut self, now: Now, reason: &str, out: &mut Outbox) {
        self.call(now, out, |session, cx| session.end(cx, Close::Shutdown, reason));
    }

    fn wake_at(&self) -> Option<Instant> {
        let silence = match &self.state {
            State::Registering(registering) => registering.deadline(&self.settings),
            State::Active(_) => self.silence_at(),
            State::Closed => return None,
        };
        [Some(silence), self.resume_at].into_iter().flatten().min()
    }

    fn user_name(&self) -> Option<&str> {
        match &self.state {
            State::Active(active) => Some(active.card.name().as_str()),
            State::Registering(_) | State::Closed => None,
        }
    }
}
