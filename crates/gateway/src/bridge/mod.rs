//! A bridge client's connection to the server: requests, one answer each, and perhaps a conversation
//! (`docs/protocols/bridge.md`). The calls that the server makes are [`RingSession`]'s.

mod conversation;
mod gather;
mod refusal;
mod ring;
mod wire;

use std::sync::Arc;
use std::time::Instant;

use hub::{BridgeReply, BridgeRequest, Command, Now, Origin, Registration, Reply, Shared};
use proto::ProtocolError;
use proto::bridge::server::Decoder;
use proto::bridge::{ClientFrame, Contact, ServerFrame};

use crate::{Close, Outbox, Session, Settings, text};
use conversation::{Beginning, Conversation};

pub use ring::RingSession;

const REJECTED: &str = "your text was not accepted";
const UNDELIVERED: &str = "your text was not delivered";
/// What a sender is told whose text was handed out and could not be kept.
const NOT_KEPT: &str = "your text was handed out, but it is not kept";

/// One connection that a client made.
pub struct BridgeSession {
    settings: Arc<Settings>,
    origin: Origin,
    decoder: Decoder,
    state: State,
    /// The name that was registered on this connection.
    own: Option<Box<str>>,
    /// Whether that client waits, or has a partner: then the connection may stay silent for as long as they talk.
    present: bool,
    /// When a silent connection is closed.
    silent_at: Instant,
    /// When what has come of a request counts as all of it.
    pause_at: Option<Instant>,
    /// Whether the client has ever ended a line as the protocol says.
    has_cr: bool,
    /// The client has closed its side.
    ended: bool,
}

enum State {
    /// Waits for a request.
    Ready,
    /// The hub has been asked; further requests wait in the decoder.
    Asked(Asked),
    /// A CHAT has made the connection a conversation.
    Talking(Box<Conversation>),
    Closed,
}

/// What the hub has been asked.
enum Asked {
    Register(Contact),
    Bridge(String),
    Chat {
        partner: Option<String>,
        message: Option<String>,
    },
    /// To forget clients; this many answers are due.
    ChatBoth(u8),
    Goodbye(ServerFrame),
    Info,
}

impl BridgeSession {
    /// A session of a connection that has just been made.
    #[must_use]
    pub fn open(settings: Arc<Settings>, origin: Origin, now: Now) -> Self {
        Self {
            origin,
            decoder: Decoder::new(settings.frame_bytes_max),
            state: State::Ready,
            own: None,
            present: false,
            silent_at: now.at + settings.silence,
            pause_at: None,
            has_cr: false,
            ended: false,
            settings,
        }
    }

    /// Takes the requests that the decoder has, as far as the state allows.
    fn on_requests(&mut self, now: Now, out: &mut Outbox) {
        while let State::Ready = self.state {
            let next = match self.decoder.next_frame() {
                Ok(None) if self.ended => self.decoder.finish(),
                next => next,
            };
            match next {
                Ok(Some(request)) => self.on_request(now, request, out),
                Ok(None) if self.ended => return self.close(Close::ByPeer, out),
                Ok(None) => return,
                Err(error) => self.on_error(error, out),
            }
        }
    }

    fn on_error(&mut self, error: ProtocolError, out: &mut Outbox) {
        self.answer(&ServerFrame::Error { message: error.to_string() }, out);
        if error.is_fatal() {
            self.close(Close::Protocol(error), out);
        }
    }

    fn on_request(&mut self, now: Now, request: ClientFrame, out: &mut Outbox) {
        self.silent_at = now.at + self.settings.silence;
        match request {
            ClientFrame::Register(contact) => {
                let Contact { id, ip, port } = &contact;
                out.note(text::one_line(&format!("REGISTER: {id} from {ip}:{port} received")));
                let declared = hub::Contact { ip: ip.clone(), port: port.parse().unwrap_or_default() };
                let request = BridgeRequest::Register { id: id.clone(), contact: declared };
                self.ask(Asked::Register(contact), request, out);
            }
            ClientFrame::Bridge { id } => {
                self.ask(Asked::Bridge(id.clone()), BridgeRequest::Bridge { id }, out);
            }
            ClientFrame::Chat { id, message } => self.on_chat(id, message, out),
            ClientFrame::ChatBoth { first, second } => {
                // Each is forgotten if it is of the asker's host; its partner, wherever it is, waits no more then.
                self.ask(Asked::ChatBoth(2), BridgeRequest::Forget { id: first }, out);
                out.command(Command::Bridge(BridgeRequest::Forget { id: second }));
            }
            ClientFrame::Probe => self.answer(&ServerFrame::ProbeAck, out),
            ClientFrame::Quit { id } => self.on_goodbye(id, ServerFrame::QuitAck, out),
            ClientFrame::Unregister { id } => self.on_goodbye(id, ServerFrame::UnregAck, out),
            ClientFrame::Info if self.origin.is_loopback() => {
                self.ask(Asked::Info, BridgeRequest::List, out);
            }
            ClientFrame::Info => self.refuse("only the server's own machine may ask who is registered", out),
        }
    }

    fn on_chat(&mut self, id: Option<String>, message: Option<String>, out: &mut Outbox) {
        // A name that isn't the client's own is its partner's.
        let (own, partner) = match (self.own.as_deref(), id) {
            (Some(own), Some(id)) if !own.eq_ignore_ascii_case(&id) => (own.to_owned(), Some(id)),
            (Some(own), _) => (own.to_owned(), None),
            (None, Some(id)) => (id, None),
            (None, None) => return self.refuse("CHAT needs a clientID, or a REGISTER before it", out),
        };
        self.ask(Asked::Chat { partner, message }, BridgeRequest::Attach { id: own }, out);
    }

    fn on_goodbye(&mut self, id: Option<String>, ack: ServerFrame, out: &mut Outbox) {
        match id.or_else(|| self.own.as_deref().map(str::to_owned)) {
            Some(id) => self.ask(Asked::Goodbye(ack), BridgeRequest::Forget { id }, out),
            None => {
                self.answer(&ack, out);
                self.close(Close::ByPeer, out);
            }
        }
    }

    fn ask(&mut self, asked: Asked, request: BridgeRequest, out: &mut Outbox) {
        self.state = State::Asked(asked);
        out.command(Command::Bridge(request));
    }

    fn answer(&self, frame: &ServerFrame, out: &mut Outbox) {
        out.send(wire::answer(frame));
    }

    fn refuse(&self, words: &str, out: &mut Outbox) {
        self.answer(&ServerFrame::Error { message: words.to_owned() }, out);
    }

    fn close(&mut self, close: Close, out: &mut Outbox) {
        self.state = State::Closed;
        out.close(close);
    }

    fn on_answer(&mut self, now: Now, asked: Asked, reply: BridgeReply, out: &mut Outbox) {
        match (asked, reply) {
            (Asked::Register(contact), BridgeReply::Registered) => {
                self.own = Some(contact.id.as_str().into());
                self.present = false;
                let status = self.settings.bridge_status;
                self.answer(&ServerFrame::RegAck { contact, status }, out);
            }
            (Asked::Bridge(id), BridgeReply::Peer(peer)) => {
                self.present = self.own.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(&id));
                let contact = peer.map(|peer| Contact {
                    id: wire::name(&peer.card).to_owned(),
                    ip: peer.address.ip().to_string(),
                    port: peer.address.port().to_string(),
                });
                out.note(text::one_line(&match &contact {
                    Some(Contact { id: partner, ip, port }) => {
                        format!("BRIDGE: {id} is told of {partner} at {ip}:{port}")
                    }
                    None => format!("BRIDGE: {id} has no partner yet"),
                }));
                self.answer(&ServerFrame::BridgeAck(contact), out);
            }
            (Asked::Chat { partner, message }, BridgeReply::Attached { card, partner: paired }) => {
                let paired = paired.map(|card| wire::name(&card).to_owned());
                let beginning = Beginning { card, partner: partner.or(paired), message, lines: !self.has_cr };
                let conversation = Conversation::begin(self.settings.clone(), now, beginning, out);
                self.state = State::Talking(Box::new(conversation));
                self.on_rest(now, out);
            }
            (Asked::ChatBoth(due), BridgeReply::Forgotten) if due > 1 => {
                self.state = State::Asked(Asked::ChatBoth(due - 1));
            }
            (Asked::ChatBoth(_), BridgeReply::Forgotten) => {
                self.answer(&ServerFrame::ChatAck { delivered: false }, out);
            }
            (Asked::Goodbye(ack), BridgeReply::Forgotten) => {
                self.answer(&ack, out);
                self.close(Close::ByPeer, out);
            }
            (Asked::Info, BridgeReply::Registrations(all)) => {
                let lines = info(&all, self.settings.frame_bytes_max);
                self.answer(&ServerFrame::Info { lines }, out);
            }
            (
                Asked::Register(_)
                | Asked::Bridge(_)
                | Asked::Chat { .. }
                | Asked::ChatBoth(_)
                | Asked::Goodbye(_)
                | Asked::Info,
                _,
            ) => debug_assert!(false, "an answer to something else"),
        }
    }

    /// Calls the conversation, if there is one. When it has ended, so has the session.
    fn talk(&mut self, call: impl FnOnce(&mut Conversation, &mut Outbox), out: &mut Outbox) {
        let State::Talking(conversation) = &mut self.state else { return };
        call(conversation, out);
        if out.close.is_some() {
            self.state = State::Closed;
        }
    }

    /// What came behind the CHAT belongs to the conversation.
    fn on_rest(&mut self, now: Now, out: &mut Outbox) {
        let rest = self.decoder.take_rest();
        self.pause_at = None;
        if !rest.is_empty() {
            self.talk(|conversation, out| conversation.on_bytes(now, &rest, out), out);
        }
        if self.ended {
            self.talk(|conversation, out| conversation.on_eof(now, out), out);
        }
    }
}

/// A line for each registration, as many as fit.
fn info(all: &[Registration], bytes_max: usize) -> Vec<String> {
    let mut room = bytes_max;
    let mut lines = Vec::new();
    for registration in all {
        let Registration { id, declared, .. } = registration;
        let line = text::one_line(&format!("{id} {}:{}", declared.ip, declared.port)).into_owned();
        if line.len() + 2 > room {
            lines.push(format!("... and {} more", all.len() - lines.len()));
            break;
        }
        room -= line.len() + 2;
        lines.push(line);
    }
    lines
}

impl Session for BridgeSession {
    fn on_bytes(&mut self, now: Now, bytes: &[u8], out: &mut Outbox) {
        self.silent_at = now.at + self.settings.silence;
        match self.state {
            State::Talking(_) => self.talk(|conversation, out| conversation.on_bytes(now, bytes, out), out),
            State::Ready | State::Asked(_) => {
                self.has_cr |= memchr::memchr(b'\r', bytes).is_some();
                self.decoder.feed(bytes);
                self.pause_at = Some(now.at + self.settings.pause);
                self.on_requests(now, out);
            }
            State::Closed => {}
        }
    }

    fn on_eof(&mut self, now: Now, out: &mut Outbox) {
        self.ended = true;
        match self.state {
            State::Talking(_) => self.talk(|conversation, out| conversation.on_eof(now, out), out),
            State::Ready | State::Asked(_) | State::Closed => self.on_requests(now, out),
        }
    }

    fn on_event(&mut self, now: Now, event: &Shared, out: &mut Outbox) {
        self.talk(|conversation, out| conversation.on_event(now, event, out), out);
    }

    fn on_reply(&mut self, now: Now, reply: Reply, out: &mut Outbox) {
        match (std::mem::replace(&mut self.state, State::Ready), reply) {
            (State::Talking(conversation), reply) => {
                self.state = State::Talking(conversation);
                self.talk(|conversation, out| conversation.on_reply(now, reply, out), out);
            }
            (_, Reply::Dismissed { .. }) => self.close(Close::Dismissed, out),
            (State::Asked(asked), Reply::Bridge(reply)) => {
                self.on_answer(now, asked, reply, out);
                self.on_requests(now, out);
            }
            (State::Asked(_), Reply::Refused { refusal, .. }) => {
                self.refuse(&refusal::words(&refusal), out);
                self.on_requests(now, out);
            }
            (state, _) => self.state = state,
        }
    }

    fn on_timer(&mut self, now: Now, out: &mut Outbox) {
        match &mut self.state {
            State::Talking(_) => self.talk(|conversation, out| conversation.on_timer(now, out), out),
            State::Ready => {
                if self.pause_at.is_some_and(|at| at <= now.at) {
                    self.pause_at = None;
                    match self.decoder.pause() {
                        Ok(Some(request)) => self.on_request(now, request, out),
                        Ok(None) => {}
                        Err(error) => self.on_error(error, out),
                    }
                } else if !self.present && self.silent_at <= now.at {
                    self.close(Close::Idle, out);
                }
            }
            State::Asked(_) | State::Closed => {}
        }
    }

    fn on_shutdown(&mut self, now: Now, out: &mut Outbox) {
        match self.state {
            State::Talking(_) => {
                self.talk(|conversation, out| conversation.goodbye(now, Close::Shutdown, out), out)
            }
            // A client that only asked is not told: it may read the next answer hours later.
            State::Ready | State::Asked(_) | State::Closed => self.close(Close::Shutdown, out),
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        match &self.state {
            State::Talking(conversation) => conversation.wake_at(),
            State::Ready => {
                let pause = self.pause_at.filter(|_| !self.decoder.is_empty());
                let silent = (!self.present).then_some(self.silent_at);
                [pause, silent].into_iter().flatten().min()
            }
            State::Asked(_) | State::Closed => None,
        }
    }

    fn user_name(&self) -> Option<&str> {
        match &self.state {
            State::Talking(conversation) => Some(conversation.user_name()),
            State::Ready | State::Asked(_) | State::Closed => self.own.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests;
