//! tmp: what a WebSocket text frame with a 64-character header means to the hub, and back.
//!
//! The session begins when the WebSocket is up; framing, pings and the closing handshake are done below it.
//! Whatever it doesn't understand it answers with `DISCONNECT`, which is said once and is the last thing it says.

mod chat;
mod refusal;
mod wire;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hub::{
    Card, Command, Entrance, Form, Kind, Leg, Login, Namespace, Now, Refusal, Reply, RoomCard, Shared,
};
use proto::ProtocolError;
use proto::tmp::{ClientFrame, ServerFrame, server};

use crate::plain::{invited, kicked, not_kept};
use crate::slash;
use crate::{Close, Outbox, Session, Settings};

/// A tmp client's session.
#[derive(Debug)]
pub struct TmpSession {
    settings: Arc<Settings>,
    /// The room that the path named; `None`: the lobby.
    room: Option<Box<str>>,
    state: State,
    /// What came while the hub was deciding on a name.
    held: Option<Box<Held>>,
}

#[derive(Debug)]
enum State {
    /// `STATE_UPG_1` is sent or about to be; a name has to come by then.
    Unnamed { deadline: Instant },
    /// The hub is deciding on a name.
    Joining { deadline: Instant, wanted: Box<str> },
    /// Named; something has to be said by then.
    Active { card: Arc<Card>, room: Arc<RoomCard>, deadline: Instant },
    /// `DISCONNECT` is sent.
    Closed,
}

/// What came too early, in order. Bounded.
#[derive(Debug, Default)]
struct Held {
    inputs: VecDeque<Input>,
    bytes: usize,
}

/// What a client can do.
#[derive(Debug)]
enum Input {
    Text(Box<str>),
    Binary,
    Eof,
}

/// What an input is counted as beside its own bytes while it waits.
const INPUT_BYTES: usize = 64;

impl TmpSession {
    /// A session in `room`, or in the lobby. [`Session::on_open`] greets the client.
    #[must_use]
    pub fn open(settings: Arc<Settings>, now: Now, room: Option<String>) -> Self {
        let deadline = now.at + settings.login;
        let room = room.map(String::into_boxed_str);
        Self { settings, room, state: State::Unnamed { deadline }, held: None }
    }

    fn take(&mut self, now: Now, input: Input, out: &mut Outbox) {
        if let State::Joining { .. } = self.state {
            return self.hold(input, out);
        }
        match input {
            Input::Text(message) => self.on_message(now, &message, out),
            Input::Binary => {
                let error = ProtocolError::OutOfPlace { what: "a binary message", when: "in this protocol" };
                self.disconnect(Close::Protocol(error), out);
            }
            Input::Eof => {
                self.state = State::Closed;
                out.close(Close::ByPeer);
            }
        }
    }

    fn hold(&mut self, input: Input, out: &mut Outbox) {
        let held = self.held.get_or_insert_default();
        held.bytes += INPUT_BYTES + if let Input::Text(text) = &input { text.len() } else { 0 };
        held.inputs.push_back(input);
        if held.bytes > self.settings.queue_bytes_max {
            let limit = self.settings.queue_bytes_max;
            let error = ProtocolError::TooLong { what: "what came before the name was accepted", limit };
            self.disconnect(Close::Protocol(error), out);
        }
    }

    /// Goes on with what was held, as far as it is possible now.
    fn resume(&mut self, now: Now, out: &mut Outbox) {
        while !matches!(self.state, State::Joining { .. }) {
            let Some(held) = &mut self.held else { break };
            let Some(input) = held.inputs.pop_front() else {
                self.held = None;
                break;
            };
            held.bytes -= INPUT_BYTES + if let Input::Text(text) = &input { text.len() } else { 0 };
            self.take(now, input, out);
        }
    }

    fn on_message(&mut self, now: Now, message: &str, out: &mut Outbox) {
        let frame = match server::decode(message, self.settings.frame_bytes_max) {
            Ok(frame) => frame,
            Err(error) => return self.disconnect(Close::Protocol(error), out),
        };
        match (frame, &mut self.state) {
            (_, State::Closed) => {}
            (ClientFrame::ExitChat, _) => self.disconnect(Close::ByPeer, out),
            (ClientFrame::SetUsr { name }, State::Unnamed { deadline }) => {
                self.state = State::Joining { deadline: *deadline, wanted: name.into() };
                out.command(Command::Login(self.login(name)));
            }
            (ClientFrame::SetUsr { .. }, _) => self.out_of_place("SET_USR", "once a name is set", out),
            // The name in the frame is not looked at: what is said is said by the session's own user.
            (ClientFrame::ChatMssg { body, .. }, State::Active { room, deadline, .. }) => {
                *deadline = now.at + self.settings.tmp_idle;
                chat::on_body(&self.settings, room.id(), body, out);
            }
            (ClientFrame::ChatMssg { .. }, _) => self.out_of_place("CHAT_MSSG", "before a name is set", out),
        }
    }

    fn login(&self, name: &str) -> Login {
        Login {
            name: name.to_owned(),
            handle: None,
            leg: Leg::Both,
            entrance: self.room.as_deref().map_or(Entrance::Lobby, |room| Entrance::Room(room.to_owned())),
            profile: None,
            replay: false,
            roster: false,
            receipts: false,
        }
    }

    fn on_welcome(&mut self, now: Now, card: Arc<Card>, room: Arc<RoomCard>, out: &mut Outbox) {
        let name = card.wire_name(Namespace::Tmp);
        out.send(server::message(&ServerFrame::StateUpg2 { name }));
        let deadline = now.at + self.settings.tmp_idle;
        self.state = State::Active { card, room, deadline };
        self.room = None;
    }

    fn on_refused(&mut self, refusal: Refusal, out: &mut Outbox) {
        match &self.state {
            State::Joining { deadline, wanted } => {
                if let Refusal::NameTaken { .. } | Refusal::NameRegistered { .. } = refusal {
                    out.send(server::message(&ServerFrame::SetUsrConflict { name: wanted }));
                    self.state = State::Unnamed { deadline: *deadline };
                } else {
                    self.disconnect(Close::Refused(refusal), out);
                }
            }
            State::Active { .. } => chat::notice(&self.settings, &refusal::words(&refusal), out),
            State::Unnamed { .. } | State::Closed => {}
        }
    }

    fn out_of_place(&mut self, what: &'static str, when: &'static str, out: &mut Outbox) {
        self.disconnect(Close::Protocol(ProtocolError::OutOfPlace { what, when }), out);
    }

    /// Says goodbye, once.
    fn disconnect(&mut self, reason: Close, out: &mut Outbox) {
        if !matches!(self.state, State::Closed) {
            self.state = State::Closed;
            self.held = None;
            out.send(server::message(&ServerFrame::Disconnect));
            out.close(reason);
        }
    }
}

impl Session for TmpSession {
    fn on_open(&mut self, _now: Now, out: &mut Outbox) {
        out.send(server::message(&ServerFrame::StateUpg1));
    }

    fn on_bytes(&mut self, now: Now, bytes: &[u8], out: &mut Outbox) {
        match std::str::from_utf8(bytes) {
            Ok(message) if matches!(self.state, State::Joining { .. }) => {
                self.hold(Input::Text(message.into()), out);
            }
            Ok(message) => self.on_message(now, message, out),
            Err(_) => self.disconnect(Close::Protocol(ProtocolError::NotUtf8 { what: "message" }), out),
        }
    }

    fn on_binary(&mut self, now: Now, _bytes: &[u8], out: &mut Outbox) {
        self.take(now, Input::Binary, out);
    }

    fn on_eof(&mut self, now: Now, out: &mut Outbox) {
        self.take(now, Input::Eof, out);
    }

    fn on_event(&mut self, _now: Now, event: &Shared, out: &mut Outbox) {
        let State::Active { card, .. } = &self.state else { return };
        if let Some((_, words)) = kicked(event, card.user(), Namespace::Tmp) {
            // The protocol has nobody who is in no room.
            chat::notice(&self.settings, &words, out);
            return self.disconnect(Close::PutOut, out);
        }
        if let Some(plain) = invited(event, card.user(), Namespace::Tmp) {
            return out.wire.extend(wire::message(&plain, false));
        }
        if let Some(words) = not_kept(event, card.user()) {
            return chat::notice(&self.settings, words, out);
        }
        out.wire.extend(event.encoded(wire::form(), wire::encode).iter().cloned());
    }

    fn ready<'e>(&self, event: &'e Shared) -> Option<&'e [Bytes]> {
        let plain = matches!(event.kind, Kind::Message { .. }) && !event.is_not_kept();
        (plain && matches!(self.state, State::Active { .. }))
            .then(|| event.encoded(wire::form(), wire::encode))
    }

    fn form(&self) -> Option<Form> {
        matches!(self.state, State::Active { .. }).then(wire::form)
    }

    fn on_reply(&mut self, now: Now, reply: Reply, out: &mut Outbox) {
        match (reply, &self.state) {
            // The hub answered what the session has not waited for.
            (_, State::Closed) => {}
            (Reply::Welcome { card, room: Some(room), .. }, State::Joining { .. }) => {
                self.on_welcome(now, card, room, out);
            }
            (Reply::Refused { refusal, .. }, _) => self.on_refused(refusal, out),
            (Reply::Outcome { outcome, .. }, _) => chat::outcome(&self.settings, outcome, out),
            (Reply::Recalled(recalled), _) => {
                for line in slash::history_lines(&recalled, Namespace::Tmp) {
                    chat::notice(&self.settings, &line, out);
                }
            }
            (Reply::Members { room, members, .. }, _) => chat::members(&self.settings, &room, &members, out),
            (Reply::Dismissed { reason }, _) => {
                if let Some(reason) = reason {
                    chat::notice(&self.settings, &reason, out);
                }
                self.disconnect(Close::Dismissed, out);
            }
            // Answers to what this dialect never asks.
            (Reply::Welcome { .. }, _)
            | (Reply::Complete { .. }, _)
            | (Reply::Incomplete, _)
            | (Reply::ReceiptElsewhere { .. }, _)
            | (Reply::Bridge(_), _)
            | (
                Reply::Done
                | Reply::LoggedIn { .. }
                | Reply::Registered { .. }
                | Reply::ScramKeys { .. }
                | Reply::Marker { .. },
                _,
            )
            | (Reply::Joined { .. }, _)
            | (Reply::Invited { .. }, _)
            | (Reply::ModesSet { .. }, _)
            | (Reply::FlagsSet { .. }, _)
            | (Reply::Watched { .. }, _)
            | (Reply::Metadata(_), _)
            | (Reply::Answer(_), _) => {}
        }
        self.resume(now, out);
    }

    fn on_timer(&mut self, now: Now, out: &mut Outbox) {
        if self.wake_at().is_some_and(|deadline| deadline <= now.at) {
            let reason =
                if let State::Active { .. } = self.state { Close::Idle } else { Close::LoginTimeout };
            self.disconnect(reason, out);
        }
    }

    fn on_shutdown(&mut self, _now: Now, out: &mut Outbox) {
        self.disconnect(Close::Shutdown, out);
    }

    fn wake_at(&self) -> Option<Instant> {
        match &self.state {
            State::Unnamed { deadline }
            | State::Joining { deadline, .. }
            | State::Active { deadline, .. } => Some(*deadline),
            State::Closed => None,
        }
    }

    fn user_name(&self) -> Option<&str> {
        match &self.state {
            State::Active { card, .. } => Some(card.name().as_str()),
            State::Unnamed { .. } | State::Joining { .. } | State::Closed => None,
        }
    }
}

#[cfg(test)]
mod tests;
