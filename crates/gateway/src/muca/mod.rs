//! A muca session: JOIN, then SEND in and MSG and LIST out (`docs/protocols/muca.md`).
//!
//! Half of this protocol's clients take one `recv` for one object and many die of what they don't expect. So
//! whatever is wrong is left without an answer, objects go out one at a time with a gap between them, and nothing
//! but a limit or the server's own end makes the server close.

mod refusal;
mod wire;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hub::{
    Actor, Card, Command, Entrance, Event, Form, Kind, Leg, Login, Namespace, Now, Reply, RoomCard, Shared,
    To,
};
use proto::ProtocolError;
use proto::muca::server::{Decoder, LIST_START};
use proto::muca::{ClientFrame, EVERYBODY, Framing, Recipients, ServerFrame};

use crate::pacer::Pacer;
use crate::plain::{Place, Plain, invited, kicked, plain};
use crate::{Close, Outbox, Session, Settings};

/// Where the names in plain words come from.
const SPACE: Namespace = Namespace::Muca;

const OKAY: ServerFrame = ServerFrame::Ack { okay: true };
const FAIL: ServerFrame = ServerFrame::Ack { okay: false };

/// One muca connection.
#[derive(Debug)]
pub struct MucaSession {
    settings: Arc<Settings>,
    decoder: Decoder,
    pacer: Pacer,
    state: State,
    /// Until the first object is complete: when the connection has taken too long.
    deadline: Option<Instant>,
    /// The client has closed its side, but what it sent before is not done yet.
    ended: bool,
}

#[derive(Debug)]
enum State {
    /// A JOIN may come.
    Greeting,
    /// The hub is asked; what comes meanwhile stays in the decoder.
    Joining,
    Active(Active),
    Closed,
}

#[derive(Debug)]
struct Active {
    card: Arc<Card>,
    room: Arc<RoomCard>,
    /// Messages from before the first LIST: clients die of a sender that no LIST has told them of.
    held: Option<Vec<Bytes>>,
}

impl MucaSession {
    /// A connection that nothing was read from yet.
    #[must_use]
    pub fn open(settings: Arc<Settings>, now: Now) -> Self {
        Self {
            decoder: Decoder::new(settings.frame_bytes_max),
            pacer: Pacer::new(settings.muca_gap, settings.queue_bytes_max),
            state: State::Greeting,
            deadline: Some(now.at + settings.silence),
            ended: false,
            settings,
        }
    }

    fn framing(&self) -> Framing {
        self.decoder.framing().unwrap_or(Framing::Bare)
    }

    /// Reads on until the hub has to answer first.
    fn read(&mut self, now: Now, out: &mut Outbox) {
        while matches!(self.state, State::Greeting | State::Active(_)) {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => self.on_frame(now, frame, out),
                Ok(None) => break,
                Err(error) if error.is_fatal() => return self.close(Close::Protocol(error), out),
                // Whatever else is no frame is passed over (rule 9).
                Err(_) => {}
            }
            self.deadline = None;
        }
        let waiting = self.decoder.buffered();
        let limit = self.settings.queue_bytes_max;
        if matches!(self.state, State::Joining) && waiting > limit {
            let error = ProtocolError::TooLong { what: "what follows a JOIN without awaiting ACK", limit };
            self.close(Close::Protocol(error), out);
        }
        if self.ended && !matches!(self.state, State::Joining) {
            self.close(Close::ByPeer, out);
        }
    }

    fn on_frame(&mut self, now: Now, frame: ClientFrame, out: &mut Outbox) {
        match (frame, &self.state) {
            (ClientFrame::Join { name, uid }, State::Greeting) => {
                // Where recipients stand, this word is no UID; and the hub takes no UID for none at all.
                if uid.is_empty() || uid.eq_ignore_ascii_case(EVERYBODY) {
                    return self.send(now, wire::frame(&FAIL, self.framing()), out);
                }
                self.state = State::Joining;
                out.command(Command::Login(Login {
                    name,
                    handle: Some(uid),
                    leg: Leg::Both,
                    entrance: Entrance::Lobby,
                    profile: None,
                    replay: false,
                    roster: true,
                    receipts: false,
                }));
            }
            // The session it has stays (rule 9).
            (ClientFrame::Join { .. }, _) => self.send(now, wire::frame(&FAIL, self.framing()), out),
            // FROM is whatever the client claims; the hub knows who it is.
            (ClientFrame::Send { text, to, from: _ }, State::Active(active)) => {
                if !text.is_empty() {
                    let to = addressed(to, active);
                    out.command(crate::say(to, text, None));
                }
            }
            (ClientFrame::Send { .. }, _) => {}
        }
    }

    /// One object, on its own and after a gap; behind a length it needs neither.
    fn send(&mut self, now: Now, object: Bytes, out: &mut Outbox) {
        match self.framing() {
            Framing::Length => out.send(object),
            Framing::Bare => self.pacer.push(now, object, out),
        }
        if out.close.is_some() {
            self.state = State::Closed;
        }
    }

    fn close(&mut self, reason: Close, out: &mut Outbox) {
        self.state = State::Closed;
        out.close(reason);
    }

    fn on_plain(&mut self, now: Now, event: &Shared, out: &mut Outbox) {
        let State::Active(active) = &self.state else { return };
        let Some(plain) = plain(event, SPACE) else { return };
        // Users can't write to themselves, and nobody gets back what it said to all.
        if plain.from.user() == active.card.user() {
            return;
        }
        let objects = self.objects(event, &plain);
        self.say(now, objects, out);
    }

    fn objects<'e>(&self, event: &'e Shared, plain: &Plain<'_>) -> &'e [Bytes] {
        let (framing, max) = (self.framing(), self.settings.legacy_bytes_max);
        event.encoded(wire::form(framing), |_| wire::message(plain, framing, max))
    }

    /// What somebody has done to this client alone.
    fn on_done_to_me(&mut self, now: Now, event: &Shared, out: &mut Outbox) {
        let State::Active(active) = &self.state else { return };
        let me = active.card.user();
        // It stays, and can still be written to: the protocol has people beside the room.
        let kicked = if let Kind::Kick { by: Actor::User(by), .. } = &event.kind {
            let told = kicked(event, me, SPACE);
            told.map(|(_, text)| Plain { from: by, place: Place::Private { named: 1 }, text: text.into() })
        } else {
            None
        };
        if let Some(plain) = kicked.or_else(|| invited(event, me, SPACE)) {
            let objects = wire::message(&plain, self.framing(), self.settings.legacy_bytes_max);
            self.say(now, &objects, out);
        } else {
            self.on_plain(now, event, out);
        }
    }

    /// Sends what somebody said, after the first LIST.
    fn say(&mut self, now: Now, objects: &[Bytes], out: &mut Outbox) {
        let State::Active(active) = &mut self.state else { return };
        if let Some(held) = &mut active.held {
            held.extend_from_slice(objects);
            let queued = held.iter().map(Bytes::len).sum();
            if queued > self.settings.queue_bytes_max {
                self.close(Close::SlowReader { queued }, out);
            }
            return;
        }
        for object in objects {
            self.send(now, object.clone(), out);
        }
    }

    fn on_roster(&mut self, now: Now, event: &Shared, out: &mut Outbox) {
        let State::Active(active) = &mut self.state else { return };
        let framing = self.decoder.framing().unwrap_or(Framing::Bare);
        let held = active.held.take();
        let encode = |event: &Event| wire::list(event, framing);
        for list in event.encoded(wire::form(framing), encode) {
            // One that still waits is out of date, and no message stands behind it that it has to come before.
            if self.pacer.last().is_some_and(|last| last.starts_with(LIST_START)) {
                self.pacer.replace_last(list.clone());
            } else {
                self.send(now, list.clone(), out);
            }
        }
        for object in held.into_iter().flatten() {
            self.send(now, object, out);
        }
    }
}

/// What TO means to the hub. Own names are left in: they count for TYPE, and [`MucaSession::on_plain`] drops
/// what comes back.
fn addressed(to: Recipients, active: &Active) -> To {
    match to {
        Recipients::Everybody => To::Room(active.room.id()),
        Recipients::People(mut names) if names.len() == 1 => To::User(names.remove(0).into()),
        Recipients::People(names) => To::Group(names),
    }
}

impl Session for MucaSession {
    fn on_bytes(&mut self, now: Now, bytes: &[u8], out: &mut Outbox) {
        if matches!(self.state, State::Closed) || bytes.is_empty() {
            return;
        }
        if self.decoder.framing().is_none() {
            self.deadline = Some(now.at + self.settings.login);
        }
        self.decoder.feed(bytes);
        self.read(now, out);
    }

    fn on_eof(&mut self, now: Now, out: &mut Outbox) {
        self.ended = true;
        self.read(now, out);
    }

    fn on_event(&mut self, now: Now, event: &Shared, out: &mut Outbox) {
        if let Kind::Roster { .. } = &event.kind {
            self.on_roster(now, event, out);
        } else if let Kind::Kick { .. } | Kind::Invite { .. } = &event.kind {
            self.on_done_to_me(now, event, out);
        } else if !matches!(event.kind, Kind::Rename { .. }) {
            // Of a new name the next LIST tells.
            self.on_plain(now, event, out);
        }
    }

    fn ready<'e>(&self, event: &'e Shared) -> Option<&'e [Bytes]> {
        let State::Active(Active { card, held: None, .. }) = &self.state else { return None };
        let Kind::Message { from, .. } = &event.kind else { return None };
        if self.framing() != Framing::Length || !self.pacer.is_empty() {
            return None;
        }
        if from.user() == card.user() {
            return Some(&[]);
        }
        Some(self.objects(event, &plain(event, SPACE)?))
    }

    fn form(&self) -> Option<Form> {
        let plain = matches!(self.state, State::Active(Active { held: None, .. })) && self.pacer.is_empty();
        (plain && self.framing() == Framing::Length).then(|| wire::form(Framing::Length))
    }

    fn on_reply(&mut self, now: Now, reply: Reply, out: &mut Outbox) {
        match (reply, &self.state) {
            (_, State::Closed) => {}
            (Reply::Welcome { card, room: Some(room), .. }, State::Joining) => {
                self.state = State::Active(Active { card, room, held: Some(Vec::new()) });
                self.send(now, wire::frame(&OKAY, self.framing()), out);
                self.read(now, out);
            }
            (Reply::Refused { refusal, .. }, State::Joining) => {
                self.state = State::Greeting;
                let answer = refusal::answer(&refusal);
                self.send(now, wire::frame(&answer, self.framing()), out);
                self.read(now, out);
            }
            (Reply::Dismissed { .. }, _) => self.close(Close::Dismissed, out),
            // A refused SEND has no answer in this protocol (the hub counts it). The rest was not asked for.
            (
                Reply::Refused { .. }
                | Reply::Welcome { .. }
                | Reply::Complete { .. }
                | Reply::Incomplete
                | Reply::Outcome { .. }
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
                | Reply::Answer(_),
                _,
            ) => {}
        }
    }

    fn on_timer(&mut self, now: Now, out: &mut Outbox) {
        if matches!(self.state, State::Closed) {
            return;
        }
        self.pacer.on_timer(now, out);
        if self.deadline.is_some_and(|deadline| deadline <= now.at) {
            let silent = self.decoder.framing().is_none();
            self.close(if silent { Close::Idle } else { Close::LoginTimeout }, out);
        }
    }

    fn on_shutdown(&mut self, _: Now, out: &mut Outbox) {
        // The protocol has no goodbye.
        self.close(Close::Shutdown, out);
    }

    fn wake_at(&self) -> Option<Instant> {
        if matches!(self.state, State::Closed) {
            return None;
        }
        [self.deadline, self.pacer.wake_at()].into_iter().flatten().min()
    }

    fn user_name(&self) -> Option<&str> {
        match &self.state {
            State::Active(active) => Some(active.card.name().as_str()),
            State::Greeting | State::Joining | State::Closed => None,
        }
    }
}

#[cfg(test)]
mod tests;
