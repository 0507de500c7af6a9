//! A call that the server made to a waiting client, for somebody who writes to it: the server is its partner and
//! takes turns with it.
//!
//! A turn of ours is one segment with everything that was said since the last one; then the client has its turn,
//! and whatever others write meanwhile waits.

use std::collections::VecDeque;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use hub::{Card, Command, Kind, Now, Origin, Outcome, Reply, Shared, To, Token};
use proto::bridge::{Contact, OPENING_GAP, peer};

use super::gather::Gather;
use super::{refusal, wire};
use crate::{Close, Outbox, Session, Settings};

/// With this many messages waiting for the client's turn to end, senders are refused.
const WAITING_MAX: usize = 100;

/// One call.
pub struct RingSession {
    settings: Arc<Settings>,
    own_contact: SocketAddrV4,
    state: State,
}

enum State {
    /// The hub hasn't told yet who is called and why.
    Calling {
        card: Option<Arc<Card>>,
        deadline: Instant,
    },
    Talking(Box<Talking>),
    Closed,
}

struct Talking {
    settings: Arc<Settings>,
    card: Arc<Card>,
    /// Whose name opened the conversation: those texts come without a name.
    caller: String,
    turn: Turn,
    gather: Gather,
    /// What others wrote, until it is our turn.
    waiting: VecDeque<Line>,
    waiting_bytes: usize,
    waiting_messages: usize,
    /// Whether the hub was told to refuse more.
    full: bool,
    /// Who wrote in the turn that the client is answering.
    correspondents: Vec<String>,
    tokens: u32,
}

/// A line of a turn.
struct Line {
    /// Nobody: the server itself.
    from: Option<String>,
    text: Bytes,
    /// The last line of its message.
    ends: bool,
}

#[derive(Clone, Copy)]
enum Turn {
    /// The opening is on its way, and the first text must not stick to it.
    Opening { until: Instant },
    /// As soon as anything waits it is sent.
    Ours,
    /// The client writes, or has until then to do it.
    Theirs { until: Instant },
}

impl RingSession {
    /// A session for a call that was just taken. `own_contact` is where the server says that it listens.
    #[must_use]
    pub fn open(settings: Arc<Settings>, origin: Origin, now: Now, own_contact: SocketAddrV4) -> Self {
        let _ = origin;
        let deadline = now.at + settings.login;
        Self { settings, own_contact, state: State::Calling { card: None, deadline } }
    }

    fn goodbye(&mut self, close: Close, out: &mut Outbox) {
        if let State::Talking(_) = self.state {
            out.send(Bytes::from_static(peer::QUIT));
        }
        self.close(close, out);
    }

    fn close(&mut self, close: Close, out: &mut Outbox) {
        self.state = State::Closed;
        out.close(close);
    }

    /// The first message tells in whose name the conversation is opened.
    fn begin(&mut self, now: Now, card: Arc<Card>, caller: &Card, out: &mut Outbox) {
        let caller = wire::name(caller).to_owned();
        let contact = Contact {
            id: caller.clone(),
            ip: self.own_contact.ip().to_string(),
            port: self.own_contact.port().to_string(),
        };
        let mut opening = BytesMut::with_capacity(96);
        peer::encode_opening(&contact, &mut opening);
        out.send(opening);
        self.state = State::Talking(Box::new(Talking {
            settings: self.settings.clone(),
            card,
            correspondents: vec![caller.clone()],
            caller,
            turn: Turn::Opening { until: now.at + OPENING_GAP },
            gather: Gather::new(self.settings.pause, self.settings.frame_bytes_max),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            waiting_messages: 0,
            full: false,
            tokens: 0,
        }));
    }

    fn on_turn(&mut self, now: Now, bytes: &[u8], out: &mut Outbox) {
        let State::Talking(talking) = &mut self.state else { return };
        if talking.on_turn(now, bytes, out) {
            self.close(Close::ByPeer, out);
        }
    }
}

impl Talking {
    /// Takes what the client wrote; whether it has said goodbye.
    fn on_turn(&mut self, now: Now, bytes: &[u8], out: &mut Outbox) -> bool {
        let turn = peer::decode(bytes);
        let is_opening = turn.texts.is_empty() && turn.id.is_some();
        let own = self.card.name().as_str();
        let texts: Vec<_> = turn.texts.iter().map(|text| peer::without_prompt(text, own)).collect();
        if !texts.is_empty() {
            let to = match self.correspondents.as_slice() {
                [one] => To::User(one.as_str().into()),
                several => To::Group(several.to_vec()),
            };
            self.tokens = self.tokens.wrapping_add(1);
            let token = Some(Token(self.tokens));
            out.command(crate::say(to, texts.join("\n"), token));
        }
        // An empty line is a turn too, headers alone are not.
        if let (Turn::Theirs { .. }, false) = (self.turn, is_opening) {
            self.turn = Turn::Ours;
            self.take_turn(now, out);
        }
        turn.quit
    }

    fn on_event(&mut self, now: Now, event: &Shared, out: &mut Outbox) {
        let max = self.settings.legacy_bytes_max;
        let Some((from, _)) = wire::message(event, true, max) else { return };
        let from = wire::name(from).to_owned();
        // Unless it is what the client was rung for, it is no part of the conversation.
        if let (Kind::Announcement { text, .. }, true) = (&event.kind, from != self.caller) {
            return self.notice(now, text.as_str(), out);
        }
        let Some((_, lines)) = wire::message(event, from != self.caller, max) else { return };
        self.hold(Some(&from), lines);
        self.take_turn(now, out);
    }

    /// Something that the server itself has to say.
    fn notice(&mut self, now: Now, words: &str, out: &mut Outbox) {
        let lines = wire::line(&self.settings.server_name, true, words, self.settings.legacy_bytes_max);
        self.hold(None, &lines);
        self.take_turn(now, out);
    }

    fn hold(&mut self, from: Option<&str>, lines: &[Bytes]) {
        for (index, text) in lines.iter().enumerate() {
            let ends = index + 1 == lines.len();
            self.waiting_bytes += text.len();
            self.waiting_messages += usize::from(ends);
            let from = from.map(str::to_owned);
            self.waiting.push_back(Line { from, text: text.clone(), ends });
        }
    }

    /// Sends what waits, if it is our turn, and keeps within the bounds.
    fn take_turn(&mut self, now: Now, out: &mut Outbox) {
        if let (Turn::Ours, false) = (self.turn, self.waiting.is_empty()) {
            out.send(self.segment());
            self.turn = Turn::Theirs { until: now.at + self.settings.silence };
        }
        let bytes_max = self.settings.queue_bytes_max;
        let full = self.waiting_messages >= WAITING_MAX || self.waiting_bytes >= bytes_max;
        if full != self.full {
            self.full = full;
            out.command(Command::Hold { full });
        }
        // What was under way when the hub was told may still come; not as much again.
        if self.waiting_bytes > bytes_max.saturating_mul(2) {
            out.close(Close::SlowReader { queued: self.waiting_bytes });
        }
    }

    /// One turn's bytes: as many lines as one message may hold, the rest is for the next turn.
    fn segment(&mut self) -> Bytes {
        let max = self.settings.legacy_bytes_max;
        let mut segment = BytesMut::new();
        let mut wrote: Vec<String> = Vec::new();
        while let Some(line) = self.waiting.front() {
            let fits = segment.len() + 1 + line.text.len() <= max;
            let Some(line) = (fits || segment.is_empty()).then(|| self.waiting.pop_front()).flatten() else {
                break;
            };
            self.waiting_bytes -= line.text.len();
            self.waiting_messages -= usize::from(line.ends);
            if !segment.is_empty() {
                segment.extend_from_slice(b"\n");
            }
            segment.extend_from_slice(&line.text);
            wrote.extend(line.from.filter(|from| !wrote.contains(from)));
        }
        if self.waiting.is_empty() {
            self.waiting = VecDeque::new();
        }
        // A turn in which only the server spoke leaves the client with whom it had.
        if !wrote.is_empty() {
            self.correspondents = wrote;
        }
        segment.freeze()
    }
}

impl Session for RingSession {
    fn on_bytes(&mut self, now: Now, bytes: &[u8], out: &mut Outbox) {
        let State::Talking(talking) = &mut self.state else { return };
        match talking.gather.feed(now, bytes) {
            Ok(Some(turn)) => self.on_turn(now, &turn, out),
            Ok(None) => {}
            Err(error) => self.goodbye(Close::Protocol(error), out),
        }
    }

    fn on_eof(&mut self, now: Now, out: &mut Outbox) {
        if let State::Talking(talking) = &mut self.state
            && let Some(turn) = talking.gather.take()
        {
            self.on_turn(now, &turn, out);
        }
        self.close(Close::ByPeer, out);
    }

    fn on_event(&mut self, now: Now, event: &Shared, out: &mut Outbox) {
        if let State::Calling { card, .. } = &mut self.state
            && let Some((caller, _)) = wire::message(event, true, self.settings.legacy_bytes_max)
            && let Some(card) = card.take()
        {
            self.begin(now, card, caller, out);
        }
        if let State::Talking(talking) = &mut self.state {
            talking.on_event(now, event, out);
            if out.close.is_some() {
                self.state = State::Closed;
            }
        }
    }

    fn on_reply(&mut self, now: Now, reply: Reply, out: &mut Outbox) {
        match (&mut self.state, reply) {
            (State::Calling { card, .. }, Reply::Welcome { card: called, .. }) => *card = Some(called),
            (State::Calling { .. } | State::Talking(_), Reply::Dismissed { .. }) => {
                self.goodbye(Close::Dismissed, out);
            }
            (State::Talking(talking), Reply::Refused { refusal, .. }) => {
                talking.notice(now, &refusal::words(&refusal), out);
            }
            (State::Talking(talking), Reply::Outcome { outcome, .. }) => match outcome {
                Outcome::Delivered => {}
                Outcome::Rejected => talking.notice(now, super::REJECTED, out),
                Outcome::Undelivered => talking.notice(now, super::UNDELIVERED, out),
                Outcome::NotKept => talking.notice(now, super::NOT_KEPT, out),
            },
            (State::Calling { .. } | State::Talking(_) | State::Closed, _) => {}
        }
    }

    fn on_timer(&mut self, now: Now, out: &mut Outbox) {
        match &mut self.state {
            State::Calling { deadline, .. } if *deadline <= now.at => self.close(Close::Idle, out),
            State::Talking(talking) => {
                if let Some(turn) = talking.gather.on_timer(now) {
                    return self.on_turn(now, &turn, out);
                }
                match talking.turn {
                    Turn::Opening { until } if until <= now.at => {
                        talking.turn = Turn::Ours;
                        talking.take_turn(now, out);
                    }
                    Turn::Theirs { until } if until <= now.at => self.goodbye(Close::Idle, out),
                    Turn::Opening { .. } | Turn::Ours | Turn::Theirs { .. } => {}
                }
            }
            State::Calling { .. } | State::Closed => {}
        }
    }

    fn on_shutdown(&mut self, _: Now, out: &mut Outbox) {
        self.goodbye(Close::Shutdown, out);
    }

    fn wake_at(&self) -> Option<Instant> {
        match &self.state {
            State::Calling { deadline, .. } => Some(*deadline),
            State::Talking(talking) => {
                let turn = match talking.turn {
                    Turn::Opening { until } | Turn::Theirs { until } => Some(until),
                    Turn::Ours => None,
                };
                [talking.gather.wake_at(), turn].into_iter().flatten().min()
            }
            State::Closed => None,
        }
    }

    fn user_name(&self) -> Option<&str> {
        match &self.state {
            State::Talking(talking) => Some(talking.card.name().as_str()),
            State::Calling { card, .. } => card.as_ref().map(|card| card.name().as_str()),
            State::Closed => None,
        }
    }
}
