//! A client that talks over its own connection: text both ways, whenever it comes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hub::{BridgeRequest, Card, Command, Kind, Now, Outcome, Reply, Shared, To, Token};
use proto::bridge::{ServerFrame, peer};

use super::gather::Gather;
use super::{refusal, wire};
use crate::pacer::Pacer;
use crate::{Close, Outbox, Settings};

/// The least time between two texts: clients take one `recv` for one text.
const GAP: Duration = Duration::from_millis(100);
/// With more texts than this waiting they are sent without a gap.
const WAITING_MAX: usize = 50;

/// A live conversation.
pub(super) struct Conversation {
    settings: Arc<Settings>,
    card: Arc<Card>,
    /// To whom the client writes: its partner, or else who wrote to it last.
    to: Option<String>,
    /// The partner's texts come without a name.
    partner: Option<String>,
    gather: Gather,
    pacer: Pacer,
    /// Whether a text ends in a line feed: for people at a terminal, whose own lines did.
    lines: bool,
    tokens: u32,
}

/// What a conversation begins with.
pub(super) struct Beginning {
    pub(super) card: Arc<Card>,
    pub(super) partner: Option<String>,
    /// The text in the CHAT itself.
    pub(super) message: Option<String>,
    pub(super) lines: bool,
}

impl Conversation {
    pub(super) fn begin(settings: Arc<Settings>, now: Now, beginning: Beginning, out: &mut Outbox) -> Self {
        let Beginning { card, partner, message, lines } = beginning;
        let mut conversation = Self {
            card,
            to: partner.clone(),
            partner,
            gather: Gather::new(settings.pause, settings.frame_bytes_max),
            pacer: Pacer::new(GAP, settings.queue_bytes_max).with_patience(WAITING_MAX),
            lines,
            tokens: 0,
            settings,
        };
        match message {
            // The answer tells what became of the text.
            Some(text) => conversation.say(now, text, true, out),
            None => conversation.answer(now, &ServerFrame::ChatAck { delivered: true }, out),
        }
        conversation
    }

    pub(super) fn user_name(&self) -> &str {
        self.card.name().as_str()
    }

    pub(super) fn on_bytes(&mut self, now: Now, bytes: &[u8], out: &mut Outbox) {
        match self.gather.feed(now, bytes) {
            Ok(Some(turn)) => self.on_turn(now, &turn, out),
            Ok(None) => {}
            Err(error) => {
                let message = error.to_string();
                self.answer(now, &ServerFrame::Error { message }, out);
                self.pacer.flush(out);
                out.close(Close::Protocol(error));
            }
        }
    }

    pub(super) fn on_eof(&mut self, now: Now, out: &mut Outbox) {
        if let Some(turn) = self.gather.take() {
            self.on_turn(now, &turn, out);
        }
        self.pacer.flush(out);
        out.close(Close::ByPeer);
    }

    pub(super) fn on_timer(&mut self, now: Now, out: &mut Outbox) {
        if let Some(turn) = self.gather.on_timer(now) {
            self.on_turn(now, &turn, out);
        }
        self.pacer.on_timer(now, out);
    }

    fn on_turn(&mut self, now: Now, bytes: &[u8], out: &mut Outbox) {
        let turn = peer::decode(bytes);
        let is_opening = turn.texts.is_empty() && turn.id.is_some() && !turn.quit;
        for text in turn.texts {
            let text = peer::without_prompt(&text, self.user_name()).to_owned();
            self.say(now, text, turn.framed, out);
        }
        if turn.quit {
            // Docs, rule 7: a client that says QUIT to the server is forgotten.
            out.command(Command::Bridge(BridgeRequest::Forget { id: self.user_name().to_owned() }));
            self.answer(now, &ServerFrame::QuitAck, out);
            self.pacer.flush(out);
            out.close(Close::ByPeer);
        } else if is_opening {
            self.answer(now, &ServerFrame::ChatAck { delivered: true }, out);
        }
    }

    /// Passes a text on. `framed`: the client waits for an answer to it.
    fn say(&mut self, now: Now, text: String, framed: bool, out: &mut Outbox) {
        let Some(to) = self.to.clone() else {
            return self.complain(now, framed, "nobody has written to you yet", out);
        };
        self.tokens = self.tokens.wrapping_add(1);
        let token = Some(Token(self.tokens << 1 | u32::from(framed)));
        out.command(crate::say(To::User(to.into()), text, token));
    }

    pub(super) fn on_event(&mut self, now: Now, event: &Shared, out: &mut Outbox) {
        let max = self.settings.legacy_bytes_max;
        let Some((from, _)) = wire::message(event, true, max) else { return };
        if let Kind::Announcement { text, .. } = &event.kind {
            return self.complain(now, false, text.as_str(), out);
        }
        let named = self.partner.as_deref().is_some_and(|partner| partner != wire::name(from));
        if self.partner.is_none() {
            self.to = Some(wire::name(from).to_owned());
        }
        let Some((_, lines)) = wire::message(event, named || self.partner.is_none(), max) else { return };
        for line in lines {
            self.send(now, line, out);
        }
    }

    pub(super) fn on_reply(&mut self, now: Now, reply: Reply, out: &mut Outbox) {
        let is_framed = |token: Token| token.0 & 1 == 1;
        match reply {
            Reply::Outcome { token, outcome, .. } => match outcome {
                Outcome::Delivered if is_framed(token) => {
                    self.answer(now, &ServerFrame::ChatAck { delivered: true }, out);
                }
                Outcome::Delivered => {}
                Outcome::Rejected => self.complain(now, is_framed(token), super::REJECTED, out),
                Outcome::Undelivered => self.complain(now, is_framed(token), super::UNDELIVERED, out),
                Outcome::NotKept => self.complain(now, is_framed(token), super::NOT_KEPT, out),
            },
            Reply::Refused { token, refusal } => {
                let framed = token.is_some_and(is_framed);
                self.complain(now, framed, &refusal::words(&refusal), out);
            }
            Reply::Dismissed { .. } => self.goodbye(now, Close::Dismissed, out),
            // Answers to what a conversation never asks.
            Reply::Welcome { .. }
            | Reply::Complete { .. }
            | Reply::Incomplete
            | Reply::ReceiptElsewhere { .. }
            | Reply::Recalled(_)
            | Reply::Members { .. }
            | Reply::Bridge(_)
            | Reply::LoggedIn { .. }
            | Reply::Registered { .. }
            | Reply::ScramKeys { .. }
            | Reply::Marker { .. }
            | Reply::Done
            | Reply::Joined { .. }
            | Reply::Invited { .. }
            | Reply::ModesSet { .. }
            | Reply::FlagsSet { .. }
            | Reply::Watched { .. }
            | Reply::Metadata(_)
            | Reply::Answer(_) => {}
        }
    }

    /// The server ends the conversation.
    pub(super) fn goodbye(&mut self, now: Now, close: Close, out: &mut Outbox) {
        self.pacer.push(now, Bytes::from_static(peer::QUIT), out);
        self.pacer.flush(out);
        out.close(close);
    }

    fn complain(&mut self, now: Now, framed: bool, words: &str, out: &mut Outbox) {
        if framed {
            return self.answer(now, &ServerFrame::Error { message: words.to_owned() }, out);
        }
        let max = self.settings.legacy_bytes_max;
        for line in wire::line(&self.settings.server_name.clone(), true, words, max) {
            self.send(now, &line, out);
        }
    }

    fn answer(&mut self, now: Now, frame: &ServerFrame, out: &mut Outbox) {
        self.pacer.push(now, wire::answer(frame), out);
    }

    fn send(&mut self, now: Now, line: &Bytes, out: &mut Outbox) {
        let bytes = if self.lines { [line.as_ref(), b"\n"].concat().into() } else { line.clone() };
        self.pacer.push(now, bytes, out);
    }

    pub(super) fn wake_at(&self) -> Option<Instant> {
        [self.gather.wake_at(), self.pacer.wake_at()].into_iter().flatten().min()
    }
}
