//! Messages: to whom they go, and what becomes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use smallvec::SmallVec;

use crate::state::Session;
use crate::{
    Audience, Card, Dialect, Effect, EventId, Hub, Kind, Namespace, Now, Outcome, Refusal, Reply, RoomId,
    Say, Scope, SessionId, Text, To, Token, UserId, Verdict,
};

/// Messages whose recipients acknowledge them themselves.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    open: BTreeMap<EventId, Receipt>,
    /// Who has not acknowledged what yet.
    by_user: BTreeSet<(UserId, EventId)>,
}

#[cfg(test)]
impl Receipts {
    /// Whether nothing is waited for.
    pub(crate) fn is_settled(&self) -> bool {
        self.open.is_empty() && self.by_user.is_empty()
    }
}

#[derive(Debug)]
struct Receipt {
    sender: SessionId,
    token: Token,
    /// Recipients that haven't answered.
    open: usize,
    /// The worst answer so far.
    outcome: Outcome,
}

impl Hub {
    /// Hands a message to everybody it is for.
    pub(crate) fn say(
        &mut self,
        now: Now,
        from: SessionId,
        say: Say,
        fx: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let card = self.speaker(from)?;
        self.check_rate(now, from)?;
        let (to, text) = match say.to {
            To::Leading => {
                let (user, rest) = self.find_leading(from, &say.text)?;
                (Recipients::Users(vec![user], 1), rest)
            }
            To::Room(room) => (Recipients::Room(room), say.text.as_str()),
            To::User(name) => {
                let user = self.find(from, &name).ok_or(Refusal::NoSuchUser { name })?;
                (Recipients::Users(vec![user], 1), say.text.as_str())
            }
            To::Group(names) => {
                let mut users: Vec<UserId> = Vec::new();
                for name in &names {
                    users.extend(self.find(from, name).filter(|user| !users.contains(user)));
                }
                (Recipients::Users(users, names.len()), say.text.as_str())
            }
        };
        let text = Text::new(text, self.config.text_bytes_max)?;
        let said = Said { from, card, text, bare: say.bare, token: say.token };
        match to {
            Recipients::Users(users, named) => self.say_to_users(now, said, &users, named, fx),
            Recipients::Room(room) => {
                let (scope, to) = self.room_audience(from, room)?;
                self.deliver(now, said, scope, Audience::Many(to), &[], fx);
                Ok(())
            }
        }
    }

    /// Shows to a room that a user is writing.
    pub(crate) fn typing(&mut self, now: Now, from: SessionId, room: RoomId, fx: &mut Vec<Effect>) {
        let Ok(card) = self.speaker(from) else { return };
        if self.check_rate(now, from).is_err() {
            return;
        }
        let Ok((scope, to)) = self.room_audience(from, room) else { return };
        let event = self.event(now, Kind::Typing { from: card, scope });
        fx.push(Effect::Deliver { to: Audience::Many(to), event });
    }

    /// Takes a recipient's own acknowledgement.
    pub(crate) fn receipt(
        &mut self,
        from: SessionId,
        event: EventId,
        verdict: Verdict,
        fx: &mut Vec<Effect>,
    ) {
        let Some(user) = self.sessions.get(&from).and_then(|session| session.user) else { return };
        if self.receipts.by_user.remove(&(user, event)) {
            self.settle(event, verdict, fx);
        }
    }

    /// Passes on what came to the user's other session.
    pub(crate) fn receipt_elsewhere(
        &self,
        from: SessionId,
        verdict: Option<Verdict>,
        habits: u32,
        fx: &mut Vec<Effect>,
    ) {
        let user = self.sessions.get(&from).and_then(|session| session.user);
        for to in user.into_iter().flat_map(|user| self.receiving_sessions(user)).filter(|to| *to != from) {
            fx.push(Effect::Reply { to, reply: Reply::ReceiptElsewhere { verdict, habits } });
        }
    }

    /// A user can't be reached any more and will acknowledge nothing.
    pub(crate) fn receipts_lost(&mut self, user: UserId, fx: &mut Vec<Effect>) {
        let all = (user, EventId::default())..=(user, EventId::LAST);
        let lost: Vec<_> = self.receipts.by_user.range(all).copied().collect();
        for entry in lost {
            self.receipts.by_user.remove(&entry);
            self.settle(entry.1, Verdict::Lost, fx);
        }
    }

    fn settle(&mut self, event: EventId, verdict: Verdict, fx: &mut Vec<Effect>) {
        let Some(receipt) = self.receipts.open.get_mut(&event) else { return };
        receipt.outcome = match (receipt.outcome, verdict) {
            (Outcome::Delivered, Verdict::Rejected) => Outcome::Rejected,
            (Outcome::Delivered | Outcome::Rejected, Verdict::Lost) => Outcome::Undelivered,
            (outcome, _) => outcome,
        };
        receipt.open -= 1;
        if receipt.open == 0 {
            let (to, token, outcome) = (receipt.sender, receipt.token, receipt.outcome);
            self.receipts.open.remove(&event);
            fx.push(Effect::Reply { to, reply: Reply::Outcome { token, outcome } });
        }
    }

    /// The present user of a session.
    fn speaker(&self, from: SessionId) -> Result<Arc<Card>, Refusal> {
        let user = self.sessions.get(&from).and_then(|session| session.user).ok_or(Refusal::NotLoggedIn)?;
        let entry = self.users.get(&user).filter(|user| user.present).ok_or(Refusal::NotLoggedIn)?;
        Ok(entry.card.clone())
    }

    /// A room's members, for one of its sessions.
    fn room_audience(&mut self, from: SessionId, room: RoomId) -> Result<(Scope, Arc<[SessionId]>), Refusal> {
        let is_in = self.sessions.get(&from).is_some_and(|session| session.room == Some(room));
        let room = self.rooms.get_mut(&room).filter(|_| is_in).ok_or(Refusal::NotInRoom)?;
        Ok((Scope::Room(room.card.clone()), room.audience()))
    }

    /// The present user whom a name means in the dialect of the session that wrote it.
    pub(crate) fn find(&self, from: SessionId, spelled: &str) -> Option<UserId> {
        let dialect = self.sessions.get(&from)?.origin.dialect;
        let spaces: &[Namespace] = match dialect {
            Dialect::Muca => &[Namespace::MucaUid, Namespace::Muca],
            Dialect::Tmp | Dialect::Rooms | Dialect::Bridge | Dialect::Messenger => &[dialect.namespace()],
        };
        spaces
            .iter()
            .filter_map(|space| self.directory.find(*space, spelled))
            .find(|user| self.users.get(user).is_some_and(|user| user.present))
    }

    /// The user whose name a text begins with, and the rest of the text.
    fn find_leading<'t>(&self, from: SessionId, text: &'t str) -> Result<(UserId, &'t str), Refusal> {
        let text = text.trim_start();
        let ends = text.char_indices().filter(|(_, c)| c.is_whitespace()).map(|(end, _)| end);
        // A name's words may be apart by more than one space here, but not by more than the name is long.
        let ends: SmallVec<[usize; 16]> =
            ends.take_while(|end| *end <= 4 * crate::NAME_CHARS_MAX).chain([text.len()]).collect();
        for end in ends.iter().rev() {
            let (name, rest) = text.split_at(*end);
            if let Some(user) =
                (name.chars().count() <= crate::NAME_CHARS_MAX).then(|| self.find(from, name)).flatten()
            {
                return Ok((user, rest.trim_start()));
            }
        }
        let name = text.split_whitespace().next().unwrap_or_default();
        Err(Refusal::NoSuchUser { name: name.to_owned() })
    }

    fn receiving_sessions(&self, user: UserId) -> impl Iterator<Item = SessionId> + '_ {
        let sessions = self.users.get(&user).map(|user| user.sessions.as_slice()).unwrap_or_default();
        sessions.iter().copied().filter(|session| self.sessions.get(session).is_some_and(Session::hears))
    }

    /// Says something privately. A single recipient that can't be reached is a refusal, one of several is left out.
    fn say_to_users(
        &mut self,
        now: Now,
        said: Said,
        to: &[UserId],
        named: usize,
        fx: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let mut sessions: Vec<SessionId> = Vec::new();
        let mut ring: Vec<UserId> = Vec::new();
        for user in to {
            match self.reach(said.card.user(), *user) {
                Reach::Session => sessions.extend(self.receiving_sessions(*user)),
                Reach::Ring => ring.push(*user),
                Reach::Busy(refusal) if named == 1 => return Err(refusal),
                Reach::Busy(_) => {}
            }
        }
        let to = match sessions.as_slice() {
            [one] => Audience::One(*one),
            several => Audience::Many(several.into()),
        };
        self.deliver(now, said, Scope::Private { named }, to, &ring, fx);
        Ok(())
    }

    /// Hands a message out, and tells the sender what became of it as soon as that is known.
    fn deliver(
        &mut self,
        now: Now,
        said: Said,
        scope: Scope,
        to: Audience,
        ring: &[UserId],
        fx: &mut Vec<Effect>,
    ) {
        let sender = said.card.user();
        self.roster_before_message(now, sender, fx);
        // What a user says in a room it doesn't have to acknowledge itself.
        let except = matches!(scope, Scope::Room(_)).then_some(sender);
        let event =
            self.event(now, Kind::Message { from: said.card, scope, text: said.text, bare: said.bare });
        self.counts.messages += 1;
        self.counts.deliveries += (to.sessions().len() + ring.len()) as u64;
        let waits = said
            .token
            .is_some_and(|token| self.expect_receipts(event.id, (said.from, token), &to, ring, except));
        if !to.sessions().is_empty() {
            fx.push(Effect::Deliver { to, event: event.clone() });
        }
        for user in ring {
            self.ring(now, *user, event.clone(), fx);
        }
        if let (Some(token), false) = (said.token, waits) {
            let reply = Reply::Outcome { token, outcome: Outcome::Delivered };
            fx.push(Effect::Reply { to: said.from, reply });
        }
    }

    /// Notes who has to acknowledge an event; whether anybody has to.
    fn expect_receipts(
        &mut self,
        event: EventId,
        (sender, token): (SessionId, Token),
        to: &Audience,
        ring: &[UserId],
        except: Option<UserId>,
    ) -> bool {
        let sessions = to.sessions().iter().filter_map(|session| self.sessions.get(session));
        let waiting = sessions.filter(|session| session.receipts && session.user != except);
        let before = self.receipts.by_user.len();
        let users = waiting.filter_map(|session| session.user).chain(ring.iter().copied());
        self.receipts.by_user.extend(users.map(|user| (user, event)));
        let open = self.receipts.by_user.len() - before;
        if open > 0 {
            self.receipts.open.insert(event, Receipt { sender, token, open, outcome: Outcome::Delivered });
        }
        open > 0
    }
}

/// To whom a message goes, once its names are understood.
enum Recipients {
    Room(RoomId),
    /// Users, and how many the sender named.
    Users(Vec<UserId>, usize),
}

/// A message on its way through the hub.
struct Said {
    from: SessionId,
    card: Arc<Card>,
    text: Text,
    bare: bool,
    token: Option<Token>,
}

/// How a present user can be reached.
pub(crate) enum Reach {
    /// By its own session.
    Session,
    /// By ringing it.
    Ring,
    /// Not now.
    Busy(Refusal),
}
