//! Server operators: how one becomes one, and what they may do beyond their rooms.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::{
    Actor, Audience, Effect, Hub, Kind, Now, Purpose, Ranks, Refusal, Reply, RoomId, SessionId, UserFlags,
    UserId,
};

bitflags::bitflags! {
    /// What a server operator may do.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct Privileges: u8 {
        /// End users.
        const KILL = 1;
        /// Speak to all who want to hear operators.
        const WALLOPS = 2;
        /// Have the configuration read again.
        const REHASH = 4;
        /// Keep order in every room as its founder would.
        const ROOMS = 8;
        /// See addresses, secret rooms and invisible people.
        const SEE = 16;
    }
}

/// The privileges by name.
const NAMES: [(&str, Privileges); 5] = [
    ("kill", Privileges::KILL),
    ("wallops", Privileges::WALLOPS),
    ("rehash", Privileges::REHASH),
    ("rooms", Privileges::ROOMS),
    ("see", Privileges::SEE),
];

impl Privileges {
    /// The privilege of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, privilege)| *privilege)
    }

    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }

    fn name(self) -> &'static str {
        NAMES.iter().find(|(_, known)| *known == self).map_or("operator", |(name, _)| *name)
    }
}

/// Who can become an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The password's hash, in whatever form the host checks ([`Effect::Verify`]).
    pub hash: Secret,
    /// What the operator may do.
    pub privileges: Privileges,
}

/// Operators by the names under which they log in.
pub type Operators = BTreeMap<String, Operator>;

/// Something that must not get into a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Keeps a text from being shown by accident.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text, for whoever has to work with it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Hub {
    /// Asks for the rights of an operator. The host checks the password and tells [`Hub::verified`].
    pub(crate) fn oper(
        &mut self,
        now: Now,
        from: SessionId,
        (name, password): (String, Secret),
        fx: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        self.speaker_now(now, from)?;
        // A name that nobody has takes as long as one with another password.
        let any = || self.config.operators.values().next();
        let operator = self.config.operators.get(&name).or_else(any).ok_or(Refusal::WrongPassword)?;
        let hash = operator.hash.clone();
        fx.push(Effect::Verify { session: from, purpose: Purpose::Operator, name, hash, password });
        Ok(())
    }

    /// The host has checked what [`Effect::Verify`] asked it to.
    pub fn verified(
        &mut self,
        now: Now,
        session: SessionId,
        (purpose, name): (Purpose, &str),
        right: bool,
        fx: &mut Vec<Effect>,
    ) {
        if purpose == Purpose::LogIn {
            return self.password_checked(now, session, right, fx);
        }
        let operator = self.config.operators.get(name).filter(|_| right).map(|operator| operator.privileges);
        let user = self.sessions.get(&session).and_then(|session| session.user);
        let answer = match (operator, user.and_then(|user| self.users.get_mut(&user))) {
            (Some(privileges), Some(user)) => {
                let before = user.flags;
                user.flags |= UserFlags::OPERATOR;
                user.privileges = privileges;
                let on = user.flags.difference(before);
                if !on.is_empty() {
                    self.count_flag(UserFlags::OPERATOR, true);
                }
                Ok(Reply::FlagsSet { on, off: UserFlags::empty() })
            }
            _ => Err(Refusal::WrongPassword),
        };
        if self.sessions.contains_key(&session) {
            self.answer(session, None, answer, fx);
        }
    }

    /// Takes over what was read anew of the configuration: who can become an operator. Those who are stay so.
    pub fn set_operators(&mut self, operators: Operators) {
        self.config.operators = operators;
    }

    /// Whether a user has a privilege.
    pub(crate) fn may(&self, user: UserId, privilege: Privileges) -> bool {
        self.users.get(&user).is_some_and(|user| {
            user.flags.contains(UserFlags::OPERATOR) && user.privileges.contains(privilege)
        })
    }

    fn need(&self, user: UserId, privilege: Privileges) -> Result<(), Refusal> {
        match self.may(user, privilege) {
            true => Ok(()),
            false => Err(Refusal::NoPrivilege { privilege: privilege.name() }),
        }
    }

    /// How far a user's word goes in a room.
    pub(crate) fn power(&self, user: UserId, room: RoomId) -> Ranks {
        if self.may(user, Privileges::ROOMS) {
            return Ranks::FOUNDER;
        }
        self.rooms.get(&room).map_or(Ranks::empty(), |room| room.ranks(user))
    }

    /// Ends somebody.
    pub(crate) fn kill(
        &mut self,
        now: Now,
        from: SessionId,
        name: &str,
        reason: &str,
        fx: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        let by = self.speaker(from)?;
        self.need(by.user(), Privileges::KILL)?;
        let whom = self.find(from, name).ok_or_else(|| Refusal::NoSuchUser { name: name.to_owned() })?;
        let reason = format!("Killed ({} ({}))", by.wire_name(crate::Namespace::Irc), self.phrase(reason));
        self.end_user(now, whom, None, &reason, Some(reason.as_str().into()), fx);
        Ok(Reply::Done)
    }

    /// Speaks to all who want to hear operators.
    pub(crate) fn wallops(
        &mut self,
        now: Now,
        from: SessionId,
        text: &str,
        fx: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        let by = self.speaker(from)?;
        self.need(by.user(), Privileges::WALLOPS)?;
        let wants = self.users_by_arrival(|user| user.flags.contains(UserFlags::WALLOPS));
        let to: Vec<SessionId> = wants.flat_map(|(_, user)| user.sessions.iter().copied()).collect();
        let text = self.phrase(text);
        let event = self.event(now, Kind::Wallops { by: Actor::User(by), text });
        self.deliver_to(Audience::Many(to.into()), event, fx);
        Ok(Reply::Done)
    }

    /// Tells those who run the server something.
    pub fn alert(&mut self, now: Now, text: &str, fx: &mut Vec<Effect>) {
        let operators = self.users_by_arrival(|user| user.flags.contains(UserFlags::OPERATOR));
        let to: Vec<SessionId> = operators.flat_map(|(_, user)| user.sessions.iter().copied()).collect();
        let text = self.phrase(text);
        let event = self.event(now, Kind::Wallops { by: Actor::Server, text });
        self.deliver_to(Audience::Many(to.into()), event, fx);
    }

    /// Has the configuration read again.
    pub(crate) fn rehash(&self, from: SessionId, fx: &mut Vec<Effect>) -> Result<Reply, Refusal> {
        self.need(self.speaker(from)?.user(), Privileges::REHASH)?;
        fx.push(Effect::Reload);
        Ok(Reply::Done)
    }
}
