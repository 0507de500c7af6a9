//! The hub itself: sessions, users and rooms, and the commands that change them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gcra::{GcraState, RateLimit};
use rustc_hash::FxHashMap;

use crate::names::{Directory, Key};
use crate::rendezvous::Rendezvous;
use crate::room::Room;
use crate::roster::Roster;
use crate::say::Receipts;
use crate::{
    Card, Command, Dialect, Effect, Event, EventId, HubConfig, Kind, Leg, Login, Name, Now, Origin, Refusal,
    RefusalCounts, Reply, RoomCard, RoomId, RoomName, SessionId, Shared, Token, UserId,
};

/// Everything that is shared between sessions. See the crate's page for how to drive it.
#[derive(Debug)]
pub struct Hub {
    config: HubConfig,
    rate: RateLimit,
    pub(crate) directory: Directory,
    pub(crate) sessions: FxHashMap<SessionId, Session>,
    /// Ordered by arrival, because ids grow.
    pub(crate) users: BTreeMap<UserId, User>,
    pub(crate) rooms: FxHashMap<RoomId, Room>,
    room_keys: BTreeMap<Key, RoomId>,
    lobby: RoomId,
    pub(crate) roster: Roster,
    pub(crate) receipts: Receipts,
    pub(crate) rendezvous: Rendezvous,
    last_id: u64,
    last_event: EventId,
    pub(crate) counts: Counts,
}

/// What the hub has done since it was made.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Messages taken.
    pub messages: u64,
    /// Messages handed out, one for each receiving session.
    pub deliveries: u64,
    /// Refusals by dialect and reason.
    pub refusals: RefusalCounts,
}

/// An open session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) origin: Origin,
    rate: GcraState,
    pub(crate) user: Option<UserId>,
    /// The room it is a member of.
    pub(crate) room: Option<RoomId>,
    leg: Leg,
    roster: bool,
    pub(crate) receipts: bool,
}

impl Session {
    /// Whether its user's messages come to it.
    pub(crate) fn hears(&self) -> bool {
        self.leg != Leg::Send
    }
}

/// A present user, or one that is still completing its login.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) card: Arc<Card>,
    pub(crate) sessions: Vec<SessionId>,
    /// Where its sessions come from; another leg is only taken from there.
    origin: Origin,
    /// The room that it goes to once complete.
    room: RoomName,
    pub(crate) present: bool,
}

impl Hub {
    /// An empty hub. The lobby's and the server's name are taken as they are; check them with
    /// [`RoomName::new`] and [`Name::new`] where they come from.
    ///
    /// # Errors
    /// If one of those two is no name, or a limit is zero.
    pub fn new(config: HubConfig) -> Result<Self, Refusal> {
        let lobby = RoomName::new(&config.lobby)?;
        Name::new(&config.server_name)?;
        let burst = config.messages_burst.max(1);
        let period =
            Duration::from_secs(1).mul_f64(f64::from(burst) / f64::from(config.messages_per_s.max(1)));
        let mut hub = Self {
            rate: RateLimit::new(burst, period),
            directory: Directory::default(),
            sessions: FxHashMap::default(),
            users: BTreeMap::new(),
            rooms: FxHashMap::default(),
            room_keys: BTreeMap::new(),
            lobby: RoomId(0),
            roster: Roster::default(),
            receipts: Receipts::default(),
            rendezvous: Rendezvous::default(),
            last_id: 0,
            last_event: EventId::default(),
            counts: Counts::default(),
            config,
        };
        hub.lobby = hub.room_named(&lobby);
        Ok(hub)
    }

    /// The limits and choices in force.
    #[must_use]
    pub fn config(&self) -> &HubConfig {
        &self.config
    }

    pub(crate) fn config_mut(&mut self) -> &mut HubConfig {
        &mut self.config
    }

    /// What was done so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The users who are present, in order of arrival.
    pub fn present(&self) -> impl Iterator<Item = &Arc<Card>> {
        self.users.values().filter(|user| user.present).map(|user| &user.card)
    }

    /// How many rooms there are, the lobby included.
    #[must_use]
    pub fn room_count(&self) -> usize {
        self.rooms.len()
    }

    /// A session has opened.
    pub fn open(&mut self, session: SessionId, origin: Origin) {
        self.sessions.insert(
            session,
            Session {
                origin,
                rate: GcraState::default(),
                user: None,
                room: None,
                leg: Leg::Both,
                roster: false,
                receipts: false,
            },
        );
    }

    /// A session has closed. Its user goes with its last session.
    pub fn close(&mut self, now: Now, session: SessionId, fx: &mut Vec<Effect>) {
        self.rendezvous_closed(now, session, fx);
        let Some(gone) = self.sessions.remove(&session) else { return };
        self.detach(now, session, &gone, fx);
    }

    /// When [`Hub::on_timer`] wants to be called, at the latest.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        [self.roster_due(), self.rendezvous_due()].into_iter().flatten().min()
    }

    /// Does what has become due.
    pub fn on_timer(&mut self, now: Now, fx: &mut Vec<Effect>) {
        if self.roster_due().is_some_and(|due| due <= now.at) {
            self.roster_tell(now, fx);
        }
        self.rendezvous_expire(now, fx);
    }

    /// Carries out a session's command.
    pub fn apply(&mut self, now: Now, from: SessionId, command: Command, fx: &mut Vec<Effect>) {
        match command {
            Command::Login(login) => {
                let answer = self.login(now, from, login, fx);
                self.answer(from, None, answer, fx);
            }
            Command::Say(say) => {
                let token = say.token;
                if let Err(refusal) = self.say(now, from, say, fx) {
                    self.refuse(from, token, refusal, fx);
                }
            }
            Command::Typing { room } => self.typing(now, from, room, fx),
            Command::Receipt { event, verdict } => self.receipt(from, event, verdict, fx),
            Command::ReceiptElsewhere { verdict } => self.receipt_elsewhere(from, verdict, fx),
            Command::Who { room } => {
                let answer = self.who(from, room);
                self.answer(from, None, answer, fx);
            }
            Command::Bridge(request) => {
                let answer = self.bridge(now, from, request, fx).map(Reply::Bridge);
                self.answer(from, None, answer, fx);
            }
            Command::Leave => self.end_user_of(now, from, fx),
        }
    }

    fn answer(
        &mut self,
        to: SessionId,
        token: Option<Token>,
        answer: Result<Reply, Refusal>,
        fx: &mut Vec<Effect>,
    ) {
        match answer {
            Ok(reply) => fx.push(Effect::Reply { to, reply }),
            Err(refusal) => self.refuse(to, token, refusal, fx),
        }
    }

    fn refuse(&mut self, to: SessionId, token: Option<Token>, refusal: Refusal, fx: &mut Vec<Effect>) {
        if let Some(session) = self.sessions.get(&to) {
            *self.counts.refusals.entry((session.origin.dialect, refusal.reason())).or_default() += 1;
        }
        fx.push(Effect::Reply { to, reply: Reply::Refused { token, refusal } });
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
    fn detach(&mut self, now: Now, session: SessionId, gone: &Session, fx: &mut Vec<Effect>) {
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
    fn end_user_of(&mut self, now: Now, from: SessionId, fx: &mut Vec<Effect>) {
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

    fn who(&self, from: SessionId, room: RoomId) -> Result<Reply, Refusal> {
        let room = self.rooms.get(&room).filter(|room| room.has(from)).ok_or(Refusal::NotInRoom)?;
        let members = room
            .users()
            .iter()
            .filter_map(|user| self.users.get(user))
            .map(|user| user.card.clone())
            .collect();
        Ok(Reply::Members { room: room.card.clone(), members })
    }

    /// Whether a session may send another message now.
    pub(crate) fn check_rate(&mut self, now: Now, from: SessionId) -> Result<(), Refusal> {
        let session = self.sessions.get_mut(&from).ok_or(Refusal::NotLoggedIn)?;
        if session.origin.is_loopback() {
            return Ok(());
        }
        let allowed = session.rate.check_and_modify_at(&self.rate, now.at, 1);
        allowed.map_err(|_| Refusal::TooFast { per_s: self.config.messages_per_s })
    }

    pub(crate) fn event(&mut self, now: Now, kind: Kind) -> Shared {
        self.last_event = self.last_event.after(now.unix_ms);
        Shared::new(Event { id: self.last_event, unix_ms: now.unix_ms, kind })
    }

    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn room_named(&mut self, name: &RoomName) -> RoomId {
        let key = Key::of(name.as_str());
        if let Some(id) = self.room_keys.get(&key) {
            return *id;
        }
        let id = RoomId(self.next_id());
        self.rooms.insert(id, Room::new(RoomCard { id, name: name.clone() }));
        self.room_keys.insert(key, id);
        id
    }
}

/// A handle is shown to other clients as it is: it has to fit a line and can't be a whole page.
fn check_handle(handle: &str) -> Result<(), Refusal> {
    let rule = match handle {
        "" => "it is empty",
        handle if handle.chars().count() > 64 => "more than 64 characters",
        handle if handle.chars().any(|c| c.is_control() || c.is_whitespace()) => "white space is not allowed",
        _ => return Ok(()),
    };
    Err(Refusal::NameMalformed { name: handle.chars().take(64).collect(), rule })
}

#[cfg(test)]
mod invariants;
#[cfg(test)]
mod tests;
