//! How users come and go: names, legs, rooms.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::names::Key;
use crate::state::{Session, User};
use crate::{
    Card, Dialect, Effect, Hub, Leg, Login, Name, Now, Origin, Refusal, Reply, RoomCard, RoomId, RoomName,
    SessionId, UserId,
};

/// A login whose name is taken, but perhaps not for long ([`crate::HubConfig::name_grace`]).
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) session: SessionId,
    pub(crate) login: Login,
    pub(crate) until: Instant,
}

/// How many logins may wait for taken names; more are refused at once.
const WAITING_MAX: usize = 256;

impl Hub {
    /// How long a session's login may wait for its name: a session has one such wait at a time.
    pub(crate) fn patience_for(&self, session: SessionId) -> Duration {
        let waits = self.waiting.iter().any(|waiting| waiting.session == session);
        if waits || self.waiting.len() >= WAITING_MAX { Duration::ZERO } else { self.config.name_grace }
    }

    /// Answers a login, now or as soon as it is known whether its name becomes free.
    pub(crate) fn try_login(&mut self, now: Now, waiting: Waiting, fx: &mut Vec<Effect>) {
        let answer = self.login(now, waiting.session, waiting.login.clone(), fx);
        if matches!(answer, Err(Refusal::NameTaken { .. })) && waiting.until > now.at {
            self.waiting.push_back(waiting);
        } else {
            self.answer(waiting.session, None, answer, fx);
        }
    }

    /// Somebody has gone, or patience has ended: looks again at the logins that wait.
    pub(crate) fn retry_logins(&mut self, now: Now, fx: &mut Vec<Effect>) {
        for waiting in std::mem::take(&mut self.waiting) {
            if self.sessions.contains_key(&waiting.session) {
                self.try_login(now, waiting, fx);
            }
        }
    }

    fn login(
        &mut self,
        now: Now,
        from: SessionId,
        login: Login,
        fx: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        let name = Name::new(&login.name)?;
        let room = RoomName::new(login.room.as_deref().unwrap_or(&self.config.lobby))?;
        let origin = match self.sessions.get(&from) {
            None => return Err(Refusal::NotLoggedIn),
            Some(session) if self.may_add_leg(session, &name, login.leg) => session.origin,
            Some(Session { user: Some(user), .. }) => {
                let name = self.users.get(user).map_or_else(String::new, |user| user.card.name.to_string());
                return Err(Refusal::LoggedInAlready { name });
            }
            Some(session) => session.origin,
        };
        self.check_room(&room)?;
        let user = match self.other_leg(&name, origin, login.leg) {
            Some(user) => user,
            None => self.enter(&name, login.handle.as_deref(), origin, room)?,
        };
        let Some(session) = self.sessions.get_mut(&from) else { return Err(Refusal::NotLoggedIn) };
        // One connection may take both of a user's directions, one after the other.
        session.leg = if session.user == Some(user) { Leg::Both } else { login.leg };
        session.user = Some(user);
        session.roster = login.roster;
        session.receipts |= login.receipts;
        if login.roster {
            self.roster_subscribe(from);
        }
        let Some(entry) = self.users.get_mut(&user) else { return Err(Refusal::NotLoggedIn) };
        if !entry.sessions.contains(&from) {
            entry.sessions.push(from);
        }
        let card = entry.card.clone();
        let room = self.complete(now, user, from, fx);
        Ok(Reply::Welcome { card, room })
    }

    /// Whether a logged-in session may take its own user's other direction too.
    fn may_add_leg(&self, session: &Session, name: &Name, leg: Leg) -> bool {
        session.user.is_some()
            && session.user == self.directory.holder(name)
            && matches!((session.leg, leg), (Leg::Send, Leg::Receive) | (Leg::Receive, Leg::Send))
    }

    /// The user of this name that lacks this direction, if the newcomer may be its other half: it has to come
    /// from where the first half came from, or else anybody could listen in.
    fn other_leg(&self, name: &Name, origin: Origin, leg: Leg) -> Option<UserId> {
        let user = self.directory.holder(name)?;
        let entry = self.users.get(&user)?;
        let same_host =
            entry.origin.address == origin.address || (entry.origin.is_loopback() && origin.is_loopback());
        let has = |wanted| self.user_has_leg(entry, wanted);
        let halved = leg != Leg::Both && !entry.sessions.is_empty();
        (halved && entry.origin.dialect == origin.dialect && same_host && !has(leg)).then_some(user)
    }

    fn user_has_leg(&self, user: &User, wanted: Leg) -> bool {
        user.sessions
            .iter()
            .filter_map(|session| self.sessions.get(session))
            .any(|session| session.leg == Leg::Both || session.leg == wanted)
    }

    fn check_room(&self, name: &RoomName) -> Result<(), Refusal> {
        let members_max = self.config.room_members_max;
        let room = self.room_keys.get(&Key::of(name.as_str())).and_then(|id| self.rooms.get(id));
        match room {
            Some(room) if room.len() >= members_max => Err(Refusal::RoomFull { members_max }),
            _ => Ok(()),
        }
    }

    /// Whether a name is not to be had for a newcomer of this dialect.
    pub(crate) fn is_taken(&self, name: &Name, dialect: Dialect) -> bool {
        Key::of(name.as_str()) == Key::of(&self.config.server_name) || self.directory.is_taken(name, dialect)
    }

    /// Makes a user, not yet present.
    pub(crate) fn enter(
        &mut self,
        name: &Name,
        handle: Option<&str>,
        origin: Origin,
        room: RoomName,
    ) -> Result<UserId, Refusal> {
        if self.users.len() >= self.config.users_max {
            return Err(Refusal::ServerFull { what: "users" });
        }
        if self.is_taken(name, origin.dialect) {
            return Err(Refusal::NameTaken { name: name.to_string() });
        }
        if let Some(handle) = handle {
            check_handle(handle)?;
        }
        let user = UserId(self.next_id());
        let wire = self.directory.enter(user, name, handle, origin.dialect)?;
        let card = Arc::new(Card { user, name: name.clone(), dialect: origin.dialect, wire });
        self.users.insert(user, User { card, sessions: Vec::new(), origin, room, present: false });
        Ok(user)
    }

    /// Makes a user present and its receiving sessions members of its room, once both directions are there.
    fn complete(
        &mut self,
        now: Now,
        user: UserId,
        newest: SessionId,
        fx: &mut Vec<Effect>,
    ) -> Option<Arc<RoomCard>> {
        let entry = self.users.get(&user)?;
        if !(self.user_has_leg(entry, Leg::Send) && self.user_has_leg(entry, Leg::Receive)) {
            return None;
        }
        let (sessions, room) = (entry.sessions.clone(), entry.room.clone());
        let id = self.room_named(&room);
        let card = self.rooms.get(&id)?.card.clone();
        for session in sessions {
            if session != newest {
                fx.push(Effect::Reply { to: session, reply: Reply::Complete { room: card.clone() } });
            }
            if let Some(entry) = self.sessions.get_mut(&session) {
                entry.room = Some(id);
                // A session that only sends is in the room too, to speak there, but hears nothing.
                if entry.leg != Leg::Send {
                    self.rooms.get_mut(&id)?.join(session, user);
                }
            }
        }
        self.set_present(now, user, true);
        Some(card)
    }

    pub(crate) fn set_present(&mut self, now: Now, user: UserId, present: bool) {
        if let Some(entry) = self.users.get_mut(&user)
            && entry.present != present
        {
            entry.present = present;
            self.roster_changed(now);
        }
    }

    /// Takes a session out of its room and from its user.
    pub(crate) fn detach(&mut self, now: Now, session: SessionId, gone: &Session, fx: &mut Vec<Effect>) {
        if gone.roster {
            self.roster_unsubscribe(session);
        }
        self.leave_room(session, gone.room);
        let Some(user) = gone.user else { return };
        if gone.hears() {
            self.receipts_lost(user, fx);
        }
        let Some(entry) = self.users.get_mut(&user) else { return };
        entry.sessions.retain(|other| *other != session);
        if entry.sessions.is_empty() {
            self.remove_user(now, user);
        } else if gone.leg != Leg::Both {
            // Half of the user is left: nobody can talk with it until the other half comes back.
            for rest in entry.sessions.clone() {
                let room = self.sessions.get_mut(&rest).and_then(|rest| rest.room.take());
                self.leave_room(rest, room);
                fx.push(Effect::Reply { to: rest, reply: Reply::Incomplete });
            }
            self.set_present(now, user, false);
        }
    }

    fn leave_room(&mut self, session: SessionId, room: Option<RoomId>) {
        let Some(id) = room else { return };
        let Some(room) = self.rooms.get_mut(&id) else { return };
        room.part(session);
        if room.len() == 0 && id != self.lobby {
            let key = Key::of(room.card.name.as_str());
            self.rooms.remove(&id);
            self.room_keys.remove(&key);
        }
    }

    /// Frees a user's names.
    pub(crate) fn remove_user(&mut self, now: Now, user: UserId) {
        self.set_present(now, user, false);
        if let Some(gone) = self.users.remove(&user) {
            self.directory.leave(&gone.card.name, &gone.card.wire);
        }
    }

    /// Ends the user of a session, and says so to its other sessions.
    pub(crate) fn end_user_of(&mut self, now: Now, from: SessionId, fx: &mut Vec<Effect>) {
        let Some(user) = self.sessions.get(&from).and_then(|session| session.user) else { return };
        if self.rendezvous_left(now, user, fx) {
            return;
        }
        self.receipts_lost(user, fx);
        let sessions = self.users.get(&user).map(|user| user.sessions.clone()).unwrap_or_default();
        for session in sessions {
            if let Some(entry) = self.sessions.get_mut(&session) {
                entry.user = None;
                let room = entry.room.take();
                self.leave_room(session, room);
            }
            self.roster_unsubscribe(session);
            if session != from {
                fx.push(Effect::Reply { to: session, reply: Reply::Dismissed });
            }
        }
        self.remove_user(now, user);
    }
}

/// A handle is shown to other clients as it is: it has to fit a line and can't be a whole page.
fn check_handle(handle: &str) -> Result<(), Refusal> {
    let rule = match handle {
        "" => "it is empty",
        handle if handle.chars().count() > 64 => "more than 64 characters",
        handle if handle.chars().any(|c| c.is_control() || c.is_whitespace()) => "white space is not allowed",
        handle if handle.chars().any(crate::names::is_invisible) => {
            "it has an invisible or unassigned character"
        }
        _ => return Ok(()),
    };
    Err(Refusal::NameMalformed { name: handle.chars().take(64).collect(), rule })
}
