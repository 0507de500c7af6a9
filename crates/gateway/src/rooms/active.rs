//! A rooms client that is logged in: what it says, and what it is told.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hub::{Card, Command, Form, Kind, Namespace, Now, Outcome, Reply, RoomCard, Shared, To, Token};
use proto::rooms::{Code, Framing, ServerFrame};

use super::{refusal, wire};
use crate::pacer::Pacer;
use crate::plain::{NOT_KEPT, invited, kicked, not_kept};
use crate::slash::{self, Slash};
use crate::{Close, Outbox, Settings};

/// Nothing follows `200` for this long: clients compare what one `recv` gave with `200`.
const AFTER_WELCOME: Duration = Duration::from_millis(100);
/// With more messages than this waiting they are sent without a gap.
const WAITING_MAX: usize = 50;
/// What the last question is asked under; messages count from 1 and won't get there.
const LAST: Token = Token(u32::MAX);
/// What a line client types to leave.
const EXIT: &str = "/exit";

/// A logged-in client's side of the session.
pub(super) struct Active {
    pub(super) framing: Framing,
    pub(super) card: Arc<Card>,
    room: Arc<RoomCard>,
    pub(super) pacer: Pacer,
    tokens: u32,
    /// The peer has closed, or asked for the end: the answer to a last question ends the session, so that all
    /// answers to what it said before are on their way.
    ended: bool,
}

impl Active {
    /// Tells the client that it is in, and lets nothing follow that for a while.
    pub(super) fn enter(
        settings: &Settings,
        now: Now,
        framing: Framing,
        (card, room): (Arc<Card>, Arc<RoomCard>),
        out: &mut Outbox,
    ) -> Self {
        let gap = match framing {
            Framing::Reads => settings.rooms_gap,
            Framing::Lines => Duration::ZERO,
        };
        let mut pacer = Pacer::new(gap, settings.queue_bytes_max).with_patience(WAITING_MAX);
        pacer.push(now, wire::message(&ServerFrame::Code(Code::Welcome), framing), out);
        if framing == Framing::Reads {
            pacer.hold(now, AFTER_WELCOME);
        }
        Self { framing, card, room, pacer, tokens: 0, ended: false }
    }

    /// The peer has closed: once all that it said is answered, the session ends.
    pub(super) fn on_eof(&mut self, out: &mut Outbox) {
        if !std::mem::replace(&mut self.ended, true) {
            self.ask(Some(LAST), out);
        }
    }

    /// Passes on what happened. Whether the client is in the room still.
    pub(super) fn on_event(
        &mut self,
        settings: &Settings,
        now: Now,
        event: &Shared,
        out: &mut Outbox,
    ) -> bool {
        let (framing, max) = (self.framing, settings.legacy_bytes_max);
        if let Some((_, words)) = kicked(event, self.card.user(), Namespace::Rooms) {
            self.notice(settings, now, &words, out);
            return false;
        }
        if let Some(plain) = invited(event, self.card.user(), Namespace::Rooms) {
            for message in wire::said(&plain, framing, max) {
                self.pacer.push(now, message, out);
            }
        }
        if let Some(words) = not_kept(event, self.card.user()) {
            self.notice(settings, now, words, out);
            return true;
        }
        for message in wire::shared(event, framing, max) {
            self.pacer.push(now, message.clone(), out);
        }
        true
    }

    /// The form of messages, if nothing stands before them.
    pub(super) fn form(&self) -> Option<Form> {
        (self.framing == Framing::Lines && self.pacer.is_empty()).then(|| wire::form(self.framing))
    }

    /// The lines of a message, if nothing stands before it.
    pub(super) fn ready<'e>(&self, settings: &Settings, event: &'e Shared) -> Option<&'e [Bytes]> {
        let plain = matches!(event.kind, Kind::Message { .. }) && !event.is_not_kept();
        (plain && self.framing == Framing::Lines && self.pacer.is_empty())
            .then(|| wire::shared(event, self.framing, settings.legacy_bytes_max))
    }

    /// Puts the last message behind all others, and gives back what has to be emptied before the end.
    pub(super) fn leave(mut self, now: Now, out: &mut Outbox) -> Pacer {
        self.pacer.push(now, wire::message(&ServerFrame::Exit, self.framing), out);
        self.pacer
    }

    /// A text that came from the peer.
    pub(super) fn on_text(&mut self, settings: &Settings, _: Now, text: String, out: &mut Outbox) {
        let commands = settings.commands;
        if self.ended {
            return;
        }
        if commands && self.framing == Framing::Lines && text.trim_end() == EXIT {
            return self.on_eof(out);
        }
        match Slash::parse(&text).filter(|_| commands) {
            Some(Slash::Msg(rest)) => {
                self.tokens = self.tokens.wrapping_add(1);
                let (text, token) = (rest.to_owned(), Some(Token(self.tokens)));
                out.command(crate::say(To::Leading, text, token));
            }
            Some(Slash::Who) => self.ask(None, out),
            Some(Slash::History(count)) => out.command(slash::history(self.room.id(), count)),
            // An empty line is somebody pressing a key; the protocol has no empty messages.
            None if text.trim().is_empty() => {}
            None => out.command(crate::say(To::Room(self.room.id()), text, None)),
        }
    }

    fn ask(&mut self, token: Option<Token>, out: &mut Outbox) {
        out.command(Command::Who { room: self.room.id(), token });
    }

    /// Tells the user something in the server's own name.
    pub(super) fn notice(&mut self, settings: &Settings, now: Now, text: &str, out: &mut Outbox) {
        let max = settings.legacy_bytes_max;
        for message in wire::texts(&settings.server_name, true, text, self.framing, max) {
            self.pacer.push(now, message, out);
        }
    }

    /// Tells what the hub answered.
    pub(super) fn on_reply(&mut self, settings: &Settings, now: Now, reply: Reply, out: &mut Outbox) {
        match reply {
            // Whatever the answer to the last question: everything before it has been answered.
            Reply::Members { token: Some(LAST), .. } | Reply::Refused { token: Some(LAST), .. } => {
                self.end(out)
            }
            Reply::Members { members, .. } => {
                let names: Vec<_> = members.iter().map(|card| card.wire_name(Namespace::Rooms)).collect();
                self.notice(settings, now, &format!("here: {}", names.join(", ")), out);
            }
            Reply::Recalled(recalled) => {
                for line in slash::history_lines(&recalled, Namespace::Rooms) {
                    self.notice(settings, now, &line, out);
                }
            }
            Reply::Refused { refusal, .. } => self.notice(settings, now, &refusal::words(&refusal), out),
            Reply::Outcome { outcome, .. } => match outcome {
                Outcome::Delivered => {}
                Outcome::Rejected => {
                    self.notice(settings, now, "your private message was not accepted", out);
                }
                Outcome::Undelivered => {
                    self.notice(settings, now, "your private message was not delivered", out);
                }
                Outcome::NotKept => {
                    self.notice(settings, now, NOT_KEPT, out);
                }
            },
            // Answers to what this session never asks.
            Reply::Welcome { .. }
            | Reply::Complete { .. }
            | Reply::Incomplete
            | Reply::ReceiptElsewhere { .. }
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
            | Reply::Answer(_)
            | Reply::Dismissed { .. } => {}
        }
    }

    /// The peer has closed and all that it said before is done.
    fn end(&mut self, out: &mut Outbox) {
        self.pacer.flush(out);
        out.close(Close::ByPeer);
    }
}
