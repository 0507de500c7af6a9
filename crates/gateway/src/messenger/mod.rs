//! One of a messenger client's connections (`docs/protocols/messenger.md`).
//!
//! Most clients have two, TOSEND and TORECV, and each is a session; the hub joins them to one user. A client
//! with one connection for both roles is one session.

mod answers;
mod frames;
mod outlet;
mod refusal;
mod wire;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hub::{Actor, Card, Command, Kind, Namespace, Now, Outcome, Reply, RoomCard, Shared};
use proto::ProtocolError;
use proto::messenger::server::Decoder;
use proto::messenger::{ClientFrame, End, ErrorCode, Role, SentWord, ServerFrame};

use crate::plain::{Place, Plain, invited, kicked, plain};
use crate::{Close, Due, Outbox, Session, Settings};
use answers::{Answers, Slot};
use outlet::Outlet;
use wire::Habits;

/// Where the names in plain words come from.
const SPACE: Namespace = Namespace::Alphanumeric;

/// One connection.
pub struct MessengerSession {
    settings: Arc<Settings>,
    decoder: Decoder,
    phase: Phase,
    /// When what has come of a message counts as all of it.
    pause_at: Option<Instant>,
    /// When a body that hasn't come is given up.
    give_up_at: Option<Instant>,
    answers: Answers,
    outlet: Outlet,
    person: Option<Box<Person>>,
    habits: Habits,
    /// How answers end.
    end: End,
    /// The word of a positive answer to a SEND.
    word: SentWord,
    /// The client has closed its side.
    ended: bool,
}

enum Phase {
    /// Nothing has come yet, or no REGISTER was accepted yet.
    Unregistered {
        /// When it has to be.
        deadline: Instant,
        has_begun: bool,
    },
    /// A role is registered: from here on there is no deadline.
    Registered,
    /// Closes when the answers that are due have gone.
    Closing(Close),
    Closed,
}

/// Whom the connection is registered for.
struct Person {
    card: Arc<Card>,
    sends: bool,
    receives: bool,
    /// The room that ALL is; `None` while the other role is missing.
    room: Option<Arc<RoomCard>>,
    tokens: u32,
}

impl Person {
    fn has(&self, role: Role) -> bool {
        match role {
            Role::ToSend => self.sends,
            Role::ToReceive => self.receives,
        }
    }

    fn is_called(&self, name: &str) -> bool {
        self.card.name().as_str().eq_ignore_ascii_case(name)
    }
}

impl MessengerSession {
    /// A session of a connection that has just been made.
    #[must_use]
    pub fn open(settings: Arc<Settings>, now: Now) -> Self {
        Self {
            decoder: Decoder::new(settings.frame_bytes_max),
            phase: Phase::Unregistered { deadline: now.at + settings.silence, has_begun: false },
            pause_at: None,
            give_up_at: None,
            answers: Answers::default(),
            outlet: Outlet::default(),
            person: None,
            habits: Habits::default(),
            end: End::EmptyLine,
            word: if settings.messenger_sent { SentWord::Sent } else { SentWord::Send },
            ended: false,
            settings,
        }
    }

    fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Unregistered { .. } | Phase::Registered)
    }

    /// Whether a RECEIVED changes nothing but what may go out next.
    fn awaits_only_receipts(&self) -> bool {
        let receives = self.person.as_ref().is_some_and(|person| person.receives);
        receives && matches!(self.phase, Phase::Registered) && self.answers.is_empty() && !self.ended
    }

    /// Takes the frames that `next` gives, up to a REGISTER that the hub has to decide first: what the frames
    /// behind it mean depends on that.
    fn take_frames(
        &mut self,
        now: Now,
        next: impl Fn(&mut Decoder) -> Result<Option<ClientFrame>, ProtocolError>,
        out: &mut Outbox,
    ) {
        while self.is_open() && !self.answers.is_logging_in() {
            match next(&mut self.decoder) {
                Ok(Some(frame)) => self.on_frame(now, frame, out),
                Ok(None) => break,
                Err(error) => self.on_error(error, out),
            }
        }
        if self.decoder.newline_after_body() {
            self.word = SentWord::Sent;
            self.learn(Habits::NEWLINE, out);
        }
        if self.decoder.is_empty() || !self.is_open() {
            (self.pause_at, self.give_up_at) = (None, None);
        } else {
            let give_up_at = now.at + self.settings.messenger_body;
            self.give_up_at = self.decoder.is_short().then(|| self.give_up_at.unwrap_or(give_up_at));
        }
        self.send_answers(now, out);
    }

    /// Ends the user and, when all is answered, this connection; the hub ends the other one.
    fn leave(&mut self, close: Close, out: &mut Outbox) {
        if self.person.take().is_some() {
            out.command(Command::Leave { reason: None });
        }
        self.outlet.drop_forwards();
        self.phase = Phase::Closing(close);
        (self.pause_at, self.give_up_at) = (None, None);
    }

    fn frame(&self, frame: &ServerFrame) -> Bytes {
        wire::answer(frame, self.decoder.framing(), self.end)
    }

    fn push(&mut self, frame: &ServerFrame) {
        let bytes = self.frame(frame);
        self.answers.push(Slot::Ready(bytes));
    }

    fn refuse(&mut self, code: ErrorCode) {
        self.push(&ServerFrame::Error(code));
    }

    /// Sends the answers that are known, and closes behind the last one if that is to be.
    fn send_answers(&mut self, now: Now, out: &mut Outbox) {
        while let Some(answer) = self.answers.next() {
            self.outlet.answer(&self.settings, now, answer, out);
        }
        let is_done = self.answers.is_empty() && self.outlet.is_answered();
        match &self.phase {
            Phase::Closing(close) if is_done => {
                out.close(close.clone());
                self.phase = Phase::Closed;
            }
            Phase::Unregistered { .. } | Phase::Registered if is_done && self.ended => {
                out.close(Close::ByPeer);
                self.phase = Phase::Closed;
            }
            Phase::Unregistered { .. } | Phase::Registered | Phase::Closing(_) | Phase::Closed => {}
        }
    }

    fn on_welcome(&mut self, now: Now, card: Arc<Card>, room: Option<Arc<RoomCard>>, out: &mut Outbox) {
        let Some(login) = self.answers.login().cloned() else { return };
        let (role, is_second) = (login.role, room.is_some());
        let answer = self.frame(&ServerFrame::Registered { role, name: login.name.into() });
        self.answers.settle_login(answer);
        if !self.is_open() {
            return;
        }
        self.phase = Phase::Registered;
        let person = self.person.get_or_insert_with(|| {
            Box::new(Person { card, sends: false, receives: false, room: None, tokens: 0 })
        });
        match role {
            Role::ToSend => person.sends = true,
            Role::ToReceive => person.receives = true,
        }
        person.room = room;
        let (receives, is_shared) = (person.receives, person.sends && person.receives);
        // Who registers TORECV first and then TOSEND with a blank after the name takes only SENT for success.
        if role == Role::ToSend && is_second && !is_shared && login.spaced && self.end == End::EmptyLine {
            self.word = SentWord::Sent;
        }
        // Registration goes question by question: its answers need no distance.
        self.send_answers(now, out);
        if receives {
            self.outlet.receives(is_shared);
        }
        self.tell_habits(out);
    }

    /// Goes on reading behind a REGISTER that has been decided.
    fn resume(&mut self, now: Now, out: &mut Outbox) {
        self.take_frames(now, Decoder::next_frame, out);
        if !self.decoder.is_empty() && self.is_open() {
            self.pause_at = Some(now.at + self.settings.pause);
        }
        if self.ended {
            self.take_frames(now, Decoder::give_up, out);
        }
    }
}

impl Session for MessengerSession {
    fn on_bytes(&mut self, now: Now, bytes: &[u8], out: &mut Outbox) {
        if !self.is_open() {
            return;
        }
        if self.awaits_only_receipts()
            && let Some(misspelled) = self.decoder.receipt(bytes)
        {
            return self.on_received(now, misspelled, out);
        }
        if let Phase::Unregistered { deadline, has_begun } = &mut self.phase
            && !*has_begun
        {
            (*deadline, *has_begun) = (now.at + self.settings.login, true);
        }
        self.decoder.feed(bytes);
        self.give_up_at = None;
        self.pause_at = Some(now.at + self.settings.pause);
        self.take_frames(now, Decoder::next_frame, out);
        let limit = self.settings.queue_bytes_max;
        if self.answers.is_logging_in() && self.decoder.buffered() > limit {
            self.leave(
                Close::Protocol(ProtocolError::TooLong { what: "what came before the answer", limit }),
                out,
            );
            self.send_answers(now, out);
        }
    }

    fn on_eof(&mut self, now: Now, out: &mut Outbox) {
        self.ended = true;
        self.take_frames(now, Decoder::give_up, out);
    }

    fn on_event(&mut self, now: Now, event: &Shared, out: &mut Outbox) {
        let Some(person) = &self.person else { return };
        let me = person.card.user();
        let (habits, framing) = (self.habits, self.decoder.framing());
        let most = self.settings.legacy_bytes_max;
        // It stays, and can still be written to: the protocol has people beside ALL.
        let mine = if let Kind::Kick { by: Actor::User(by), .. } = &event.kind {
            let told = kicked(event, me, SPACE);
            told.map(|(_, text)| Plain { from: by, place: Place::Private { named: 1 }, text: text.into() })
        } else {
            invited(event, me, SPACE)
        };
        if let Some(plain) = mine {
            let parts = wire::forwards(&plain, habits, framing, most);
            return self.outlet.forward(&self.settings, now, event, &parts, out);
        }
        let Some(plain) = plain(event, SPACE) else { return };
        // What it says to all doesn't come back.
        if plain.place == Place::Room && plain.from.user() == me {
            return;
        }
        let parts =
            event.encoded(wire::form_of(habits, framing), |_| wire::forwards(&plain, habits, framing, most));
        self.outlet.forward(&self.settings, now, event, parts, out);
    }

    fn on_reply(&mut self, now: Now, reply: Reply, out: &mut Outbox) {
        match reply {
            Reply::Welcome { card, room, .. } => {
                self.on_welcome(now, card, room, out);
                self.resume(now, out);
            }
            Reply::Refused { token: None, .. } => {
                let answer = self.frame(&ServerFrame::Error(ErrorCode::MalformedUsername));
                self.answers.settle_login(answer);
                self.resume(now, out);
            }
            Reply::Refused { token: Some(token), refusal } => {
                let answer = self.frame(&ServerFrame::Error(refusal::of_send(&refusal)));
                self.answers.settle_send(token, |_| answer);
            }
            Reply::Outcome { token, outcome, .. } => {
                let (framing, end, word) = (self.decoder.framing(), self.end, self.word);
                self.answers.settle_send(token, |to| {
                    let frame = match outcome {
                        Outcome::Delivered => ServerFrame::Sent { word, to: to.to_owned() },
                        Outcome::Rejected => ServerFrame::Error(ErrorCode::HeaderIncomplete),
                        Outcome::Undelivered | Outcome::NotKept => {
                            ServerFrame::Error(ErrorCode::UnableToSend)
                        }
                    };
                    wire::answer(&frame, framing, end)
                });
            }
            Reply::Complete { room } => {
                if let Some(person) = &mut self.person {
                    person.room = Some(room);
                }
                self.tell_habits(out);
            }
            Reply::Incomplete => {
                if let Some(person) = &mut self.person {
                    person.room = None;
                }
            }
            Reply::ReceiptElsewhere { verdict, habits } => {
                self.habits = self.habits.and(Habits::from_number(habits));
                if let Some(verdict) = verdict {
                    self.outlet.acknowledged(&self.settings, now, verdict, out);
                }
            }
            Reply::Dismissed { .. } => {
                self.outlet.flush(out);
                self.person = None;
                self.phase = Phase::Closed;
                out.close(Close::Dismissed);
            }
            // Answers to what this session never asks.
            Reply::Recalled(_)
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
        self.send_answers(now, out);
    }

    fn on_timer(&mut self, now: Now, out: &mut Outbox) {
        if let Phase::Unregistered { deadline, has_begun } = self.phase
            && deadline <= now.at
        {
            if has_begun {
                self.refuse(ErrorCode::NoUserRegistered);
            }
            self.leave(if has_begun { Close::LoginTimeout } else { Close::Idle }, out);
        }
        if self.pause_at.is_some_and(|at| at <= now.at) {
            self.pause_at = None;
            self.take_frames(now, Decoder::pause, out);
        }
        if self.give_up_at.is_some_and(|at| at <= now.at) {
            self.give_up_at = None;
            self.take_frames(now, Decoder::give_up, out);
        }
        self.outlet.on_timer(&self.settings, now, out);
        self.send_answers(now, out);
    }

    fn on_shutdown(&mut self, _: Now, out: &mut Outbox) {
        // The protocol has no word for it.
        self.outlet.flush(out);
        self.phase = Phase::Closed;
        out.close(Close::Shutdown);
    }

    fn wake_at(&self) -> Option<Instant> {
        let deadline = match self.phase {
            Phase::Unregistered { deadline, .. } => Some(deadline),
            Phase::Registered | Phase::Closing(_) => None,
            Phase::Closed => return None,
        };
        [deadline, self.pause_at, self.give_up_at, self.outlet.wake_at()].into_iter().flatten().min()
    }

    fn due(&self) -> Due {
        match self.outlet.due() {
            Due::Anything => Due::Anything,
            Due::Nothing | Due::Receipt | Due::UrgentReceipt if !self.awaits_only_receipts() => Due::Anything,
            due if self.decoder.is_empty() => due,
            Due::Nothing | Due::Receipt | Due::UrgentReceipt => Due::UrgentReceipt,
        }
    }

    fn user_name(&self) -> Option<&str> {
        self.person.as_ref().map(|person| person.card.name().as_str())
    }
}

#[cfg(test)]
mod tests;
