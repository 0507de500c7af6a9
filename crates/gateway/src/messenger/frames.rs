//! What a client's messages ask for.

use hub::{Command, Entrance, Leg, Now, Refusal, To, Token, Verdict};
use proto::ProtocolError;
use proto::messenger::{
    ClientFrame, EVERYBODY, End, ErrorCode, Layout, Role, SentWord, ServerFrame, is_name, unbracketed,
};

use super::answers::{ANSWERS_MAX, Login, SENDS_MAX, Slot};
use super::wire::Habits;
use super::{MessengerSession, Phase};
use crate::{Close, Outbox};

impl MessengerSession {
    pub(super) fn on_frame(&mut self, now: Now, frame: ClientFrame, out: &mut Outbox) {
        match frame {
            ClientFrame::Register { role, name, spaced, end } => {
                self.end = end.echoed();
                if end == End::Nothing {
                    self.habits = self.habits.and(Habits::NO_EMPTY_LINE);
                }
                self.on_register(now, Login { role, name: name.into(), spaced }, out);
            }
            ClientFrame::Send { to, body, layout, spaced } => {
                if spaced {
                    self.word = SentWord::Sent;
                }
                if layout != Layout::Lines {
                    self.learn(Habits::of(layout), out);
                }
                self.on_send(&to, &body, out);
            }
            ClientFrame::Received { misspelled, .. } => self.on_received(now, misspelled, out),
            ClientFrame::Error { .. } => self.on_acknowledgement(now, Verdict::Rejected, out),
            ClientFrame::Unregister if self.person.is_some() => {
                self.push(&ServerFrame::Unregistered);
                self.leave(Close::ByPeer, out);
            }
            ClientFrame::Unregister => self.refuse(ErrorCode::NoUserRegistered),
        }
        if self.answers.len() > ANSWERS_MAX {
            self.leave(Close::Refused(Refusal::TooManyWaiting), out);
        }
    }

    fn on_register(&mut self, now: Now, login: Login, out: &mut Outbox) {
        let name = unbracketed(&login.name);
        if !is_name(name) {
            return self.refuse(ErrorCode::MalformedUsername);
        }
        if let Some(person) = &self.person {
            if person.is_called(name) && person.has(login.role) {
                let name = login.name.into_string();
                return self.push(&ServerFrame::Registered { role: login.role, name });
            }
            // Half of a user can still choose another name: some clients begin anew when the second half is
            // refused.
            if !person.is_called(name) && person.room.is_none() {
                out.command(Command::Leave { reason: None });
                self.person = None;
                self.outlet.drop_forwards();
                let deadline = now.at + self.settings.login;
                self.phase = Phase::Unregistered { deadline, has_begun: true };
            }
        }
        let receives = login.role == Role::ToReceive;
        out.command(Command::Login(hub::Login {
            name: name.to_owned(),
            handle: None,
            leg: if receives { Leg::Receive } else { Leg::Send },
            entrance: Entrance::Lobby,
            profile: None,
            replay: false,
            roster: false,
            receipts: receives,
        }));
        self.answers.push(Slot::Login(login));
    }

    fn on_send(&mut self, to: &str, body: &str, out: &mut Outbox) {
        let room = match &self.person {
            Some(person) if person.sends => person.room.as_ref().map(|room| room.id()),
            _ => None,
        };
        let (Some(person), Some(room)) = (&mut self.person, room) else {
            return self.refuse(ErrorCode::NoUserRegistered);
        };
        if self.answers.len() >= SENDS_MAX {
            return self.refuse(ErrorCode::UnableToSend);
        }
        person.tokens = person.tokens.wrapping_add(1);
        let token = Token(person.tokens);
        let name = unbracketed(to);
        let is_everybody = name.eq_ignore_ascii_case(EVERYBODY);
        let addressee = if is_everybody { To::Room(room) } else { To::User(name.into()) };
        // A line feed at the end is how some clients end what they send, counted or not.
        let text = body.trim_end_matches(['\n', '\r']).to_owned();
        out.command(crate::say(addressee, text, Some(token)));
        self.answers.push(Slot::Send { token, to: to.into() });
    }

    pub(super) fn on_received(&mut self, now: Now, misspelled: bool, out: &mut Outbox) {
        if misspelled {
            self.word = SentWord::Sent;
        }
        self.on_acknowledgement(now, Verdict::Received, out);
    }

    /// What a receiver says to a FORWARD is never answered: two programs that answer each other's errors with
    /// errors have no end.
    fn on_acknowledgement(&mut self, now: Now, verdict: Verdict, out: &mut Outbox) {
        match &self.person {
            Some(person) if person.receives => {
                self.outlet.acknowledged(&self.settings, now, verdict, out);
            }
            Some(_) => {
                let (verdict, habits) = (Some(verdict), self.habits.number());
                out.command(Command::ReceiptElsewhere { verdict, habits });
            }
            None if verdict == Verdict::Received => self.refuse(ErrorCode::NoUserRegistered),
            None => {}
        }
    }

    /// Notes a habit, for this session and the one that needs it.
    pub(super) fn learn(&mut self, habits: Habits, out: &mut Outbox) {
        let all = self.habits.and(habits);
        if all != self.habits {
            self.habits = all;
            self.tell_habits(out);
        }
    }

    pub(super) fn tell_habits(&self, out: &mut Outbox) {
        if self.habits != Habits::default() && self.person.as_ref().is_some_and(|person| !person.receives) {
            out.command(Command::ReceiptElsewhere { verdict: None, habits: self.habits.number() });
        }
    }

    pub(super) fn on_error(&mut self, error: ProtocolError, out: &mut Outbox) {
        let is_complete = self.person.as_ref().is_some_and(|person| person.room.is_some());
        self.refuse(if is_complete { ErrorCode::HeaderIncomplete } else { ErrorCode::NoUserRegistered });
        if error.is_fatal() || self.answers.len() > ANSWERS_MAX {
            self.leave(Close::Protocol(error), out);
        }
    }
}
