//! Messages: to whom they go, and what becomes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use crate::addressing::no_user;
use crate::membership::no_room;
use crate::state::User;
use crate::{
    Audience, Card, Dialect, Effect, EventId, Hub, Kind, Now, Outcome, Party, Ranks, Refusal, Reply, RoomId,
    Say, Scope, SessionId, Style, Text, To, Token, UserFlags, UserId, Verdict,
};

/// Messages whose recipients acknowledge them themselves.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    pub(crate) open: BTreeMap<EventId, Receipt>,
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
pub(crate) struct Receipt {
    sender: SessionId,
    token: Token,
    /// Recipients that haven't answered.
    open: usize,
    /// The worst answer so far.
    pub(crate) outcome: Outcome,
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
        let card = self.speaker_now(now, from)?;
        if let Some(to) = to_service(&say) {
            self.serve(now, from, to, fx);
            if let Some(token) = say.token {
                let reply = Reply::Outcome { token, outcome: Outcome::Delivered, away: None };
                fx.push(Effect::Reply { to: from, reply });
            }
            return Ok(());
        }
        let (to, text) = match say.to {
            To::Leading => {
                let (user, rest) = self.find_leading(from, &say.text)?;
                (Recipients::Users(smallvec![user], 1), rest.into())
            }
            To::Room(room) => (Recipients::Room(room, None), say.text),
            To::Channel(name) => (Recipients::Room(self.room_to(&name)?, None), say.text),
            To::Ranked(name, least) => (Recipients::Room(self.room_to(&name)?, Some(least)), say.text),
            To::User(name) => {
                let user = self.find_again(from, &name).ok_or_else(|| no_user(&name))?;
                (Recipients::Users(smallvec![user], 1), say.text)
            }
            To::Group(names) => {
                let mut users: Users = SmallVec::new();
                for name in &names {
                    users.extend(self.find(from, name).filter(|user| !users.contains(user)));
                }
                (Recipients::Users(users, names.len()), say.text)
            }
        };
        let text = Text::new(text, self.config.text_bytes_max)?;
        let tags = say.tags.map(Into::into);
        let sender = self.touch_user(now, card.user());
        // The sender's other devices show what it said, too.
        let has_devices =
            card.dialect() == Dialect::Irc && sender.is_some_and(|user| user.sessions.len() > 1);
        let said = Said {
            from,
            card,
            text,
            style: say.style,
            tags,
            seams: (!say.seams.is_empty()).then(|| say.seams.into()),
            echo: say.echo || has_devices,
            token: say.token,
            waits: say.waits,
        };
        match to {
            Recipients::Users(users, named) => self.say_to_users(now, said, &users, named, fx),
            Recipients::Room(room, least) => {
                let (scope, to) = self.room_audience(&said.card, room, least, say.style)?;
                self.may_speak_again(now, room, &said.card)?;
                let to = self.audience_after_arrival(now, &said.card, room, to, fx);
                self.deliver(now, said, (scope, SmallVec::new()), Audience::Many(to), (&[], None), fx);
                Ok(())
            }
        }
    }

    /// Shows that a user is writing, or no longer.
    pub(crate) fn typing(
        &mut self,
        now: Now,
        from: SessionId,
        to: To,
        state: crate::Typing,
        fx: &mut Vec<Effect>,
    ) {
        let Ok(card) = self.speaker_now(now, from) else { return };
        let Ok((scope, to, _)) = self.reachable(from, &card, to, false) else { return };
        let event = self.event(now, Kind::Typing { from: card, scope, state });
        self.deliver_to(to, event, fx);
    }

    /// Hands out something that is said in tags alone.
    pub(crate) fn say_tags(
        &mut self,
        now: Now,
        from: SessionId,
        (to, tags): (To, String),
        (reaction, typing): (Option<(String, Option<EventId>)>, Option<crate::Typing>),
        echo: bool,
        fx: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        let card = self.speaker_now(now, from)?;
        let (scope, mut to, room) = self.reachable(from, &card, to, echo)?;
        if let (Some(room), Audience::Many(all)) = (room, &to) {
            to = Audience::Many(self.audience_after_arrival(now, &card, room, all.clone(), fx));
        }
        let reaction = reaction.map(|(with, to)| self.reaction(&with, to));
        let kind = match typing {
            Some(state) => Kind::Typing { from: card, scope, state },
            None => Kind::Tags { from: card, scope, tags: tags.into(), reaction },
        };
        let event = self.event(now, kind);
        self.keep_and_deliver(to, event, SmallVec::new(), fx);
        Ok(Reply::Done)
    }

    /// Where something goes that isn't a message.
    pub(crate) fn reachable(
        &mut self,
        from: SessionId,
        card: &Arc<Card>,
        to: To,
        echo: bool,
    ) -> Result<(Scope, Audience, Option<RoomId>), Refusal> {
        let (room, least) = match to {
            To::Room(room) => (room, None),
            To::Channel(name) => (self.room_to(&name)?, None),
            To::Ranked(name, least) => (self.room_to(&name)?, Some(least)),
            To::User(name) => {
                let user = self.find(from, &name).ok_or_else(|| no_user(&name))?;
                let whom = self.users.get(&user).map(|user| user.card.clone());
                let mut to: Sessions = self.receiving_sessions(user).collect();
                if echo {
                    self.add_own(card.user(), &mut to);
                }
                return Ok((Scope::Private { named: 1, to: whom }, audience(&to), None));
            }
            // No dialect that has more than messages has these.
            To::Group(_) | To::Leading => return Err(Refusal::NotInRoom),
        };
        let (scope, to) = self.room_audience(card, room, least, Style::Plain)?;
        Ok((scope, Audience::Many(to), Some(room)))
    }

    /// The sender's own sessions hear it too.
    fn add_own(&self, sender: UserId, to: &mut Sessions) {
        for own in self.receiving_sessions(sender) {
            if !to.contains(&own) {
                to.push(own);
            }
        }
    }

    fn room_to(&self, spelled: &str) -> Result<RoomId, Refusal> {
        self.room_spelled(spelled).ok_or_else(|| no_room(spelled))
    }

    /// Makes sure that a member who is about to be heard is known; who hears it.
    fn audience_after_arrival(
        &mut self,
        now: Now,
        card: &Card,
        room: RoomId,
        to: Arc<[SessionId]>,
        fx: &mut Vec<Effect>,
    ) -> Arc<[SessionId]> {
        let member = self.rooms.get(&room).and_then(|room| room.member(card.user()));
        if member.is_some_and(|member| !member.told) {
            self.tell_arrival(now, card.user(), room, fx);
        }
        to
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
            (Outcome::NotKept, _) => Outcome::NotKept,
            (Outcome::Delivered | Outcome::Rejected, Verdict::Lost) => Outcome::Undelivered,
            (outcome, _) => outcome,
        };
        receipt.open -= 1;
        if receipt.open == 0 {
            let (to, token, outcome) = (receipt.sender, receipt.token, receipt.outcome);
            self.receipts.open.remove(&event);
            fx.push(Effect::Reply { to, reply: Reply::Outcome { token, outcome, away: None } });
        }
    }

    /// Who hears what a user says in a room, from a rank on, if it may.
    fn room_audience(
        &mut self,
        card: &Card,
        id: RoomId,
        least: Option<Ranks>,
        style: Style,
    ) -> Result<(Scope, Arc<[SessionId]>), Refusal> {
        let address = self.users.get(&card.user()).map(|user| user.origin.address);
        let address = address.ok_or(Refusal::NotLoggedIn)?;
        let room = self.rooms.get(&id).ok_or(Refusal::NotInRoom)?;
        self.may_speak(room, card, address, style)?;
        let room = self.rooms.get_mut(&id).ok_or(Refusal::NotInRoom)?;
        Ok(match least {
            None => (Scope::Room(room.card.clone()), room.audience()),
            Some(least) => {
                (Scope::Ranked { room: room.card.clone(), least }, room.audience_from(least, card.user()))
            }
        })
    }

    pub(crate) fn receiving_sessions(&self, user: UserId) -> impl Iterator<Item = SessionId> + '_ {
        self.users.get(&user).into_iter().flat_map(|user| self.hearing(user))
    }

    /// Those of a user's sessions that its messages come to.
    fn hearing<'h>(&'h self, user: &'h User) -> impl Iterator<Item = SessionId> + 'h {
        let sessions = user.sessions.iter().copied();
        sessions.filter(|session| self.sessions.get(session).is_some_and(|session| session.hears()))
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
        let mut sessions = Sessions::new();
        let mut ring = Users::new();
        let mut whom = None;
        for user in to.iter().filter_map(|user| self.users.get(user)) {
            match self.reach_for(&said, user) {
                Reach::Session => sessions.extend(self.hearing(user)),
                Reach::Ring => ring.push(user.card.user()),
                Reach::Busy(refusal) if named == 1 => return Err(refusal),
                Reach::Busy(_) => {}
            }
            if named == 1 {
                whom = Some((user.card.clone(), user.away.clone()));
            }
        }
        if said.echo {
            self.add_own(said.card.user(), &mut sessions);
        }
        let (whom, away) = whom.unzip();
        let parties = if whom.is_some() { SmallVec::new() } else { self.parties(&said.card, to) };
        let to = audience(&sessions);
        self.deliver(
            now,
            said,
            (Scope::Private { named, to: whom }, parties),
            to,
            (&ring, away.flatten()),
            fx,
        );
        Ok(())
    }

    /// How a recipient can be reached, if it wants to be.
    fn reach_for(&self, said: &Said, user: &User) -> Reach {
        let (from, to) = (said.card.user(), user.card.user());
        let wants_account = user.flags.contains(UserFlags::ACCOUNTS_ONLY);
        if wants_account && said.card.account().is_none() && from != to {
            return Reach::Busy(Refusal::NeedsAccount);
        }
        self.reach(from, to)
    }

    /// Hands a message out, and tells the sender what became of it as soon as that is known.
    fn deliver(
        &mut self,
        now: Now,
        said: Said,
        (scope, parties): (Scope, SmallVec<[Party; 2]>),
        to: Audience,
        (ring, away): (&[UserId], Option<Arc<str>>),
        fx: &mut Vec<Effect>,
    ) {
        let sender = said.card.user();
        self.roster_before_message(now, sender, fx);
        // What a user says in a room it doesn't have to acknowledge itself.
        let except = matches!(scope, Scope::Room(_)).then_some(sender);
        let Said { from, card, text, style, tags, seams, token, waits, echo: _ } = said;
        let event = self.event(now, Kind::Message { from: card, scope, text, style, tags, seams });
        self.counts.messages += 1;
        self.counts.deliveries += (to.sessions().len() + ring.len()) as u64;
        self.recent.push(&event, self.config.recent_max);
        let waits = token
            .filter(|_| waits)
            .is_some_and(|token| self.expect_receipts(event.id, (from, token), &to, ring, except));
        if waits {
            event.set_awaited();
        }
        // Mostly there is no more to tell than that it was handed out, and that need not be told apart from it.
        let token = token.filter(|_| !waits);
        let rides = away.is_none() && ring.is_empty() && event.by == Some(from) && !to.sessions().is_empty();
        if let (Some(token), true) = (token, rides) {
            event.set_token(token);
        }
        let rung = (!ring.is_empty()).then(|| event.clone());
        self.keep_and_deliver(to, event, parties, fx);
        for (user, event) in ring.iter().zip(rung.iter().cycle()) {
            self.ring(now, *user, event.clone(), fx);
        }
        if let (Some(token), false) = (token, rides) {
            let reply = Reply::Outcome { token, outcome: Outcome::Delivered, away };
            fx.push(Effect::Reply { to: from, reply });
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

/// The service that something is said to, and what.
fn to_service(say: &Say) -> Option<(&str, &str)> {
    let (name, text) = match &say.to {
        To::User(name) => (&**name, &*say.text),
        To::Group(names) => match names.as_slice() {
            [one] => (one.as_str(), &*say.text),
            _ => return None,
        },
        To::Leading => say.text.trim_start().split_once(char::is_whitespace)?,
        To::Room(_) | To::Channel(_) | To::Ranked(..) => return None,
    };
    Hub::is_service(name).then_some((name, text))
}

/// The sessions as an audience.
fn audience(sessions: &[SessionId]) -> Audience {
    match sessions {
        [one] => Audience::One(*one),
        several => Audience::Many(several.into()),
    }
}

/// To whom a message goes, once its names are understood.
enum Recipients {
    /// A room's members, perhaps only from a rank on.
    Room(RoomId, Option<Ranks>),
    /// Users, and how many the sender named.
    Users(Users, usize),
}

/// Some users: mostly one.
type Users = SmallVec<[UserId; 2]>;
/// Some sessions: mostly those of one user.
type Sessions = SmallVec<[SessionId; 4]>;

/// A message on its way through the hub.
struct Said {
    from: SessionId,
    card: Arc<Card>,
    text: Text,
    style: Style,
    tags: Option<Arc<str>>,
    seams: Option<Arc<[usize]>>,
    /// Whether what is said privately comes to the sender's own sessions too.
    echo: bool,
    token: Option<Token>,
    waits: bool,
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
