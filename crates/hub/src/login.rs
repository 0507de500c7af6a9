//! How users come and go: names, legs, rooms.

use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use crate::card::{Notes, Profile};
use crate::names::Key;
use crate::state::{Session, User};
use crate::{
    Card, ClientProfile, Dialect, Effect, Entrance, Hub, Leg, Login, Name, News, Now, Origin, Privileges,
    Refusal, Reply, RoomCard, RoomName, SessionId, UserFlags, UserId,
};

/// A login whose name is taken, but perhaps not for long ([`crate::HubConfig::name_grace`]).
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) session: SessionId,
    pub(crate) login: Login,
    pub(crate) until: Instant,
}

/// Why somebody is gone who didn't say goodbye.
const CONNECTION_CLOSED: &str = "Connection closed";

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
        let answer = self.login(now, waiting.session, &waiting.login, fx);
        if matches!(answer, Err(Refusal::NameTaken { .. })) && waiting.until > now.at {
            self.waiting.push_back(waiting);
        } else {
            let is_in = answer.is_ok();
            self.answer(waiting.session, None, answer, fx);
            if is_in {
                self.show_around(now, waiting.session, fx);
            }
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
        login: &Login,
        fx: &mut Vec<Effect>,
    ) -> Result<Reply, Refusal> {
        let with_password = self.login_with_password(now, from, &login.name)?;
        let name = Name::new(with_password.as_deref().unwrap_or(&login.name))?;
        if self.is_somebody_elses(from, name.as_str()) {
            return Err(Refusal::NameRegistered { name: name.to_string() });
        }
        let username = login.profile.as_deref().map(|profile| profile.username.as_str());
        self.begin_device(from, username, login.replay);
        if let Some(user) = self.own_other_self(from, &name, login) {
            return self.add_device(from, user);
        }
        let room = match &login.entrance {
            Entrance::Lobby => Some(RoomName::new(&self.config.lobby)?),
            Entrance::Room(room) => Some(RoomName::new(room)?),
            Entrance::Nowhere => None,
        };
        let origin = match self.sessions.get(&from).map(Box::as_ref) {
            None => return Err(Refusal::NotLoggedIn),
            Some(session) if self.may_add_leg(session, &name, login.leg) => session.origin,
            Some(Session { user: Some(user), .. }) => {
                let name = self.users.get(user).map_or_else(String::new, |user| user.card.name.to_string());
                return Err(Refusal::LoggedInAlready { name });
            }
            Some(session) => session.origin,
        };
        let other_leg = self.other_leg(&name, origin, login.leg);
        let account = self.identity(from).map(|identity| identity.account.clone());
        if let (Some(room), None) = (&room, other_leg) {
            let profile = self.profile(origin, None, account.clone());
            self.may_enter(room, &name, &profile, origin)?;
        }
        let user = match other_leg {
            Some(user) => user,
            None => self.enter(
                now,
                &name,
                login.handle.as_deref(),
                (origin, account),
                room,
                login.profile.as_deref(),
            )?,
        };
        let Some(session) = self.sessions.get_mut(&from) else { return Err(Refusal::NotLoggedIn) };
        // One connection may take both of a user's directions, one after the other.
        session.leg = if session.user == Some(user) { Leg::Both } else { login.leg };
        session.roster = login.roster;
        session.receipts |= login.receipts;
        self.belongs(from, Some(user));
        if login.roster {
            self.roster_subscribe(from);
        }
        let Some(entry) = self.users.get_mut(&user) else { return Err(Refusal::NotLoggedIn) };
        if !entry.sessions.contains(&from) {
            entry.sessions.push(from);
        }
        let card = entry.card.clone();
        let room = self.complete(now, user, from, fx);
        Ok(Reply::Welcome { session: from, card, room, census: self.census })
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

    /// Whether a name is not to be had for a newcomer of this dialect.
    pub(crate) fn is_taken(&self, name: &Name, dialect: Dialect) -> bool {
        self.is_reserved(name) || self.directory.is_taken(name, dialect)
    }

    /// Whether a name is the server's own.
    pub(crate) fn is_reserved(&self, name: &Name) -> bool {
        Key::lend(name.as_str(), |key| self.reserved.iter().any(|reserved| reserved.as_str() == key))
    }

    /// Makes a user, not yet present.
    pub(crate) fn enter(
        &mut self,
        now: Now,
        name: &Name,
        handle: Option<&str>,
        (origin, account): (Origin, Option<Arc<str>>),
        room: Option<RoomName>,
        profile: Option<&ClientProfile>,
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
        let metadata = profile.and_then(|profile| crate::metadata::first(&profile.metadata));
        let (away, flags) = match profile {
            Some(profile) => (profile.away.as_deref().map(Into::into), profile.flags),
            None => (None, UserFlags::default()),
        };
        let profile = self.profile(origin, profile, account);
        let card = Arc::new(Card {
            user,
            name: name.clone(),
            dialect: origin.dialect,
            wire,
            profile,
            notes: Notes::default(),
        });
        self.users.insert(
            user,
            Box::new(User {
                card,
                sessions: SmallVec::new(),
                origin,
                room,
                rooms: SmallVec::new(),
                present: false,
                away,
                flags,
                metadata,
                privileges: Privileges::empty(),
                since_ms: now.unix_ms,
                named: self.last_event.next(),
                markers: None,
                active_ms: now.unix_ms,
            }),
        );
        Ok(user)
    }

    /// What others may know of a user that comes from there.
    fn profile(&self, origin: Origin, claimed: Option<&ClientProfile>, account: Option<Arc<str>>) -> Profile {
        let host = self.host_of(origin.address);
        match claimed {
            // Nobody vouches for it: hence the mark, which also keeps it apart from the dialects' names.
            Some(claimed) => Profile {
                username: ["~", &claimed.username].concat().into(),
                host,
                real_name: self.phrase(&claimed.real_name),
                account,
                bot: claimed.flags.contains(UserFlags::BOT),
            },
            None => {
                let dialect: Arc<str> = origin.dialect.as_str().into();
                Profile { username: dialect.clone(), host, real_name: dialect, account, bot: false }
            }
        }
    }

    /// Makes a user present and its receiving sessions members of its rooms, once both directions are there.
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
        self.set_present(now, user, true, fx);
        let id = self.room_named(now.unix_ms, &room?);
        let card = self.rooms.get(&id)?.card.clone();
        for session in sessions.into_iter().filter(|session| *session != newest) {
            fx.push(Effect::Reply { to: session, reply: Reply::Complete { room: card.clone() } });
        }
        self.enter_room(now, user, id, fx);
        Some(card)
    }

    pub(crate) fn set_present(&mut self, now: Now, user: UserId, present: bool, fx: &mut Vec<Effect>) {
        let Some(entry) = self.users.get_mut(&user).filter(|entry| entry.present != present) else { return };
        entry.present = present;
        let card = entry.card.clone();
        self.census_changed(present);
        self.roster_changed(now);
        self.tell_watchers(now, &card, if present { News::Online } else { News::Offline }, fx);
    }

    /// Takes a closed session from its user.
    pub(crate) fn detach(&mut self, now: Now, session: SessionId, gone: &Session, fx: &mut Vec<Effect>) {
        if gone.roster {
            self.roster_unsubscribe(session);
        }
        let Some(user) = gone.user else { return };
        if gone.hears() {
            self.receipts_lost(user, fx);
        }
        let Some(entry) = self.users.get_mut(&user) else { return };
        entry.sessions.retain(|other| *other != session);
        let rest = entry.sessions.clone();
        for room in entry.rooms.clone() {
            if let Some(room) = self.rooms.get_mut(&room) {
                room.detach(user, session);
            }
        }
        if rest.is_empty() && self.stays(user) {
            self.tell_devices(now, user, false, fx);
        } else if rest.is_empty() {
            self.remove_user(now, user, CONNECTION_CLOSED, fx);
        } else if gone.leg != Leg::Both {
            // Half of the user is left: nobody can talk with it until the other half comes back.
            self.quit_rooms(now, user, CONNECTION_CLOSED, fx);
            for to in rest {
                fx.push(Effect::Reply { to, reply: Reply::Incomplete });
            }
            self.set_present(now, user, false, fx);
        }
    }

    /// Frees a user's names, and tells those who saw it that it is gone.
    pub(crate) fn remove_user(&mut self, now: Now, user: UserId, reason: &str, fx: &mut Vec<Effect>) {
        self.quit_rooms(now, user, reason, fx);
        self.set_present(now, user, false, fx);
        if let Some(gone) = self.users.remove(&user) {
            self.directory.leave(&gone.card.name, &gone.card.wire);
            if gone.flags.contains(UserFlags::INVISIBLE) {
                self.count_flag(UserFlags::INVISIBLE, false);
            }
            if gone.flags.contains(UserFlags::OPERATOR) {
                self.count_flag(UserFlags::OPERATOR, false);
            }
            self.remember_former(now, gone.card);
        }
    }

    /// Ends the user of a session by its own wish.
    pub(crate) fn leave(&mut self, now: Now, from: SessionId, reason: Option<&str>, fx: &mut Vec<Effect>) {
        let Some(user) = self.sessions.get(&from).and_then(|session| session.user) else { return };
        // Before it is in no room any more.
        if let Some(session) = self.sessions.get(&from) {
            let (identity, rooms) =
                (session.identity.clone(), self.users.get(&user).map(|user| user.rooms.clone()));
            self.end_device(identity, &rooms.unwrap_or_default(), fx);
        }
        // The user's other devices stay, and so does the user; this one closes.
        let is_shared = |user: &User| user.card.dialect == Dialect::Irc && user.sessions.len() > 1;
        if self.users.get(&user).is_some_and(|user| is_shared(user)) || self.stays(user) {
            return;
        }
        let reason = self.phrase(reason.unwrap_or("Left"));
        self.end_user(now, user, Some(from), &reason, None, fx);
    }

    /// Ends a user, and says so to its sessions, but for `except`. `told` is what they are told of who ended it.
    pub(crate) fn end_user(
        &mut self,
        now: Now,
        user: UserId,
        except: Option<SessionId>,
        reason: &str,
        told: Option<Arc<str>>,
        fx: &mut Vec<Effect>,
    ) {
        if self.rendezvous_left(now, user, fx) {
            return;
        }
        self.receipts_lost(user, fx);
        let sessions = self.users.get(&user).map(|user| user.sessions.clone()).unwrap_or_default();
        self.remove_user(now, user, reason, fx);
        for session in sessions {
            if let Some(entry) = self.sessions.get_mut(&session) {
                entry.leg = Leg::Both;
            }
            self.belongs(session, None);
            self.roster_unsubscribe(session);
            self.unwatch_all(session);
            self.unwant_all(session);
            if Some(session) != except {
                fx.push(Effect::Reply { to: session, reply: Reply::Dismissed { reason: told.clone() } });
            }
        }
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
