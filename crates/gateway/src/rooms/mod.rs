//! A rooms session: `NAME_ROOM`, a code, then plain text both ways (`docs/protocols/rooms.md`).

mod active;
mod refusal;
mod wire;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hub::{Card, Command, Entrance, Form, Leg, Login, Now, Reply, RoomCard, Shared};
use proto::rooms::{ClientFrame, Code, Decoder, Framing, ServerFrame};

use crate::pacer::Pacer;
use crate::{Close, Outbox, Session, Settings};
use active::Active;

/// One client's session.
pub struct RoomsSession {
    settings: Arc<Settings>,
    decoder: Decoder,
    state: State,
}

enum State {
    /// The first message isn't complete.
    Greeting {
        /// When it has to be.
        deadline: Instant,
        /// When what has come of it, if anything has, counts as all.
        pause: Option<Instant>,
    },
    /// The hub has been asked; texts wait in the decoder.
    Entering {
        framing: Framing,
        /// Nothing more will come.
        ended: bool,
    },
    Active(Box<Active>),
    /// The last message waits for its gap.
    Leaving(Box<(Pacer, Close)>),
    Closed,
}

impl RoomsSession {
    /// A session of a connection that has just been made.
    #[must_use]
    pub fn open(settings: Arc<Settings>, now: Now) -> Self {
        let deadline = now.at + settings.silence;
        let decoder = Decoder::new(settings.frame_bytes_max);
        Self { settings, decoder, state: State::Greeting { deadline, pause: None } }
    }

    /// Takes the frames that the decoder has, as far as the state allows.
    fn on_frames(&mut self, now: Now, out: &mut Outbox) {
        loop {
            if !matches!(self.state, State::Greeting { .. } | State::Active(_)) {
                return;
            }
            match self.decoder.next_frame() {
                Ok(Some(frame)) => self.on_frame(now, frame, out),
                Ok(None) => return,
                Err(error) => return self.on_error(error, out),
            }
        }
    }

    fn on_frame(&mut self, now: Now, frame: ClientFrame, out: &mut Outbox) {
        match (&mut self.state, frame) {
            (State::Greeting { .. }, ClientFrame::First { name, room }) => {
                let framing = self.decoder.framing().unwrap_or(Framing::Reads);
                self.state = State::Entering { framing, ended: false };
                out.command(Command::Login(Login {
                    name,
                    handle: None,
                    leg: Leg::Both,
                    entrance: Entrance::Room(room),
                    profile: None,
                    replay: false,
                    roster: false,
                    receipts: false,
                }));
            }
            (State::Active(active), ClientFrame::Text(text)) => {
                active.on_text(&self.settings, now, text, out)
            }
            (_, ClientFrame::First { .. } | ClientFrame::Text(_)) => {}
        }
    }

    fn on_error(&mut self, error: proto::ProtocolError, out: &mut Outbox) {
        if let State::Greeting { .. } = self.state {
            // What isn't a first message may still have been a line.
            let framing = self.decoder.framing().unwrap_or(Framing::Reads);
            out.send(wire::message(&ServerFrame::Code(Code::Invalid), framing));
        }
        self.state = State::Closed;
        out.close(Close::Protocol(error));
    }

    fn on_welcome(&mut self, now: Now, card: Arc<Card>, room: Arc<RoomCard>, out: &mut Outbox) {
        let State::Entering { framing, ended } = self.state else { return };
        let active = Active::enter(&self.settings, now, framing, (card, room), out);
        self.state = State::Active(Box::new(active));
        self.on_frames(now, out);
        if ended {
            self.on_eof(now, out);
        }
    }

    /// Says goodbye and closes, once what waits before it has gone.
    fn leave(&mut self, now: Now, close: Close, out: &mut Outbox) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Active(active) => {
                let pacer = active.leave(now, out);
                self.state = State::Leaving(Box::new((pacer, close)));
                self.on_timer(now, out);
            }
            State::Leaving(leaving) => self.state = State::Leaving(leaving),
            State::Greeting { .. } | State::Entering { .. } | State::Closed => out.close(close),
        }
    }
}

impl Session for RoomsSession {
    fn on_bytes(&mut self, now: Now, bytes: &[u8], out: &mut Outbox) {
        self.decoder.feed(bytes);
        if let State::Greeting { deadline, pause } = &mut self.state {
            if pause.is_none() {
                *deadline = now.at + self.settings.login;
            }
            *pause = Some(now.at + self.settings.pause);
        }
        self.on_frames(now, out);
        let limit = self.settings.queue_bytes_max;
        if matches!(self.state, State::Entering { .. }) && self.decoder.buffered() > limit {
            self.on_error(proto::ProtocolError::TooLong { what: "what came before the answer", limit }, out);
        }
    }

    fn on_eof(&mut self, now: Now, out: &mut Outbox) {
        self.decoder.finish();
        self.on_frames(now, out);
        match &mut self.state {
            State::Greeting { .. } => {
                self.state = State::Closed;
                out.close(Close::ByPeer);
            }
            State::Entering { ended, .. } => *ended = true,
            State::Active(active) => active.on_eof(out),
            State::Leaving(_) | State::Closed => {}
        }
    }

    fn on_event(&mut self, now: Now, event: &Shared, out: &mut Outbox) {
        if let State::Active(active) = &mut self.state {
            // The protocol has nobody who is in no room.
            if !active.on_event(&self.settings, now, event, out) {
                self.leave(now, Close::PutOut, out);
            }
        }
    }

    fn ready<'e>(&self, event: &'e Shared) -> Option<&'e [Bytes]> {
        match &self.state {
            State::Active(active) => active.ready(&self.settings, event),
            State::Greeting { .. } | State::Entering { .. } | State::Leaving(_) | State::Closed => None,
        }
    }

    fn form(&self) -> Option<Form> {
        match &self.state {
            State::Active(active) => active.form(),
            State::Greeting { .. } | State::Entering { .. } | State::Leaving(_) | State::Closed => None,
        }
    }

    fn on_reply(&mut self, now: Now, reply: Reply, out: &mut Outbox) {
        match (&mut self.state, reply) {
            (State::Entering { .. }, Reply::Welcome { card, room: Some(room), .. }) => {
                self.on_welcome(now, card, room, out);
            }
            (State::Entering { framing, .. }, Reply::Refused { refusal, .. }) => {
                out.send(wire::message(&ServerFrame::Code(refusal::code(&refusal)), *framing));
                out.close(Close::Refused(refusal));
                self.state = State::Closed;
            }
            (_, Reply::Dismissed { reason }) => {
                if let (State::Active(active), Some(reason)) = (&mut self.state, reason) {
                    active.notice(&self.settings, now, &reason, out);
                }
                self.leave(now, Close::Dismissed, out);
            }
            (State::Active(active), reply) => active.on_reply(&self.settings, now, reply, out),
            (State::Greeting { .. } | State::Entering { .. } | State::Leaving(_) | State::Closed, _) => {}
        }
    }

    fn on_timer(&mut self, now: Now, out: &mut Outbox) {
        match &mut self.state {
            State::Greeting { deadline, pause } if *deadline <= now.at => {
                let has_begun = pause.is_some();
                if has_begun {
                    out.send(wire::message(&ServerFrame::Code(Code::Invalid), Framing::Reads));
                }
                out.close(if has_begun { Close::LoginTimeout } else { Close::Idle });
                self.state = State::Closed;
            }
            State::Greeting { pause: Some(pause), .. } if *pause <= now.at => {
                self.decoder.pause();
                self.on_frames(now, out);
            }
            State::Active(active) => active.pacer.on_timer(now, out),
            State::Leaving(leaving) => {
                let (pacer, close) = &mut **leaving;
                pacer.on_timer(now, out);
                if pacer.is_empty() {
                    out.close(close.clone());
                    self.state = State::Closed;
                }
            }
            State::Greeting { .. } | State::Entering { .. } | State::Closed => {}
        }
    }

    fn on_shutdown(&mut self, now: Now, out: &mut Outbox) {
        self.leave(now, Close::Shutdown, out);
    }

    fn wake_at(&self) -> Option<Instant> {
        match &self.state {
            State::Greeting { deadline, pause } => {
                Some(pause.map_or(*deadline, |pause| pause.min(*deadline)))
            }
            State::Active(active) => active.pacer.wake_at(),
            State::Leaving(leaving) => leaving.0.wake_at(),
            State::Entering { .. } | State::Closed => None,
        }
    }

    fn user_name(&self) -> Option<&str> {
        match &self.state {
            State::Active(active) => Some(active.card.name().as_str()),
            State::Greeting { .. } | State::Entering { .. } | State::Leaving(_) | State::Closed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_session_is_small() {
        assert!(size_of::<RoomsSession>() <= 256, "{}", size_of::<RoomsSession>());
    }
}
